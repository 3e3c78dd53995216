"""Exact tiles: the crop of a picture that gives a tile's features, and no other.

A tile owns a rectangle of the picture and, at every layer, the positions above it. To
know them exactly the network must see a halo around the tile as wide as the deepest
layer looks. The halo shrinks on the way: each 3x3 convolution spoils one position along
a side where the crop ends inside the picture (its padding is not the picture), each
pooling halves what is left, and what is no longer needed is cut off. Where the crop
ends at the picture's border, the network's own padding is the true one.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras

Tensor = Any
Span = tuple[int, int]


class Side(NamedTuple):
    """One axis of a tile's way through the network; spans are `(start, stop)`.

    Attributes:
        own: Pixels of the picture that the tile owns.
        crop: Pixels of the picture that the network must see.
        kept: What is kept of each pooled map, within that map.
        owned: Positions that the tile owns of each block's maps, within them.
    """

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

    def positions(self, layer: str) -> tuple[Span, Span]:
        """Return the rows and columns that the tile owns of a layer's whole map."""
        rows, columns = (
            _above(side.own, side.owned[block(layer)], block(layer)) for side in self
        )
        return rows, columns


def _above(own: Span, owned: Span, level: int) -> Span:
    start = own[0] >> level
    return start, start + owned[1] - owned[0]


def cut(features: Tensor, rows: Span, columns: Span) -> Tensor:
    """Return a rectangle of `[B, h, w, C]`."""
    if (0, 0) == (rows[0], columns[0]) and features.shape[1:3] == (rows[1], columns[1]):
        return features
    return features[:, slice(*rows), slice(*columns)]


def block(layer: str) -> int:
    """Return how many poolings lie before a layer, 0 for `block1_conv1`."""
    return int(layer[5]) - 1


def halos(convolutions: Sequence[str]) -> tuple[int, ...]:
    """Return how much each block must see around a tile, in its own positions.

    Args:
        convolutions: Names of all convolutions from the first to the deepest used.
    """
    counts = [0] * (block(convolutions[-1]) + 1)
    for name in convolutions:
        counts[block(name)] += 1
    needed, found = 0, []
    for count in reversed(counts):
        needed = 2 * needed + count
        if found:
            needed += needed % 2  # The pooling after it must meet the grid.
        found.append(needed)
    return tuple(reversed(found))


def split(height: int, width: int, tile: int, halo: Sequence[int]) -> list[Tile]:
    """Cut a picture into tiles that own each of its pixels once.

    Args:
        height: Of the picture.
        width: Of the picture.
        tile: Longest side that a tile may own, in pixels; it is rounded down to the
            grid of the deepest pooling, and the last of a row may exceed it by less
            than one step of that grid.
        halo: From `halos`.
    """
    rows, columns = (_sides(size, tile, halo) for size in (height, width))
    return [Tile(row, column) for row in rows for column in columns]


def _sides(size: int, tile: int, halo: Sequence[int]) -> list[Side]:
    grid = 1 << (len(halo) - 1)
    cells, most = max(1, size // grid), max(1, tile // grid)
    each = -(-cells // -(-cells // most))  # Even, but for the last.
    stops = [*range(0, grid * cells, grid * each), size]
    return [_side(size, (a, b), halo) for a, b in zip(stops, stops[1:], strict=False)]


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
        for before, (low, high) in zip(spans, spans[1:], strict=False)
    )
    return Side(own, spans[0], kept, tuple(owned))


def convolutions(extractor: keras.Model) -> list[str]:
    """Return the names of the convolutions of an extractor, in order."""
    return [x.name for x in extractor.layers if isinstance(x, keras.layers.Conv2D)]


def tile_features(
    extractor: keras.Model, crop: Tensor, tile: Tile
) -> dict[str, Tensor]:
    """Return the features of a tile exactly as they are in those of the whole picture.

    Args:
        extractor: From `build_extractor`.
        crop: float32 `[B, H, W, 3]`, RGB 0..1, from `tile.crop`.
        tile: The tile, or another one of its kind.
    """
    names = convolutions(extractor)
    pool = next((x for x in extractor.layers if "pooling2d" in x.name), None)
    x = extractor.layers[1](crop)
    features, level = {}, 0
    for name in names:
        if block(name) > level:
            x = cut(pool(x), tile.rows.kept[level], tile.columns.kept[level])
            level += 1
        x = extractor.get_layer(name)(x)
        if name in extractor.output_names:
            features[name] = cut(x, tile.rows.owned[level], tile.columns.owned[level])
    return features
