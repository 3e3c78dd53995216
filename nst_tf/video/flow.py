"""Optical flow between frames, and where it can be trusted.

References:
    Kroeger et al. 2016 (DIS), https://arxiv.org/abs/1603.03590
    Sundaram et al. 2010 (forward-backward), https://doi.org/10.1007/978-3-642-15549-9_32
"""

from typing import Any, NamedTuple

import numpy as np

from nst_tf.imaging.write import to_bytes

_HALF = 256 * 256
"""Pixels above which flow is found at half of the size."""
_CHANGED = 0.12
"""Difference of colour, 0..1, above which a pixel is not the one that it was."""


class Motion(NamedTuple):
    """How the pixels of a frame lay in an earlier one.

    Attributes:
        flow: float32 `[H, W, 2]`, from each pixel to where it was: x and y in pixels.
        trust: float32 `[H, W]`, 0..1: 0 where it was hidden, outside or unknown.
    """

    flow: np.ndarray
    trust: np.ndarray


def find_motion(before: np.ndarray, after: np.ndarray) -> Motion:
    """Return the motion from a frame to an earlier one, float32 `[H, W, 3]` both."""
    dark, light = _grey(before), _grey(after)
    back, forth = _dis(light, dark), _dis(dark, light)
    there = warp(forth, back)
    gap = channel_sum(back + there, np.square)
    length = channel_sum(back, np.square) + channel_sum(there, np.square)
    trust = (gap < 0.01 * length + 0.5).astype("float32") * inside(back)
    changed = channel_mean(warp(before, back) - after, np.abs)
    trust *= np.clip(2.0 - changed / _CHANGED, 0.0, 1.0)
    return Motion(back, _shrunk(trust))


def warp(picture: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Return an earlier picture as its pixels lie now.

    Args:
        picture: float32 `[H, W, C]`.
        flow: float32 `[H, W, 2]`, from each pixel to where it was.
    """
    import cv2

    x, y = _moved(flow)
    found: np.ndarray = cv2.remap(
        picture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return found


def inside(flow: np.ndarray) -> np.ndarray:
    """Return 1 where pixels were inside the picture, else 0, float32 `[H, W]`."""
    height, width = flow.shape[:2]
    x, y = _moved(flow)
    kept = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    found: np.ndarray = kept.astype("float32")
    return found


def channel_sum(values: np.ndarray, of: np.ufunc) -> np.ndarray:
    """Return a sum over the last axis, a short one: ten times as fast as numpy's.

    Args:
        values: float32 `[H, W, C]`.
        of: What is summed of each value, as `np.square`.
    """
    import cv2

    first, *others = cv2.split(values)
    of(first, out=first)
    for plane in others:
        first += of(plane, out=plane)
    return first


def channel_mean(values: np.ndarray, of: np.ufunc) -> np.ndarray:
    """Return the mean over the last axis, see `channel_sum`."""
    return channel_sum(values, of) / np.float32(values.shape[-1])


def _moved(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where pixels were, columns and rows, float32 `[H, W]` each."""
    import cv2

    height, width = flow.shape[:2]
    x, y = cv2.split(flow)
    x += np.arange(width, dtype="float32")
    y += np.arange(height, dtype="float32")[:, None]
    return x, y


def _grey(frame: np.ndarray) -> np.ndarray:
    import cv2

    found: np.ndarray = cv2.cvtColor(to_bytes(frame), cv2.COLOR_RGB2GRAY)
    return found


def _dis(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return where the pixels of the first lie in the second, `[H, W, 2]`."""
    import cv2

    make: Any = getattr(cv2, "DISOpticalFlow_create")  # noqa: B009 # Not in its stubs.
    dis = make(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    height, width = first.shape
    if height * width <= _HALF:
        small: np.ndarray = dis.calc(first, second, None)
        return small
    half = (width // 2, height // 2)
    pair = [cv2.resize(x, half, interpolation=cv2.INTER_AREA) for x in (first, second)]
    found = cv2.resize(dis.calc(*pair, None), (width, height))
    for axis, factor in enumerate((width / half[0], height / half[1])):
        found[..., axis] *= np.float32(factor)
    return found


def _shrunk(trust: np.ndarray) -> np.ndarray:
    """Trust no pixel beside one that is not trusted: edges of motion are blurred."""
    import cv2

    least = cv2.erode(trust, np.ones((3, 3), "uint8"))
    found: np.ndarray = cv2.blur(least, (3, 3)) * (least > 0)
    return found
