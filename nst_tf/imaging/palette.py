"""Maps in which a flat colour stands for a region, as in semantic doodles.

Reference:
    Champandard 2016 (maps, doodles), https://arxiv.org/abs/1603.01768
"""

import numpy as np

from nst_tf.settings.checks import InputError

_NEAR = 40 / 255
"""Greatest difference of a channel within which two colours of maps are one."""
_RARE = 1e-3
"""Part of a map below which a colour is the blur between two others."""
_MOST = 32
"""Colours beyond which a picture is no map."""


def find_colors(name: str, image: np.ndarray) -> np.ndarray:
    """Return the colours of a map, float `[N, 3]`, the most frequent first.

    Args:
        name: What messages call it.
        image: `[H, W, 3]`, 0..1.

    Raises:
        InputError: It has too many colours to be a map.
    """
    colors, counts = np.unique(
        np.round(255 * image.reshape(-1, 3)), axis=0, return_counts=True
    )
    found: list[np.ndarray] = []
    for index in np.argsort(-counts, kind="stable"):
        if counts[index] < max(1, _RARE * counts.sum()):
            break
        color = colors[index] / 255
        if not found or not is_among(color, np.array(found)):
            found.append(color)
        if len(found) > _MOST:
            break
    if not 0 < len(found) <= _MOST:
        raise InputError(
            f"{name} is no map of flat colours: each region needs one colour, and"
            f" {_MOST} are the most"
        )
    return np.array(found)


def is_among(color: np.ndarray, colors: np.ndarray) -> bool:
    """Tell whether a colour is, but for blur and rounding, one of `[N, 3]`."""
    return bool(np.abs(colors - color).max(axis=-1).min() < _NEAR)


def nearest(image: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Return where each colour is the nearest one, float32 `[H, W, N]`, 0 or 1."""
    gaps = np.stack([np.abs(image - c).sum(axis=-1) for c in colors], axis=-1)
    closest = gaps.argmin(axis=-1)[..., None]
    return (closest == np.arange(len(colors))).astype("float32")


def hex_name(color: np.ndarray) -> str:
    """Return a colour as `#rrggbb`."""
    return "#" + "".join(f"{round(255 * float(part)):02x}" for part in color)
