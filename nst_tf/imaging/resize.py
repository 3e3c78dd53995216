"""Sizes with a picture's proportions, and resizing in float."""

import math
from collections import deque

import numpy as np
from PIL import Image

from nst_tf.imaging.picture import Picture
from nst_tf.settings.optimize import Resample, Side

_SMALL, _LARGE = 2**18, 2**23
"""Pixels from which it takes longer to resize a channel than to begin a thread, and
from which all channels at once would fill the memory."""


def size_of(image: np.ndarray) -> tuple[int, int]:
    """Return width and height of `[H, W, ...]`."""
    return image.shape[1], image.shape[0]


def fit(width: int, height: int, size: int, side: Side) -> tuple[int, int]:
    """Return width and height with `size` pixels on the long or the short side."""
    ratio = size / _length(width, height, side)
    return max(1, round(width * ratio)), max(1, round(height * ratio))


def fit_within(
    width: int, height: int, size: int, side: Side = "long"
) -> tuple[int, int]:
    """Return width and height with at most `size` pixels on a side; enlarge never."""
    return fit(width, height, min(size, _length(width, height, side)), side)


def resize(
    pixels: np.ndarray,
    width: int,
    height: int,
    *,
    resample: Resample = "lanczos",
    gap: float | None = None,
    clip: bool = True,
) -> np.ndarray:
    """Resize float32 `[H, W, 3]` or `[H, W]` in float, without rounding to 8 bits.

    Args:
        pixels: The image.
        width: Pixels of the result.
        height: Pixels of the result.
        resample: Antialiased filter.
        gap: Average whole blocks of pixels before, as long as this many times the
            result's size is left: from 3 on it can hardly be told.
        clip: Keep values within 0..1, which the filter overshoots.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    method = Image.Resampling[resample.upper()]
    planes = pixels[..., None] if pixels.ndim == 2 else pixels
    result = np.empty((height, width, planes.shape[-1]), "float32")

    def fill(channel: int) -> None:
        image = Image.fromarray(planes[..., channel])
        image = image.resize((width, height), method, reducing_gap=gap)
        plane = result[..., channel]
        plane[:] = image
        if clip:
            np.clip(plane, 0.0, 1.0, out=plane)

    channels = range(planes.shape[-1])
    if _SMALL < max(height * width, math.prod(pixels.shape[:2])) < _LARGE:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(len(channels)) as threads:
            deque(threads.map(fill, channels), maxlen=0)
    else:
        for channel in channels:
            fill(channel)
    return result[..., 0] if pixels.ndim == 2 else result


def resize_nearest(plane: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize `[H, W]` by the nearest values, so that no other ones come up."""
    rows = np.arange(height) * plane.shape[0] // height
    columns = np.arange(width) * plane.shape[1] // width
    resized: np.ndarray = plane[rows][:, columns]
    return resized


def resize_to(pixels: np.ndarray, size: int) -> np.ndarray:
    """Bring the long side of `[H, W, 3]` or `[H, W]` to `size` pixels."""
    height, width = pixels.shape[:2]
    return resize(pixels, *fit(width, height, size, "long"))


def reduce(pixels: np.ndarray, size: int) -> np.ndarray:
    """Bring the long side to at most `size` pixels; enlarge never."""
    height, width = pixels.shape[:2]
    return resize(pixels, *fit_within(width, height, size))


def _length(width: int, height: int, side: Side) -> int:
    return max(width, height) if side == "long" else min(width, height)


def reduced(picture: Picture, size: int) -> Picture:
    """Return a picture with a long side of at most `size` pixels; enlarge never."""
    pixels, alpha = picture
    return Picture(
        reduce(pixels, size), alpha if alpha is None else reduce(alpha, size)
    )
