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

from nst_tf.imaging.palette import find_colors, hex_name, is_among, nearest
from nst_tf.imaging.resize import resize_nearest, size_of
from nst_tf.settings.checks import InputError

_ASPECT = 0.02
"""Relative difference of aspect ratios that rounding of sizes explains."""


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
        plane = _plane(f"mask {index + 1}", mask, "photograph", content)
        planes.append(resize_nearest(plane, width, height))
    parts: list[np.ndarray | None] = [None] * count
    for index, mask in enumerate(painting_masks):
        plane = _plane(f"style mask {index + 1}", mask, "painting", paintings[index])
        parts[index] = (plane[..., None] * np.eye(count)[index]).astype("float32")
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
    _check_aspect("the map", size_of(photo_map), "photograph", content)
    for index, one in enumerate(painting_maps):
        name = f"style map {index + 1}"
        _check_aspect(name, size_of(one), "painting", paintings[index])
    colors = find_colors("the map", photo_map)
    palettes = [
        find_colors(f"style map {index + 1}", one)
        for index, one in enumerate(painting_maps)
    ]
    has = _matches(colors, palettes)
    blend = has * numbers[:, None]
    if not (blend.sum(axis=0) > 0).all():
        raise InputError("a region is left without a style: all its shares are 0")
    parts = []
    for one, palette in zip(painting_maps, palettes, strict=True):
        # Colours that only the painting has belong to no region.
        every = [*colors, *(color for color in palette if not is_among(color, colors))]
        parts.append(nearest(one, np.array(every))[..., : len(colors)])
    return Regions(
        (blend / blend.sum(axis=0)).astype("float32"),
        np.ones(len(colors), "float32"),
        nearest(photo_map, colors),
        tuple(parts),
    )


def _matches(colors: np.ndarray, palettes: Sequence[np.ndarray]) -> np.ndarray:
    """Return which painting has which colour of the photograph's map, `[K, R]`."""
    has = np.array([[is_among(c, palette) for c in colors] for palette in palettes])
    missing = [hex_name(colors[k]) for k in np.flatnonzero(~has.any(axis=0))]
    if missing:
        there = sorted({hex_name(color) for palette in palettes for color in palette})
        raise InputError(
            f"the map has colours that no style map has: {', '.join(missing)}; there"
            f" are {', '.join(there)}"
        )
    return has


def _numbers(count: int, shares: Sequence[float] | None) -> np.ndarray:
    if shares is not None and len(shares) != count:
        raise InputError(
            f"give one style share a painting: there are {count} paintings and"
            f" {len(shares)} shares"
        )
    return np.array(shares or [1.0] * count, "float32")


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


def _plane(
    name: str, mask: np.ndarray, what: str, other: tuple[int, int]
) -> np.ndarray:
    """Return a mask as `[H, W]`, if it fits its picture and is not black."""
    _check_aspect(name, size_of(mask), what, other)
    plane: np.ndarray = mask if mask.ndim == 2 else mask.mean(axis=-1)
    if plane.max() < 0.5:
        raise InputError(f"{name} has no pixel in its region: it is black throughout")
    return plane
