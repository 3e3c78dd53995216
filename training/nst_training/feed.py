"""Batches in the form that `fit` takes on each backend, photographs augmented."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from nst_tf.backend.compile import compiled
from nst_tf.running.transfer import untuned
from nst_training.augment import DRAWS, augment
from nst_training.data import Batches
from nst_training.painted import PaintedBatches
from nst_training.resident import crop

Tensor = Any
Prepare = Callable[[Any, Any, dict[str, Tensor]], dict[str, Tensor]]


def dataset_of(
    batches: Batches | PaintedBatches,
    start: int,
    *,
    relight: float,
    copy: bool,
    paintings: np.ndarray | None = None,
) -> Any:
    """Wrap the batches for `fit`: tf.data where TensorFlow runs, else as they are.

    Args:
        batches: Read from files, or cut from photographs that are held.
        start: Number of the first batch.
        relight: Fraction of photographs whose light is changed.
        copy: Whether every photograph comes with a moved copy.
        paintings: uint8 `[M, S, S, 3]`, of which `PaintedBatches` say what to cut.
    """
    held = getattr(batches, "squares", None)
    size, batch_size, first = batches.size, batches.batch, batches.slots.start

    def prepare(
        squares: Any, paintings: Any, batch: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        image = batch["image"] if squares is None else crop(squares, batch, size)
        seen = augment(
            image,
            batch["draws"],
            relight=relight,
            copy=copy,
            batch=batch_size,
            first=first,
        )
        seen["style"] = batch["style"]
        if paintings is not None:
            where = {"index": batch["painting"], "place": batch["painting_place"]}
            own = batch["own"][:, None, None]
            art = crop(paintings, where, size)
            art = own * seen["image"] + (1.0 - own) * art
            seen |= {"painting": art, "mix": batch["mix"], "own": batch["own"]}
        return seen

    if keras.backend.backend() != "tensorflow":
        both = [
            None if x is None else ops.convert_to_tensor(x) for x in (held, paintings)
        ]
        ready = compiled(prepare)
        # Keras takes generators of tuples.
        return ((ready(*both, batch),) for batch in batches.open(start))
    return _tf_data(batches, start, prepare, paintings)


def _tf_data(
    batches: Batches | PaintedBatches,
    start: int,
    prepare: Prepare,
    paintings: np.ndarray | None,
) -> Any:
    import tensorflow as tf

    count, side = batches.batch, batches.size
    signature = {
        "style": tf.TensorSpec((count, batches.styles + 1), "float32"),
        "draws": tf.TensorSpec((count, DRAWS), "float32"),
    }
    squares = getattr(batches, "squares", None)
    if paintings is not None:
        paintings = tf.constant(paintings)
        signature["painting"] = tf.TensorSpec((count,), "int32")
        signature["painting_place"] = tf.TensorSpec((count, 4), "float32")
        signature["mix"] = signature["own"] = tf.TensorSpec((count, 1), "float32")
    if squares is not None:
        squares = tf.constant(squares)
        signature["index"] = tf.TensorSpec((count,), "int32")
        signature["place"] = tf.TensorSpec((count, 4), "float32")
    else:
        signature["image"] = tf.TensorSpec((count, side, side, 3), "float32")
    # A stream of its own for every iterator: a strategy may make several.
    data = tf.data.Dataset.from_generator(
        lambda: batches.open(start), output_signature=signature
    )
    return untuned(
        data.map(lambda batch: prepare(squares, paintings, batch)).prefetch(2)
    )
