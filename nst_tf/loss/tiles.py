"""Exact tiles: the crop of a picture that gives a tile's features, and no other.

A tile owns a rectangle of the picture and, at every layer, the positions above it. To
know them exactly the network must see a halo around the tile as wide as the deepest
layer looks. The halo shrinks on the way: each 3x3 convolution spoils one position along
a side where the crop ends inside the picture (its padding is not the picture), each
pooling halves what is left, and what is no longer needed is cut off. Where the crop
ends at the picture's border, the network's own padding is the true one.
"""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

Tensor = Any
Span = tuple[int, int]


class Side(NamedTuple):
    """One axis of a tile's way through the network; spans are `(start, stop)`.

    Attributes:
        size: Of the picture in pixels.
        own: Pixels of the picture that the tile owns.
        crop: Pixels of the picture that the network must see.
        kept: What is kept of each pooled map, within that map.
        owned: Positions that the tile owns of each level's maps, within them.
    """

    size: int
    own: Span
    crop: Span
    kept: tuple[Span, ...]
    owned: tuple[Span, ...]


class Tile(NamedTuple):
    """A rectangle of the picture."""

    rows: Side
    columns: Side

    @property
    def kind(self) -> tuple[Any, ...]:
        """What two tiles share that take the same way through the network."""
        return tuple(
            (side.crop[1] - side.crop[0], side.kept, side.owned) for side in self
        )

    def crop(self, image: Tensor) -> Tensor:
        """Return the crop of `[B, H, W, 3]` that the network must see."""
        return cut(image, self.rows.crop, self.columns.crop)

    def own(self, crop: Tensor, *, below: int = 0, beside: int = 0) -> Tensor:
        """Return the pixels of a crop that the tile owns.

        Args:
            crop: `[B, h, w, 3]`, from `crop`.
            below: Rows of neighbours more, as far as the picture goes.
            beside: Columns of them, to the right.
        """
        (top, bottom), (left, right) = self.rows.owned[0], self.columns.owned[0]
        return crop[:, top : bottom + below, left : right + beside]

    def part(self, level: int, ring: int = 0) -> "Part":
        """Return where the tile's share of a layer's map lies.

        Args:
            level: Poolings before the layer.
            ring: Positions of the map's border that nobody owns; no more than a
                quarter of its side.
        """
        rows = _part(self.rows, level, ring)
        columns = _part(self.columns, level, ring)
        return Part((rows[0], columns[0]), (rows[1], columns[1]), (rows[2], columns[2]))


class Part(NamedTuple):
    """A tile's share of a layer's map; each is a pair for rows and columns.

    Attributes:
        here: Spans within the map that the tile's crop gives.
        there: Spans within the map of the whole picture, without its ring.
        whole: Sizes of that map.
    """

    here: tuple[Span, Span]
    there: tuple[Span, Span]
    whole: tuple[int, int]


def _part(side: Side, level: int, ring: int) -> tuple[Span, Span, int]:
    """Return here, there and whole of one axis."""
    size = side.size >> level
    ring = min(ring, size // 4)
    first, last = side.owned[level]
    start = side.own[0] >> level
    low, high = max(start, ring), min(start + last - first, size - ring)
    high = max(low, high)  # All in the ring: nothing.
    here = (low - start + first, high - start + first)
    return here, (low - ring, high - ring), size - 2 * ring


def cut(features: Tensor, rows: Span, columns: Span) -> Tensor:
    """Return a rectangle of `[B, h, w, C]`."""
    if (rows[0], columns[0]) == (0, 0) and features.shape[1:3] == (rows[1], columns[1]):
        return features
    return features[:, slice(*rows), slice(*columns)]


def split(height: int, width: int, tile: int, halo: Sequence[int]) -> list[Tile]:
    """Cut a picture into tiles that own each of its pixels once.

    Args:
        height: Of the picture.
        width: Of the picture.
        tile: Longest side that a tile may own, in pixels; it is rounded down to the
            grid of the deepest pooling, and the last of a row may exceed it by less
            than one step of that grid.
        halo: From the `Geometry` of the layers that are wanted.
    """
    rows, columns = (_sides(size, tile, halo) for size in (height, width))
    return [Tile(row, column) for row in rows for column in columns]


def _sides(size: int, tile: int, halo: Sequence[int]) -> list[Side]:
    grid = 1 << (len(halo) - 1)
    cells, most = max(1, size // grid), max(1, tile // grid)
    each = -(-cells // -(-cells // most))  # Even, but for the last.
    stops = [*range(0, grid * cells, grid * each), size]
    return [_side(size, (a, b), halo) for a, b in itertools.pairwise(stops)]


def _side(size: int, own: Span, halo: Sequence[int]) -> Side:
    spans, owned = [], []
    for level, reach in enumerate(halo):
        last = size >> level
        start, stop = own[0] >> level, last if own[1] == size else own[1] >> level
        low, high = max(0, start - reach), min(last, stop + reach)
        spans.append((low, high))
        owned.append((start - low, stop - low))
    kept = tuple(
        (low - before[0] // 2, high - before[0] // 2)
        for before, (low, high) in itertools.pairwise(spans)
    )
    return Side(size, own, spans[0], kept, tuple(owned))
