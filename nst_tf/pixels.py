"""An image as the trainable weight of a generator."""

from typing import Any

import keras
import numpy as np
from keras import ops

Tensor = Any


@keras.saving.register_keras_serializable("nst_tf")
class UnitRange(keras.constraints.Constraint):
    """Project every value onto 0..1, the gamut of an image file."""

    def __call__(self, w: Tensor) -> Tensor:
        """Return `w` clipped."""
        return ops.clip(w, 0.0, 1.0)


class PixelImage(keras.layers.Layer):
    """A generator whose only weight is the picture itself.

    Args:
        image: float32 `[H, W, 3]`, RGB 0..1; the start.
        constrained: Keep the pixels in 0..1 after every step.
    """

    def __init__(self, image: np.ndarray, *, constrained: bool = True) -> None:
        super().__init__(dtype="float32", name="pixels")
        start = np.clip(image, 0.0, 1.0) if constrained else image
        self.constrained = constrained
        self.image = self.add_weight(
            shape=(1, *image.shape),
            initializer="zeros",
            constraint=UnitRange() if constrained else None,
            name="image",
        )
        self.finite = self.add_weight(
            shape=(1, *image.shape), initializer="zeros", trainable=False, name="finite"
        )
        self.image.assign(start[None])
        self.finite.assign(start[None])
        self.built = True

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
