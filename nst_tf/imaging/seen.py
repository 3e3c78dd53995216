"""How large a style encoder sees a painting."""

import numpy as np

from nst_tf.imaging.resize import resize
from nst_tf.settings.checks import MIN_SIDE, InputError

SIDE = 304
"""Short side in pixels."""
ENOUGH = 2 * SIDE
"""Short side that a painting needs in its file to be seen so; see `load_image`."""
_MULTIPLE = 4
"""What both sides are multiples of, as those of files for browsers must be."""
_LONGEST = 4
"""Longest side over the shortest: what is beyond adds no more to means."""


def seen(painting: np.ndarray) -> np.ndarray:
    """Return what an encoder sees of a painting, float32 `[1, H, W, 3]`.

    Args:
        painting: float32 `[H', W', 3]`, RGB 0..1.

    Raises:
        InputError: It is too small.
    """
    height, width = painting.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise InputError(
            f"the painting has {width}x{height} pixels; each side needs {MIN_SIDE}"
        )
    scale = SIDE / min(height, width) / _MULTIPLE
    sides = [
        min(_LONGEST * SIDE, _MULTIPLE * round(scale * side))
        for side in (width, height)
    ]
    small: np.ndarray = resize(painting, *sides, gap=3.0)[None].astype("float32")
    return small
