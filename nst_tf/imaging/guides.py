"""Which part of a photograph is painted like which part of which painting.

Two forms: grey masks with soft edges, one a painting, and maps in which a colour stands
for a region in the photograph and in the paintings, as in semantic doodles.

References:
    Gatys et al. 2017 (guided Gram matrices), https://arxiv.org/abs/1611.07865
    Champandard 2016 (maps, doodles), https://arxiv.org/abs/1603.01768
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nst_tf.settings.checks import InputError

_ASPECT = 0.02
"""Relative difference of aspect ratios that rounding of sizes explains."""
_NEAR = 40 / 255
"""Greatest difference of a channel within which two colours of maps are one."""
_RARE = 1e-3
"""Part of a map below which a colour is the blur between two others."""
_MOST = 32
"""Colours beyond which a picture is no map."""


class Regions(NamedTuple):
    """What of K paintings goes where, R regions.

    Attributes:
        shares: float32 `[K, R]`; the share of each painting in the style of a region.
        factors: float32 `[R]`; factor of the style term of a region.
        masks: float32 `[H, W, R]`, 0..1, the regions of the photograph; None for one
            region that is all of it. What no region covers stays the photograph.
        paintings: float32 `[H', W', R]` of each painting; None for all of it.
    """

    shares: np.ndarray
    factors: np.ndarray
    masks: np.ndarray | None
    paintings: tuple[np.ndarray | None, ...]

    @property
    def cover(self) -> np.ndarray | None:
        """How much of each pixel may change, float32 `[H, W]`; None for all of all."""
        if self.masks is None:
            return None
        total = self.masks[..., self.factors > 0].sum(axis=-1)
        cover = np.clip(total, 0.0, 1.0).astype("float32")
        return None if (cover > 0.999).all() else cover

    @property
    def weights(self) -> np.ndarray | None:
        """Factor of each region's style term, `[R]`.

        Its part of the picture times its factor, so that a pixel is drawn as strongly
        as without masks.
        """
        if self.masks is None:
            return None
        weights: np.ndarray = self.masks.mean(axis=(0, 1)) * self.factors
        return weights.astype("float32")


def everywhere(count: int, shares: Sequence[float] | None = None) -> Regions:
    """Return one region with a blend of `count` paintings.

    Raises:
        InputError: Another number of shares.
    """
    numbers = _numbers(count, shares)
    blend = (numbers / numbers.sum()).astype("float32")[:, None]
    return Regions(blend, np.ones(1, "float32"), None, (None,) * count)


def from_masks(
    content: tuple[int, int],
    paintings: Sequence[tuple[int, int]],
    masks: Sequence[np.ndarray],
    painting_masks: Sequence[np.ndarray] = (),
    shares: Sequence[float] | None = None,
) -> Regions:
    """Return a region for every painting.

    Args:
        content: Width and height of the photograph.
        paintings: Width and height of every painting.
        masks: `[H, W]` or `[H, W, 3]`, 0..1, one a painting: where it goes.
        painting_masks: The same: which part of it; without them all of it.
        shares: Factor of every region; 0 leaves the photograph.

    Raises:
        InputError: Another number of masks, one of another shape or without a pixel.
    """
    count = len(paintings)
    numbers = _numbers(count, shares)
    for name, given in (("mask", masks), ("style mask", painting_masks)):
        if len(given) != count and (given or name == "mask"):
            raise InputError(
                f"give one {name} a painting: there are {count} paintings and"
                f" {len(given)} {name}s"
            )
    height, width = max((mask.shape[:2] for mask in masks), key=max)
    planes = []
    for index, mask in enumerate(masks):
        name = f"mask {index + 1}"
        _check_aspect(name, _size(mask), "photograph", content)
        planes.append(_enlarged(_grey(mask), height, width))
        _check_pixels(name, planes[-1])
    parts: list[np.ndarray | None] = [None] * count
    for index, mask in enumerate(painting_masks):
        name = f"style mask {index + 1}"
        _check_aspect(name, _size(mask), "painting", paintings[index])
        plane = np.zeros((*mask.shape[:2], count), "float32")
        plane[..., index] = _grey(mask)
        _check_pixels(name, plane)
        parts[index] = plane
    stack = np.stack(planes, axis=-1)
    # Where masks overlap they share the pixel.
    stack = stack / np.maximum(stack.sum(axis=-1, keepdims=True), 1.0)
    return Regions(np.eye(count, dtype="float32"), numbers, stack, tuple(parts))


def from_maps(
    content: tuple[int, int],
    paintings: Sequence[tuple[int, int]],
    photo_map: np.ndarray,
    painting_maps: Sequence[np.ndarray],
    shares: Sequence[float] | None = None,
) -> Regions:
    """Return a region for every colour of the photograph's map.

    Args:
        content: Width and height of the photograph.
        paintings: Width and height of every painting.
        photo_map: `[H, W, 3]`, 0..1, flat colours.
        painting_maps: The same of every painting.
        shares: Share of every painting where several have a region's colour.

    Raises:
        InputError: Another number of maps, one of another shape, too many colours, or
            a colour that no painting's map has.
    """
    count = len(paintings)
    numbers = _numbers(count, shares)
    if len(painting_maps) != count:
        raise InputError(
            f"give one style map a painting: there are {count} paintings and"
            f" {len(painting_maps)} style maps"
        )
    _check_aspect("the map", _size(photo_map), "photograph", content)
    for index, one in enumerate(painting_maps):
        name = f"style map {index + 1}"
        _check_aspect(name, _size(one), "painting", paintings[index])
    colors = _palette("the map", photo_map)
    palettes = [
        _palette(f"style map {index + 1}", one)
        for index, one in enumerate(painting_maps)
    ]
    has = np.array(
        [[_gaps(color, p).min() < _NEAR for color in colors] for p in palettes]
    )
    missing = [_name(colors[k]) for k in np.flatnonzero(~has.any(axis=0))]
    if missing:
        there = sorted({_name(color) for palette in palettes for color in palette})
        raise InputError(
            f"the map has colours that no style map has: {', '.join(missing)}; there"
            f" are {', '.join(there)}"
        )
    blend = has * numbers[:, None]
    if not (blend.sum(axis=0) > 0).all():
        raise InputError("a region is left without a style: all its shares are 0")
    parts = []
    for one, palette in zip(painting_maps, palettes, strict=True):
        # Colours that only the painting has belong to no region.
        every = [*colors, *(c for c in palette if _gaps(c, colors).min() >= _NEAR)]
        parts.append(_planes(one, np.array(every))[..., : len(colors)])
    return Regions(
        (blend / blend.sum(axis=0)).astype("float32"),
        np.ones(len(colors), "float32"),
        _planes(photo_map, colors),
        tuple(parts),
    )


def _numbers(count: int, shares: Sequence[float] | None) -> np.ndarray:
    if shares is not None and len(shares) != count:
        raise InputError(
            f"give one style share a painting: there are {count} paintings and"
            f" {len(shares)} shares"
        )
    return np.array(shares or [1.0] * count, "float32")


def _size(image: np.ndarray) -> tuple[int, int]:
    return image.shape[1], image.shape[0]


def _check_aspect(
    name: str, size: tuple[int, int], what: str, other: tuple[int, int]
) -> None:
    width, height = size
    if abs(width * other[1] / (height * other[0]) - 1) > max(
        _ASPECT, 1 / min(*size, *other)
    ):
        raise InputError(
            f"{name} has {width}x{height} pixels, which is not the shape of its {what}"
            f" with {other[0]}x{other[1]}"
        )


def _check_pixels(name: str, mask: np.ndarray) -> None:
    if mask.max() < 0.5:
        raise InputError(f"{name} has no pixel in its region: it is black throughout")


def _grey(mask: np.ndarray) -> np.ndarray:
    return mask if mask.ndim == 2 else mask.mean(axis=-1)


def _enlarged(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bring a mask to the largest one's size, by its nearest pixels."""
    rows = np.arange(height) * mask.shape[0] // height
    columns = np.arange(width) * mask.shape[1] // width
    result: np.ndarray = mask[rows][:, columns]
    return result


