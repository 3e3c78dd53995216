"""Which arithmetic the extractor runs in, and how it is compiled."""

from pathlib import Path

import keras

from nst_tf.settings.optimize import Precision

_BFLOAT16_FLAGS = {"amx_bf16", "avx512_bf16"}


def resolve_precision(precision: Precision) -> str:
    """Return the dtype that `precision` means on this machine.

    `auto` is bfloat16 on a GPU, and on a CPU with bfloat16 arithmetic (AMX or
    AVX512-BF16) under TensorFlow; elsewhere bfloat16 would be emulated, so float32.
    bfloat16 has the range of float32: nothing overflows, no loss scaling is needed.
    """
    if precision != "auto":
        return precision
    if has_gpu():
        return "bfloat16"
    native = keras.backend.backend() == "tensorflow" and cpu_has_bfloat16()
    return "bfloat16" if native else "float32"


def cpu_has_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Tell whether the processor multiplies bfloat16 itself (Linux; else False)."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return bool(_BFLOAT16_FLAGS & set(flags.split()))


def has_gpu() -> bool:
    """Tell whether the Keras backend sees a GPU."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))
    # Asked for "gpu" alone, JAX fails where there is none.
    return any(
        device.startswith(("gpu", "cuda", "rocm"))
        for device in keras.distribution.list_devices()
    )
