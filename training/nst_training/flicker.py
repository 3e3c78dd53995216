"""How much the pictures of a film flicker, from one photograph."""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Paint = Callable[[np.ndarray], np.ndarray]
"""Makes the picture of a photograph, both float32 `[H, W, 3]`, RGB 0..1."""
_SHIFT = 3
"""Pixels a frame that the camera pans."""
_FRAMES = 4
_EDGE = 8
"""Pixels along the border that are not compared: there new things come in."""
_NOISE = 2.0 / 255.0
"""Deviation of a camera's noise."""


class Flicker(NamedTuple):
    """Mean absolute change between frames, over the contrast of the picture.

    Attributes:
        pan: While the camera moves 3 pixels a frame, that movement undone.
        still: While nothing moves but a noise of 2/255.
    """

    pan: float
    still: float


def measure_flicker(paint: Paint, photo: np.ndarray) -> Flicker:
    """Paint a few frames made of a photograph, and compare them.

    Args:
        paint: What paints a frame.
        photo: float32 `[H, W, 3]`, RGB 0..1, at least 64 pixels wide and high.
    """
    width = photo.shape[1] - _SHIFT * (_FRAMES - 1)
    frames = [
        paint(np.ascontiguousarray(photo[:, start : start + width]))
        for start in range(0, _SHIFT * _FRAMES, _SHIFT)
    ]
    pan = [
        _change(before[:, _SHIFT:], after[:, :-_SHIFT])
        for before, after in itertools.pairwise(frames)
    ]
    noise = np.random.default_rng(0)
    noisy = [
        paint(
            np.clip(photo + noise.normal(0.0, _NOISE, photo.shape), 0.0, 1.0).astype(
                "float32"
            )
        )
        for _ in range(2)
    ]
    return Flicker(float(np.mean(pan)), _change(*noisy))


def _change(before: np.ndarray, after: np.ndarray) -> float:
    inner = np.s_[_EDGE:-_EDGE, _EDGE:-_EDGE]
    before, after = before[inner], after[inner]
    return float(np.abs(after - before).mean() / max(before.std(), 1e-6))
