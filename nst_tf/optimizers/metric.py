"""Metrics for L-BFGS: where a long step is safe before any curvature is known.

Reference:
    Olah et al. 2017 (pictures as decorrelated Fourier coefficients),
    https://doi.org/10.23915/distill.00007
"""

from typing import Any

import keras
import numpy as np
from keras import ops

Tensor = Any


@keras.saving.register_keras_serializable("nst_tf")
class SpatialMetric:
    """A filter that favours the low spatial frequencies of pictures.

    A loss on features bends little along smooth changes of a picture, so that they take
    many steps of L-BFGS. Of a spatial frequency of f cycles a pixel this multiplies the
    gradient with `max(f, floor)^-power`, by a Fourier transform over the picture as if
    it were repeated beyond its borders; what the channels share, by `grey` besides:
    in photographs and paintings most of the variance. Symmetric and positive.

    Args:
        power: 0 leaves gradients as they are.
        floor: Frequency in cycles a pixel below which no longer steps are made.
        grey: Factor of the channels' mean.

    Example:
        >>> LBFGS(metric=SpatialMetric())
    """

    def __init__(
        self, *, power: float = 1.0, floor: float = 0.01, grey: float = 3.0
    ) -> None:
        if power < 0:
            raise ValueError(f"power must be at least 0, got {power:g}")
        if floor <= 0:
            raise ValueError(f"floor must exceed 0, got {floor:g}")
        if grey <= 0:
            raise ValueError(f"grey must exceed 0, got {grey:g}")
        self.power, self.floor, self.grey = power, floor, grey

    def __call__(self, gradients: list[Tensor]) -> list[Tensor]:
        """Return gradients filtered, each float32 `[B, H, W, C]`."""
        filtered = [self._filtered(gradient) for gradient in gradients]
        return [
            x + (self.grey - 1.0) * ops.mean(x, axis=-1, keepdims=True)
            for x in filtered
        ]

    def _filtered(self, gradient: Tensor) -> Tensor:
        batch, height, width, channels = gradient.shape
        factor = self._factor(height, width)
        planes = ops.reshape(
            ops.transpose(gradient, (0, 3, 1, 2)), (-1, height, width)
        )  # [B*C, H, W]
        found = []
        # The filter is even, so that real and imaginary part are two planes at once.
        for first in range(0, batch * channels, 2):
            real, two = planes[first], first + 1 < batch * channels
            imaginary = planes[first + 1] if two else ops.zeros_like(real)
            real, imaginary = ops.fft2((real, imaginary))
            pair = ops.ifft2((factor * real, factor * imaginary))
            found += pair if two else pair[:1]
        whole = ops.reshape(ops.stack(found), (batch, channels, height, width))
        return ops.transpose(whole, (0, 2, 3, 1))

    def _factor(self, height: int, width: int) -> Tensor:
        """Return what every frequency is multiplied with, float32 `[H, W]`."""
        rows, columns = (np.fft.fftfreq(n).astype("float32") for n in (height, width))
        square = ops.square(ops.convert_to_tensor(rows))[:, None]
        square = square + ops.square(ops.convert_to_tensor(columns))[None, :]
        return ops.power(ops.maximum(square, self.floor**2), -0.5 * self.power)

    def get_config(self) -> dict[str, float]:
        """Return the constructor's arguments."""
        return {"power": self.power, "floor": self.floor, "grey": self.grey}

    @classmethod
    def from_config(cls, config: dict[str, float]) -> "SpatialMetric":
        """Return the metric of what `get_config` returned."""
        return cls(**config)
