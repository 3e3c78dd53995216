"""Batches in the form that `fit` takes on each backend, photographs augmented."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from nst_tf.backend.compile import compiled
from nst_tf.running.transfer import untuned
from nst_training.augment import DRAWS, augment
from nst_training.data import Batches
from nst_training.resident import ResidentBatches, crop

Tensor = Any
Prepare = Callable[[Any, dict[str, Tensor]], dict[str, Tensor]]


def dataset_of(batches: Batches, start: int, *, relight: float, copy: bool) -> Any:
    """Wrap the batches for `fit`: tf.data where TensorFlow runs, else as they are.

    Args:
        batches: Read from files, or cut from photographs that are held.
        start: Number of the first batch.
        relight: Fraction of photographs whose light is changed.
        copy: Whether every photograph comes with a moved copy.
    """
    held = getattr(batches, "squares", None)
    size, batch_size, first = batches.size, batches.batch, batches.slots.start

    def prepare(squares: Any, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        image = batch["image"] if squares is None else crop(squares, batch, size)
        seen = augment(
            image,
            batch["draws"],
            relight=relight,
            copy=copy,
            batch=batch_size,
            first=first,
        )
        return {**seen, "style": batch["style"]}

    if keras.backend.backend() != "tensorflow":
        squares = None if held is None else ops.convert_to_tensor(held)
        ready = compiled(prepare)
        # Keras takes generators of tuples.
        return ((ready(squares, batch),) for batch in batches.open(start))
    return _tf_data(batches, start, prepare)


def _tf_data(batches: Batches, start: int, prepare: Prepare) -> Any:
    import tensorflow as tf

    count, side = batches.batch, batches.size
    signature = {
        "style": tf.TensorSpec((count, batches.styles + 1), "float32"),
        "draws": tf.TensorSpec((count, DRAWS), "float32"),
    }
    squares = None
    if isinstance(batches, ResidentBatches):
        squares = tf.constant(batches.squares)
        signature["index"] = tf.TensorSpec((count,), "int32")
        signature["place"] = tf.TensorSpec((count, 4), "float32")
    else:
        signature["image"] = tf.TensorSpec((count, side, side, 3), "float32")
    # A stream of its own for every iterator: a strategy may make several.
    data = tf.data.Dataset.from_generator(
        lambda: batches.open(start), output_signature=signature
    )
    return untuned(data.map(lambda batch: prepare(squares, batch)).prefetch(2))
