"""What viewers take for faults, as numbers."""

from typing import NamedTuple

import numpy as np

_EDGE = 8
"""Pixels from the border that count as border."""
_BLOCK = 16
"""Side of the squares that are judged dead or alive."""
AREA, _SMOOTH = 32, 3 / 255
"""Side of the squares that are smooth or not, and the deviation below which. Pictures
need one."""


class Artefacts(NamedTuple):
    """What viewers take for faults, as numbers that 0 or 1 is best for.

    Attributes:
        border: Mean change between neighbours within 8 pixels of the border, over that
            of the photograph there, relative to the same ratio inside. 1: no frame.
        checkerboard: Energy at the frequencies of the two strides (periods of 2 and 4
            pixels), over that of the frequencies beside them. About 1: no pattern.
        saturated: Fraction of pixels with every channel at 0 or 255.
        dead: Fraction of 16x16 squares without texture where the photograph has some.
        blotch: Fraction of the picture that is smooth over 32 pixels where the
            photograph is not, beyond what the painting has of such parts.
    """

    border: float
    checkerboard: float
    saturated: float
    dead: float
    blotch: float


def measure_artefacts(
    picture: np.ndarray, photo: np.ndarray, painting: np.ndarray
) -> Artefacts:
    """Measure a stylised picture against its photograph and the painting.

    Args:
        picture: float32 `[H, W, 3]`, RGB 0..1.
        photo: Of the same shape.
        painting: float32 `[H', W', 3]`.
    """
    grey, plain = picture.mean(axis=-1), photo.mean(axis=-1)
    saturated = ((picture < 0.5 / 255) | (picture > 254.5 / 255)).all(axis=-1)
    return Artefacts(
        _border(grey) / max(_border(plain), 1e-6),
        _checkerboard(grey),
        float(saturated.mean()),
        float(((_spread(grey) < 1 / 255) & (_spread(plain) > 2 / 255)).mean()),
        _blotch(grey, plain, painting.mean(axis=-1)),
    )


def _blotch(grey: np.ndarray, plain: np.ndarray, painted: np.ndarray) -> float:
    """Return how much is smooth that is so neither in photograph nor painting."""
    smooth, usual = (_spread(x, AREA) < _SMOOTH for x in (grey, painted))
    here = smooth & (_spread(plain, AREA) > 2 * _SMOOTH)
    # A painting of less than a square has none that is smooth.
    return max(0.0, float(here.mean() - (usual.mean() if usual.size else 0.0)))


def _border(grey: np.ndarray) -> float:
    """Return the mean change near the border over that inside."""
    change = np.abs(np.diff(grey, axis=0))[:, 1:] + np.abs(np.diff(grey, axis=1))[1:]
    inside = np.zeros(change.shape, bool)
    inside[_EDGE:-_EDGE, _EDGE:-_EDGE] = True
    return float(change[~inside].mean() / max(change[inside].mean(), 1e-6))


def _checkerboard(grey: np.ndarray) -> float:
    """Return the energy on the stride frequencies' lines over that beside them."""
    height, width = (side // 8 * 8 for side in grey.shape)
    patch = grey[:height, :width] - grey[:height, :width].mean()
    window = np.hanning(height)[:, None] * np.hanning(width)[None]
    power = np.abs(np.fft.fft2(patch * window)) ** 2
    ratios = []
    for axis, side in enumerate((height, width)):
        line = power.sum(axis=1 - axis)
        for bin_ in (side // 2, side // 4):
            near = [line[(bin_ + k) % side] for k in (-6, -5, -4, 4, 5, 6)]
            ratios.append(float(line[bin_] / max(np.mean(near), 1e-12)))
    return max(ratios)


def _spread(grey: np.ndarray, side: int = _BLOCK) -> np.ndarray:
    """Return the standard deviation of every square."""
    rows, columns = (length // side for length in grey.shape)
    squares = grey[: rows * side, : columns * side]
    squares = squares.reshape(rows, side, columns, side)
    spread: np.ndarray = squares.std(axis=(1, 3))
    return spread
