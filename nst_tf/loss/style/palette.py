"""How red, green and blue are distributed over the pixels, whatever their places.

Gram matrices know the colours' means and products alone. A bold painting's contrast is
reached with them by burning out what is light and drowning what is dark, and a colour
of few pixels, such as a dark blue, by none at all.

A distribution of values 0..1 is told by its cosine moments, the means of cos(pi k x):
sums over positions, exact in tiles. Two distribution functions F and G are apart by

    integral (F - G)^2 = sum over k of 2 / (pi k)^2 * (difference of the k-th moments)^2

which is the Cramér distance; over the painting's own integral G (1 - G) it is the
energy distance relative to how far the painting's values are from each other.

References:
    Székely, Rizzo 2013 (energy distance), https://doi.org/10.1016/j.jspi.2013.03.018
    Risser et al. 2017 (why Gram matrices are not enough, and histograms help; theirs
    are of features and by remapping), https://arxiv.org/abs/1701.08893
"""

import math
from typing import Any

import numpy as np
from keras import ops

from nst_tf.loss.conventions import HARMONICS
from nst_tf.loss.statistics import feature_sum
from nst_tf.loss.style.statistic import StyleStatistic

Tensor = Any
PIXELS = "pixels"
"""The picture itself, among the style layers."""
_FREQUENCIES = np.arange(1, HARMONICS + 1, dtype="float32")
_PARTS = (2.0 / (math.pi * _FREQUENCIES) ** 2).astype("float32")
"""What a squared difference of each cosine's means adds to the distance."""
_REST = float(1.0 / 6.0 - 0.5 * _PARTS[: HARMONICS // 2].sum())
"""What further cosines add to a channel's spread where values are spread evenly; it is
all that a painting of one colour has."""


def cosine_sums(image: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the sums of cos(pi k x) over positions, k = 1..8, float32 `[B, R, 24]`.

    Args:
        image: float32 `[B, H, W, 3]`, RGB 0..1.
        mask: As in `nst_tf.loss.statistics`.

    Returns:
        Red, green and blue of the first cosine, then of the second and so on.
    """
    first = ops.cos(math.pi * ops.cast(image, "float32"))
    before, now = ops.ones_like(first), first
    sums = [feature_sum(now, mask)]
    for _ in range(HARMONICS - 1):
        before, now = now, 2.0 * first * now - before
        sums.append(feature_sum(now, mask))
    return ops.concatenate(sums, axis=-1)


def palette_loss(cosines: Tensor, target: Tensor) -> Tensor:
    """Return the relative energy distance of two distributions of colours, `[...]`.

    Args:
        cosines: float32 `[..., 24]`, the means of what `cosine_sums` sums.
        target: The same of the style.
    """
    mine, theirs = _channels(cosines), _channels(target)
    parts = _PARTS[:, None]
    gap = ops.sum(parts * ops.square(mine - theirs), axis=(-2, -1))
    # The variance of cos(pi k x) is (1 + mean of cos(2 pi k x)) / 2 - mean^2.
    half, twice = theirs[..., : HARMONICS // 2, :], theirs[..., 1::2, :]
    variance = ops.maximum(0.5 * (1.0 + twice) - ops.square(half), 0.0)
    spread = ops.sum(parts[: HARMONICS // 2] * variance, axis=(-2, -1))
    return gap / (spread + 3.0 * _REST)


def _channels(cosines: Tensor) -> Tensor:
    """Return `[..., 24]` as `[..., 8, 3]`."""
    return ops.reshape(cosines, (*cosines.shape[:-1], HARMONICS, 3))


class Palette(StyleStatistic):
    """The distributions of red, green and blue."""

    kinds = ("cosines",)

    def sums(self, maps: Tensor, mask: Tensor | None) -> dict[str, Tensor]:
        """Return the sums of cosines."""
        return {"cosines": cosine_sums(maps, mask)}

    def gap(self, moments: dict[str, Tensor], style: dict[str, Tensor]) -> Tensor:
        """Return the relative energy distance."""
        return palette_loss(moments["cosines"], style["cosines"])
