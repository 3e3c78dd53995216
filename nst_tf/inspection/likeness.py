"""How alike two pictures are, as eyes see it.

Reference:
    Wang et al. 2004, https://doi.org/10.1109/TIP.2003.819861
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

_SIDE, _DEVIATION = 11, 1.5
"""Side of the window in pixels, and the deviation of its Gaussian weights."""
_SMALL = 0.01**2, 0.03**2
"""What keeps the two ratios finite where pictures are even, for values of 0..1."""


def ssim(one: np.ndarray, other: np.ndarray) -> float:
    """Return the structural similarity of two pictures: 1 if they are equal.

    Args:
        one: float `[H, W, 3]`, RGB 0..1, both sides at least 11.
        other: Of the same shape.

    Example:
        >>> ssim(picture, picture)
        1.0
    """
    x, y = (np.asarray(picture, "float64") for picture in (one, other))
    x_mean, y_mean = _blurred(x), _blurred(y)
    both = x_mean * y_mean
    squares = x_mean**2 + y_mean**2
    covariance = _blurred(x * y) - both
    variances = _blurred(x * x + y * y) - squares
    light = (2.0 * both + _SMALL[0]) / (squares + _SMALL[0])
    structure = (2.0 * covariance + _SMALL[1]) / (variances + _SMALL[1])
    return float(np.mean(light * structure))


def _blurred(values: np.ndarray) -> np.ndarray:
    """Return the means `[H - 10, W - 10, C]` under the window."""
    places = np.arange(_SIDE) - _SIDE // 2
    weights = np.exp(-0.5 * (places / _DEVIATION) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        values = sliding_window_view(values, _SIDE, axis=axis) @ weights
    return values
