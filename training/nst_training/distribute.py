"""Batches spread over devices: the GPUs of one machine, or those of all workers."""

import contextlib
from collections.abc import Iterator

import keras

from nst_tf.backend.precision import jax_gpus


def gpus() -> list[str]:
    """Return the names of the GPUs that the backend sees."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return [device.name for device in tf.config.list_logical_devices("GPU")]
    return jax_gpus()


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
        # Every worker gives its own share of the data.
        data = keras.distribution.DataParallel(
            devices=devices, auto_shard_dataset=False
        )
        with _distribution(data):
            yield


def alone() -> contextlib.AbstractContextManager[None]:
    """Make the variables of a block on one device of this process.

    Where JAX spreads a batch over several processes, all of them would have to make
    them, at the same time.
    """
    if keras.backend.backend() == "tensorflow":
        return contextlib.nullcontext()
    return _distribution(None)


@contextlib.contextmanager
def _distribution(chosen: "keras.distribution.DataParallel | None") -> Iterator[None]:
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(chosen)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)
