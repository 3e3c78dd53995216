"""What every file must make of a photograph: the Keras model's pictures."""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

from nst_export.verify import Loss, Sample
from nst_tf.settings.network import MULTIPLE
from nst_tf.style_file import StyleVector


class Styles(NamedTuple):
    """What samples are painted by.

    Attributes:
        number: Of the styles that weights are of.
        rows: Of a model for any painting, what they are to the network,
            `[N + 1, S + 1]`, the photograph's first.
        guests: Those of them that are not in the files, the last ones.
    """

    number: int
    rows: np.ndarray | None = None
    guests: tuple[StyleVector, ...] = ()

    def row(self, weights: Sequence[float]) -> list[float]:
        """Return what the network takes for weights of the styles."""
        if self.rows is None:
            return list(weights)
        found: list[float] = (np.asarray(weights, "float32") @ self.rows).tolist()
        return found

    def alone(self, index: int) -> list[float]:
        """Return what it takes for one style, from 1."""
        return self.row(np.eye(self.number + 1)[index].tolist())


def sample_inputs(
    photos: Sequence[np.ndarray], styles: int
) -> list[tuple[np.ndarray, list[float]]]:
    """Return the photographs, cut to multiples of 4, with weights that use all inputs.

    Each style alone in turn, then halves of two of them and of the photograph.

    Args:
        photos: float32 `[H, W, 3]`.
        styles: How many there are.
    """
    weights = _shares(styles)
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


def paint_sample(
    network: keras.Model,
    photo: np.ndarray,
    weights: list[float],
    styles: Styles,
    loss: Loss | None = None,
) -> Sample:
    """Paint a photograph by Keras.

    Args:
        network: With the style as an input, or of one style alone.
        photo: float32 `[H, W, 3]`, RGB 0..1.
        weights: One a style, the photograph's own first.
        styles: What the weights are of.
        loss: The loss that was trained, if it is known.
    """
    inputs = {"image": photo[None]}
    if "style" in network.input:
        inputs["style"] = np.asarray([styles.row(weights)], "float32")
    picture: np.ndarray = keras.ops.convert_to_numpy(network(inputs))[0]
    if "style" not in inputs:
        picture = picture + weights[0] * (photo - picture)
    found = loss(picture, photo, weights) if loss is not None else 0.0
    return Sample(photo, weights, picture, found, styles.guests)
