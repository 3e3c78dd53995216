"""Which arithmetic the extractor runs in, and how it is compiled."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from nst_tf.settings import Precision

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
    return bool(keras.distribution.list_devices("gpu"))


def jit_compile() -> bool:
    """Tell whether to compile with XLA: not TensorFlow on a CPU, where it is slower.

    Forward and backward of VGG-19 at 256x256, float32: 0.58 s with XLA, 0.43 s without.
    """
    return keras.backend.backend() != "tensorflow" or has_gpu()


def in_graph(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` as a TensorFlow graph, which frees what it no longer needs.

    Called eagerly, a Keras model holds the output of every layer until it returns:
    1.7 instead of 0.8 GB for VGG-19 at 1024x1365 in float32. Other backends: as is.
    """
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    graphs: dict[str, Callable[..., Any]] = {}

    def run(*inputs: Any) -> Any:
        tensors = tf.nest.map_structure(
            lambda x: x if x is None else tf.convert_to_tensor(x), inputs
        )
        # Called itself, a tf.function would warn of every new shape.
        key = str(tf.nest.map_structure(lambda x: x is not None and x.shape, tensors))
        if key not in graphs:
            graphs[key] = tf.function(function).get_concrete_function(*tensors)
        return graphs[key](*tensors)

    return run
