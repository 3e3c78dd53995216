"""An image as the trainable weight of a generator."""

from typing import Any

import keras
import numpy as np
from keras import ops

Tensor = Any


Range = tuple[np.ndarray, np.ndarray]
"""Least and greatest value of every pixel, float32 `[H, W]` each."""


@keras.saving.register_keras_serializable("nst_tf")
class UnitRange(keras.constraints.Constraint):
    """Project every value onto 0..1, the gamut of an image file."""

    def __call__(self, w: Tensor) -> Tensor:
        """Return `w` clipped."""
        return ops.clip(w, 0.0, 1.0)


class GreyRange(keras.constraints.Constraint):
    """Project a picture `[1, H, W, 3]` onto the greys in a range of every pixel."""

    def __init__(self, low: Any, high: Any) -> None:
        self.low, self.high = low, high

    def __call__(self, w: Tensor) -> Tensor:
        """Return `w` with its three channels averaged and clipped."""
        plane = ops.mean(w, axis=-1, keepdims=True)
        return ops.repeat(ops.clip(plane, self.low, self.high), 3, axis=-1)


class PixelImage(keras.layers.Layer):
    """A generator whose only weight is the picture itself.

    Args:
        image: float32 `[H, W, 3]`, RGB 0..1; the start.
        constrained: Keep the pixels in 0..1 after every step.
        greys: Keep them grey and in this range instead.
    """

    def __init__(
        self,
        image: np.ndarray,
        *,
        constrained: bool = True,
        greys: Range | None = None,
    ) -> None:
        super().__init__(dtype="float32", name="pixels")
        start = np.clip(image, 0.0, 1.0) if constrained else image
        constraint: Any = UnitRange() if constrained else None
        if greys is not None:
            low, high = (self._hold(value) for value in greys)
            constraint = GreyRange(low, high)
            start = np.asarray(constraint(start[None]))[0]
        self.constrained = constrained
        self.image = self.add_weight(
            shape=(1, *image.shape),
            initializer="zeros",
            constraint=constraint,
            name="image",
        )
        self.finite = self.add_weight(
            shape=(1, *image.shape), initializer="zeros", trainable=False, name="finite"
        )
        self.image.assign(start[None])
        self.finite.assign(start[None])
        self.built = True

    def _hold(self, plane: np.ndarray) -> keras.Variable:
        """Keep `[H, W]` as a variable `[1, H, W, 1]`: state, no constant of a graph."""
        shape = (1, *plane.shape, 1)
        weight = self.add_weight(shape=shape, initializer="zeros", trainable=False)
        weight.assign(plane[None, ..., None])
        return weight

    def call(self, inputs: Tensor) -> Tensor:
        """Return the picture, float32 `[1, H, W, 3]`; `inputs` only count the steps."""
        return ops.copy(self.image)

    def remember(self, image: Tensor, loss: Tensor) -> None:
        """Keep `image` as the last good one if its `loss` is finite."""
        finite = ops.isfinite(loss)
        kept = ops.cond(finite, lambda: image, lambda: ops.copy(self.finite))
        self.finite.assign(kept)

    def picture(self) -> np.ndarray:
        """Return the picture as it is now, float32 `[H, W, 3]`."""
        pixels = np.array(self.image[0])
        # Keras averages (EMA) the steps as they were before the constraint.
        return np.clip(pixels, 0.0, 1.0) if self.constrained else pixels

    def last_finite(self) -> np.ndarray:
        """Return the last picture whose loss was finite, float32 `[H, W, 3]`."""
        return np.array(self.finite[0])
