"""Where a film cuts from one scene to another.

Two things must change at once: what colours there are, and where it is light. A change
of exposure keeps the second, a fast pan the first.
"""

from collections.abc import Mapping

import numpy as np

_STEP = 8
"""Every so many pixels one is looked at."""
_BINS = 6
"""Levels of red, green and blue in the histogram."""
_ROWS, _COLUMNS = 9, 16
"""Fields that brightness is compared in."""
_COLORS = 0.3
"""Share of pixels that must have changed colour."""
_ALIKE = 0.5
"""Correlation of brightness above which a scene is the same."""
_DARK = 0.05
"""Brightness that is added before ratios are taken."""


class CutDetector:
    """Tells at every frame whether a scene begins with it; the first begins one.

    Attributes:
        exposure: Logarithm of how much brighter the last frame was than the one before,
            as far as three quarters of the fields agree, so that what moves does not
            count; 0 at a cut.
    """

    def __init__(self) -> None:
        self.exposure = 0.0
        self._last: tuple[np.ndarray, np.ndarray] | None = None

    def __call__(self, pixels: np.ndarray) -> bool:
        """Look at the next frame, float32 `[H, W, 3]`, RGB 0..1."""
        last, self._last = self._last, _look(pixels)
        self.exposure = 0.0
        if last is None or last[1].shape != self._last[1].shape:
            return True
        changed = 0.5 * float(np.abs(last[0] - self._last[0]).sum())
        if changed > _COLORS and _correlation(last[1], self._last[1]) < _ALIKE:
            return True
        changes = np.sort(np.log((self._last[1] + _DARK) / (last[1] + _DARK)).ravel())
        quarter = len(changes) // 4
        least, most = changes[quarter], changes[-1 - quarter]
        self.exposure = float(max(least, 0.0) + min(most, 0.0))
        return False

    def state(self) -> dict[str, np.ndarray]:
        """Return what the next answer depends on."""
        if self._last is None:
            return {}
        return {"cut_colors": self._last[0], "cut_light": self._last[1]}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `state` returned."""
        self._last = None
        if "cut_colors" in state:
            self._last = state["cut_colors"], state["cut_light"]


def _look(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a histogram with sum 1, and the brightness of fields."""
    few = pixels[:: min(_STEP, len(pixels)), :: min(_STEP, pixels.shape[1])]
    if min(few.shape[:2]) < _ROWS:
        few = pixels
    levels = np.minimum((few * _BINS).astype("int64"), _BINS - 1)
    index = (levels[..., 0] * _BINS + levels[..., 1]) * _BINS + levels[..., 2]
    colors = np.bincount(index.ravel(), minlength=_BINS**3) / index.size
    light = few.mean(axis=-1)
    return colors, _field_means(light)


def _field_means(light: np.ndarray) -> np.ndarray:
    """Return the means of `[H, W]` over fields, as even as may be."""
    for axis, count in enumerate((_ROWS, _COLUMNS)):
        length = light.shape[axis]
        fields = min(count, length)
        each, longer = divmod(length, fields)  # The first ones are longer by one.
        lengths = each + (np.arange(fields) < longer)
        starts = np.cumsum(lengths) - lengths
        sums = np.add.reduceat(light, starts, axis=axis)
        light = sums / (lengths[:, None] if axis == 0 else lengths)
    return light


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / scale if scale > 1e-6 else 0.0
