"""A decoded picture and its alpha channel."""

from typing import NamedTuple

import numpy as np


class Picture(NamedTuple):
    """A decoded image file.

    Attributes:
        pixels: float32 `[H, W, 3]`, RGB 0..1 in sRGB; white where fully transparent.
        alpha: float32 `[H, W]` in 0..1, or None when the file has none.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None
