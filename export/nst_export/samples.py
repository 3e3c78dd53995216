"""What every file must make of a photograph: the Keras model's pictures."""

from collections.abc import Sequence

import keras
import numpy as np

from nst_export.runtime.encoder import PaintingEncoder
from nst_export.verify import Loss, Sample
from nst_tf.network.encoder import StyleEncoder
from nst_tf.settings.network import MULTIPLE


def sample_inputs(
    photos: Sequence[np.ndarray],
    styles: int,
    rows: list[list[float]] | None = None,
) -> list[tuple[np.ndarray, list[float]]]:
    """Return the photographs, cut to multiples of 4, with weights that use all inputs.

    Each style alone in turn, then halves of two of them and of the photograph.

    Args:
        photos: float32 `[H, W, 3]`.
        styles: How many there are.
        rows: Of a model for any painting, what is given instead.
    """
    weights = rows or _shares(styles)
    found = []
    for index in range(max(len(photos), len(weights))):
        photo = photos[index % len(photos)]
        height, width = (side - side % MULTIPLE for side in photo.shape[:2])
        found.append((photo[:height, :width], weights[index % len(weights)]))
    return found


def _shares(styles: int) -> list[list[float]]:
    weights = [list(row) for row in np.eye(styles + 1)[1:]]
    mixed = np.zeros(styles + 1)
    mixed[0] = 0.25
    mixed[1] += 0.5
    mixed[-1] += 0.25
    return [*weights, list(mixed)]


def encoder_rows(encoder: StyleEncoder, painting: np.ndarray) -> list[float]:
    """Return the weights for a picture in the manner of another, at 0.8 of strength."""
    vector = np.asarray(encoder(PaintingEncoder.seen(painting)))[0]
    return [0.2, *(0.8 * vector).tolist()]


def paint_sample(
    network: keras.Model,
    photo: np.ndarray,
    weights: list[float],
    loss: Loss | None = None,
) -> Sample:
    """Paint a photograph by Keras.

    Args:
        network: With the style weights as an input, or of one style alone.
        photo: float32 `[H, W, 3]`, RGB 0..1.
        weights: One a style, the photograph's own first.
        loss: The loss that was trained, if it is known.
    """
    inputs = {"image": photo[None]}
    if "style" in network.input:
        inputs["style"] = np.asarray([weights], "float32")
    picture: np.ndarray = keras.ops.convert_to_numpy(network(inputs))[0]
    if "style" not in inputs:
        picture = picture + weights[0] * (photo - picture)
    found = loss(picture, photo, weights) if loss is not None else 0.0
    return Sample(photo, weights, picture, found)
