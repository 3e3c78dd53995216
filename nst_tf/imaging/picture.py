"""A decoded picture and its alpha channel."""

from typing import NamedTuple

import numpy as np

from nst_tf.imaging.resize import reduce


class Picture(NamedTuple):
    """A decoded image file.

    Attributes:
        pixels: float32 `[H, W, 3]`, RGB 0..1 in sRGB; white where fully transparent.
        alpha: float32 `[H, W]` in 0..1, or None when the file has none.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None


def reduced(picture: Picture, size: int) -> Picture:
    """Return a picture with a long side of at most `size` pixels; enlarge never."""
    pixels, alpha = picture
    return Picture(
        reduce(pixels, size), alpha if alpha is None else reduce(alpha, size)
    )
