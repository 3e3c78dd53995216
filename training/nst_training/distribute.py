"""Batches spread over the GPUs of one machine."""

import contextlib
from collections.abc import Iterator

import keras

from nst_tf.backend.precision import has_gpu


def gpus() -> list[str]:
    """Return the names of the GPUs that the backend sees."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return [device.name for device in tf.config.list_logical_devices("GPU")]
    # Keras raises where JAX has no such processor.
    return list(keras.distribution.list_devices("gpu")) if has_gpu() else []


@contextlib.contextmanager
def spread(devices: list[str]) -> Iterator[None]:
    """Spread every batch over several devices: copies of the model, mean gradients."""
    if len(devices) < 2:
        yield
    elif keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.distribute.MirroredStrategy(devices).scope():
            yield
    else:
        before = keras.distribution.distribution()
        keras.distribution.set_distribution(
            keras.distribution.DataParallel(devices=devices)
        )
        try:
            yield
        finally:
            keras.distribution.set_distribution(before)
