"""Optical flow between frames, and where it can be trusted.

References:
    Kroeger et al. 2016 (DIS), https://arxiv.org/abs/1603.03590
    Sundaram et al. 2010 (forward-backward), https://doi.org/10.1007/978-3-642-15549-9_32
"""

from typing import Any, NamedTuple

import numpy as np

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
    import cv2

    dark, light = _grey(before), _grey(after)
    back, forth = _dis(light, dark), _dis(dark, light)
    there = warp(forth, back)
    gap = channel_sum(np.square(back + there))
    length = channel_sum(np.square(back) + np.square(there))
    # Found at half of the size, the flow is in pixels twice as large.
    size = dark.shape[1], dark.shape[0]
    larger = dark.size / gap.size
    trust = (gap < 0.01 * length + 0.5 / larger).astype("float32") * inside(back)
    if back.shape[:2] != dark.shape:
        factors = size[0] / back.shape[1], size[1] / back.shape[0]
        back = cv2.resize(back, size) * np.asarray(factors, "float32")
        trust = cv2.resize(trust, size)
    changed = channel_mean(cv2.absdiff(warp(before, back), after))
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


def channel_sum(values: np.ndarray) -> np.ndarray:
    """Return a sum over the last axis, a short one: ten times as fast as numpy's.

    Args:
        values: float32 `[H, W, C]`.
    """
    import cv2

    found: np.ndarray = cv2.transform(values, np.ones((1, values.shape[-1]), "float32"))
    return found


def channel_mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over the last axis, see `channel_sum`."""
    return channel_sum(values) / np.float32(values.shape[-1])


def on_channels(values: np.ndarray) -> np.ndarray:
    """Return `[H, W]` as `[H, W, 3]`: numpy takes ten times as long to spread it."""
    import cv2

    found: np.ndarray = cv2.merge([values] * 3)
    return found


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

    whole = cv2.convertScaleAbs(frame, alpha=255.0)
    found: np.ndarray = cv2.cvtColor(whole, cv2.COLOR_RGB2GRAY)
    return found


def _dis(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return where the pixels of the first lie in the second, `[H, W, 2]`.

    Of large frames at half of their size.
    """
    import cv2

    make: Any = getattr(cv2, "DISOpticalFlow_create")  # noqa: B009 # Not in its stubs.
    dis = make(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    height, width = first.shape
    if height * width > _HALF:
        half = (width // 2, height // 2)
        first, second = (
            cv2.resize(x, half, interpolation=cv2.INTER_AREA) for x in (first, second)
        )
    found: np.ndarray = dis.calc(first, second, None)
    return found


def _shrunk(trust: np.ndarray) -> np.ndarray:
    """Trust no pixel beside one that is not trusted: edges of motion are blurred."""
    import cv2

    least = cv2.erode(trust, np.ones((3, 3), "uint8"))
    found: np.ndarray = cv2.blur(least, (3, 3)) * (least > 0)
    return found
