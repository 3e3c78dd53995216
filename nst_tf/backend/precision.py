"""Which arithmetic the extractor runs in, and whether there is a GPU."""

import keras

from nst_tf.machine import cpu_precision
from nst_tf.settings.optimize import Precision


def resolve_precision(precision: Precision) -> str:
    """Return the dtype that `precision` means on this machine.

    `auto` is bfloat16 on a GPU, and on a CPU with bfloat16 arithmetic (AMX or
    AVX512-BF16) under TensorFlow; elsewhere bfloat16 would be emulated, so float32.
    bfloat16 has the range of float32: nothing overflows, no loss scaling is needed.
    """
    if precision == "auto" and has_gpu():
        return "bfloat16"
    return cpu_precision(precision, keras.backend.backend())


def has_gpu() -> bool:
    """Tell whether the Keras backend sees a GPU."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))
    return bool(jax_gpus())


def jax_gpus() -> list[str]:
    """Return the names of the GPUs that JAX sees, as Keras has them."""
    # Asked for a kind that there is none of, JAX raises.
    devices: list[str] = keras.distribution.list_devices()
    return [name for name in devices if name.startswith(("gpu", "cuda"))]