def _palette(name: str, image: np.ndarray) -> np.ndarray:
    """Return the colours of a map `[N, 3]`, the most frequent first."""
    colors, counts = np.unique(
        np.round(255 * image.reshape(-1, 3)), axis=0, return_counts=True
    )
    found: list[np.ndarray] = []
    for index in np.argsort(-counts, kind="stable"):
        if counts[index] < max(1, _RARE * counts.sum()):
            break
        color = colors[index] / 255
        if not found or _gaps(color, np.array(found)).min() >= _NEAR:
            found.append(color)
        if len(found) > _MOST:
            break
    if not 0 < len(found) <= _MOST:
        raise InputError(
            f"{name} is no map of flat colours: each region needs one colour, and"
            f" {_MOST} are the most"
        )
    return np.array(found)


def _gaps(color: np.ndarray, colors: np.ndarray) -> np.ndarray:
    gaps: np.ndarray = np.abs(colors - color).max(axis=-1)
    return gaps


def _planes(image: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Return where each colour is the nearest one, float32 `[H, W, N]`, 0 or 1."""
    gaps = np.stack([np.abs(image - c).sum(axis=-1) for c in colors], axis=-1)
    nearest = gaps.argmin(axis=-1)[..., None]
    return (nearest == np.arange(len(colors))).astype("float32")


def _name(color: np.ndarray) -> str:
    return "#" + "".join(f"{round(255 * float(part)):02x}" for part in color)
