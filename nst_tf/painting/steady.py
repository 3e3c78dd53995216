"""The step that paints a frame of a film: the loss, and one term more for the last one.

Reference:
    Ruder et al. 2016, https://arxiv.org/abs/1604.08610
"""

from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from nst_tf.loss.objective import Objective
from nst_tf.loss.parts import TEMPORAL, LossParts
from nst_tf.loss.term import Targets
from nst_tf.painting.pixels import PixelImage
from nst_tf.running.transfer import StyleTransfer
from nst_tf.settings.loss import TERMS

Tensor = Any


class Held(keras.layers.Layer):
    """The picture that a frame should keep to, and how much at each pixel.

    Args:
        shape: Height and width in pixels.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        super().__init__(dtype="float32", trainable=False, name="held")
        self.picture = self._constant((1, *shape, 3), "picture")
        self.weight = self._constant((1, *shape, 1), "weight")
        self.built = True

    def _constant(self, shape: tuple[int, ...], name: str) -> keras.Variable:
        return self.add_weight(
            shape=shape, initializer="zeros", trainable=False, name=name
        )

    def replace(self, picture: np.ndarray, weight: np.ndarray) -> None:
        """Put others in their place, float32 `[H, W, 3]` and `[H, W]`."""
        self.picture.assign(picture[None])
        self.weight.assign(weight[None, ..., None])

    def call(self, picture: Tensor) -> Tensor:
        """Return the weighted mean square of what differs, float32 `[]`.

        Over all pixels, as in the paper: where little can be trusted the term is small.
        """
        return ops.mean(self.weight * ops.square(picture - self.picture))


class SteadyTransfer(StyleTransfer):
    """Paints a frame so that it stays near a picture where that is known.

    Args:
        generator: The frame's pixels.
        objective: The loss.
        targets: What the frame is compared with.
        held: The picture to stay near.
    """

    told: ClassVar[tuple[str, ...]] = (*TERMS, TEMPORAL)

    def __init__(
        self, generator: PixelImage, objective: Objective, targets: Targets, held: Held
    ) -> None:
        super().__init__(generator, objective, targets)
        self.held = held

    def judge(self, x: Tensor, y_pred: Tensor, training: bool) -> LossParts:
        """Return the loss of the frame's picture."""
        parts = super().judge(x, y_pred, training)
        apart = self.held(y_pred)
        return LossParts(parts.total + apart, {**parts.terms, TEMPORAL: apart})
