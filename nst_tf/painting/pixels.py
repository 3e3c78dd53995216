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
    """Project a picture `[1, H, W, 3]` onto the greys in a range of every pixel.

    Args:
        low: The least grey of every pixel, `[1, H, W, 1]`.
        high: The greatest, likewise.
    """

    def __init__(self, low: Any, high: Any) -> None:
        self.limits = low, high

    def __call__(self, w: Tensor) -> Tensor:
        """Return `w` with its three channels averaged and clipped."""
        plane = ops.mean(w, axis=-1, keepdims=True)
        low, high = (ops.convert_to_tensor(limit) for limit in self.limits)
        return ops.repeat(ops.clip(plane, low, high), 3, axis=-1)


class PixelImage(keras.layers.Layer):
    """A generator whose only weight is the picture itself.

    Args:
        image: float32 `[H, W, 3]`, RGB 0..1; the start.
        constrained: Keep the pixels in 0..1 after every step.
        backdrop: float32 `[H, W, 3]`, what shows where `cover` is not 1.
        cover: float32 `[H, W]`, 0..1; the picture is `cover` of the image and the rest
            of the backdrop. Where it is 0 the backdrop stays to the bit.
        greys: Keep the pixels grey and in this range instead.
    """

    def __init__(
        self,
        image: np.ndarray,
        *,
        constrained: bool = True,
        backdrop: np.ndarray | None = None,
        cover: np.ndarray | None = None,
        greys: Range | None = None,
    ) -> None:
        super().__init__(dtype="float32", name="pixels")
        start = np.clip(image, 0.0, 1.0) if constrained else image
        constraint: Any = UnitRange() if constrained else None
        if greys is not None:
            # No weights of the layer: on JAX a step's constraint does not see them.
            constraint = GreyRange(
                *(keras.Variable(x[None, ..., None], trainable=False) for x in greys)
            )
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
        self.cover: Any = None
        self.behind: Any = None
        if cover is not None and backdrop is not None:
            self.cover = self._constant(cover[None, ..., None], "cover")
            rest = (1.0 - cover[None, ..., None]) * backdrop[None]
            self.behind = self._constant(rest, "behind")
        self.built = True

    def _constant(self, value: np.ndarray, name: str) -> keras.Variable:
        weight = self.add_weight(
            shape=value.shape, initializer="zeros", trainable=False, name=name
        )
        weight.assign(value)
        return weight

    def restart(
        self,
        image: np.ndarray,
        *,
        backdrop: np.ndarray | None = None,
        greys: Range | None = None,
    ) -> None:
        """Begin anew with a picture of the same size.

        Args:
            image: float32 `[H, W, 3]`, RGB 0..1; the start.
            backdrop: As in the constructor; without it as before, and so `greys`.
            greys: As in the constructor.
        """
        start = image[None]
        if backdrop is not None and self.cover is not None:
            self.behind.assign((1.0 - np.array(self.cover)) * backdrop[None])
        if greys is not None and isinstance(self.image.constraint, GreyRange):
            for limit, value in zip(self.image.constraint.limits, greys, strict=True):
                limit.assign(value[None, ..., None])
        if self.image.constraint is not None:
            start = np.asarray(self.image.constraint(start))
        self.image.assign(start)
        self.finite.assign(start)

    def call(self, inputs: Tensor) -> Tensor:
        """Return the picture, float32 `[1, H, W, 3]`; `inputs` only count the steps."""
        if self.cover is None:
            return ops.copy(self.image)
        return self.cover * self.image + self.behind

    def own(self) -> None:
        """Hold the picture in memory of its own.

        At the end of a fit Keras puts Adam's average into the picture. On JAX both are
        one array then, which another fit would give away twice.
        """
        self.image.assign(ops.copy(self.image))

    def remember(self, image: Tensor, loss: Tensor) -> None:
        """Keep `image` as the last good one if its `loss` is finite."""
        finite = ops.isfinite(loss)
        kept = ops.cond(finite, lambda: image, lambda: ops.copy(self.finite))
        self.finite.assign(kept)

    def picture(self) -> np.ndarray:
        """Return the picture as it is now, float32 `[H, W, 3]`."""
        pixels = np.array(self.image[0])
        if self.cover is not None:
            pixels = np.array(self.cover[0]) * pixels + np.array(self.behind[0])
        # Keras averages (EMA) the steps as they were before the constraint.
        return np.clip(pixels, 0.0, 1.0) if self.constrained else pixels

    def last_finite(self) -> np.ndarray:
        """Return the last picture whose loss was finite, float32 `[H, W, 3]`."""
        return np.array(self.finite[0])
