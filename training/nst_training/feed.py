"""Batches in the form that `fit` takes on each backend."""

from typing import Any

import keras

from nst_tf.running.transfer import untuned
from nst_training.data import Batches


def dataset_of(batches: Batches, start: int) -> Any:
    """Wrap the batches for `fit`: tf.data where TensorFlow runs, else as they are."""
    if keras.backend.backend() != "tensorflow":
        # Keras takes generators of tuples.
        return ((batch,) for batch in batches.open(start))
    import tensorflow as tf

    shape = (batches.batch, batches.size, batches.size, 3)
    signature = {
        "image": tf.TensorSpec(shape, "float32"),
        "style": tf.TensorSpec((batches.batch, batches.styles + 1), "float32"),
    }
    # A stream of its own for every iterator: a strategy may make several.
    data = tf.data.Dataset.from_generator(
        lambda: batches.open(start), output_signature=signature
    )
    return untuned(data.prefetch(2))
