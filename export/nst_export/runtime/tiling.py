"""Pictures too large for one pass, painted in tiles that show no seam.

A tile of the picture with a halo as wide as the network sees gives the very pixels of
the whole picture, if instance normalisation takes mean and variance from the whole.
These are estimated: from patches all over the picture, laid side by side as one small
picture and painted at once, so that every layer's statistics fit those before it.
All tiles share them. The estimate is what differs from an untiled pass.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

HALO = 64
"""Pixels around a tile, a multiple of 4: more than half of what an output pixel sees,
109 pixels of the input."""
SIDE = 1024
"""Pixels of a tile without its halo."""
PATCH = 128
"""Side in pixels of the patches that statistics are taken from."""
SAMPLE = 192
"""Number of these patches: together as large as the largest untiled picture."""
BYTES = 0.54
"""Memory that a pass takes for a pixel and a channel of the normalisations, S: 430
bytes a pixel at width 0.5, of 0.4 to 3 megapixels."""
WIDEST = 4000
"""Channels of no network: what has memory for so many has it for all."""
_PIXEL = 12
"""Bytes of a pixel of the result."""
_LEAST_SIDE, _LEAST_SAMPLE = 128, 12


def affordable(area: int, channels: int, free: float) -> float:
    """Return the pixels of a pass that so much free memory holds.

    Args:
        area: Pixels of the whole picture, whose result takes memory, too; of all
            pictures that it must hold.
        channels: Of all normalisations together, S.
        free: Bytes.
    """
    return max(0.0, free - _PIXEL * area) / (BYTES * channels)


class TileSession(Protocol):
    """A loaded model whose statistics are an input and an output."""

    channels: int
    """Channels of all normalisations together, S."""

    def __call__(
        self, image: np.ndarray, style: np.ndarray, statistics: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return `[1, H, W, 3]` and `[1, 2, 1, S]`, given `[1, 3, 1, S]`."""


class Span(NamedTuple):
    """Where a tile lies along one axis, in pixels.

    Attributes:
        start: First pixel that the tile paints.
        stop: The pixel after the last.
        first: First pixel that the network sees; it sees as many for every tile.
    """

    start: int
    stop: int
    first: int


def spans(length: int, side: int = SIDE) -> tuple[int, list[Span]]:
    """Cut an axis into tiles.

    Args:
        length: Pixels of the axis, a multiple of 4.
        side: Most pixels of a tile, a multiple of 4.

    Returns:
        Pixels that the network sees of each, and the tiles.
    """
    count = -(-length // side)
    edges = [index * length // count // 4 * 4 for index in range(count)] + [length]
    longest = max(b - a for a, b in itertools.pairwise(edges))
    seen = min(length, longest + 2 * HALO)
    return seen, [
        Span(a, b, min(max(0, a - HALO), length - seen))
        for a, b in itertools.pairwise(edges)
    ]


def sample(photo: np.ndarray) -> np.ndarray:
    """Lay patches from all over `[H, W, 3]` side by side.

    The picture is cut into as many cells as patches, and each cell gives one, from a
    random place of it (always the same for one size).
    """
    height, width = photo.shape[:2]
    side = min(PATCH, min(height, width) // 4 * 4)
    rows = round((SAMPLE * height / width) ** 0.5)
    rows = min(max(1, rows), height // side)
    columns = min(SAMPLE // rows, width // side)
    rng = np.random.default_rng(0)
    lines = []
    for row in range(rows):
        line = []
        for column in range(columns):
            y = int((row + rng.random()) * (height - side) / rows)
            x = int((column + rng.random()) * (width - side) / columns)
            line.append(photo[y : y + side, x : x + side])
        lines.append(np.concatenate(line, axis=1))
    return np.concatenate(lines, axis=0)


def paint(
    session: TileSession,
    photo: np.ndarray,
    weights: Sequence[float],
    *,
    side: int = SIDE,
    found: np.ndarray | None = None,
    most: float = math.inf,
) -> np.ndarray:
    """Stylise a picture in tiles.

    Args:
        session: The model.
        photo: float32 `[H, W, 3]`, RGB 0..1, of any size from 16 pixels.
        weights: What the network takes, from `Stylizer.style_row`.
        side: Most pixels of a tile along an axis, a multiple of 4.
        found: Statistics of the whole picture, float32 `[1, 2, 1, S]`, if they are
            known; else from `estimate`.
        most: Pixels that memory holds a pass of; tiles are smaller and the patches
            painted in parts where it must be, down to tiles of 256x256 with halos.

    Returns:
        float32 `[H, W, 3]`, RGB 0..1.
    """
    style = np.asarray([weights], "float32")
    if found is None:
        found = estimate(session, photo, weights, most=most)
    if most < (side + 2 * HALO) ** 2:
        side = max(_LEAST_SIDE, (int(most**0.5) - 2 * HALO) // 4 * 4)
    shared = np.ones((1, 3, 1, session.channels), "float32")
    shared[:, :2] = found
    height, width = photo.shape[:2]
    picture = np.empty(photo.shape, "float32")
    for y, x, seen in _tiles(height, width, side):
        image = _mirrored(photo, y.first, x.first, seen)
        tile, _ = session(_batch(image), style, shared)
        inside = tile[
            0,
            y.start - y.first : y.stop - y.first,
            x.start - x.first : x.stop - x.first,
        ]
        target = picture[y.start : y.stop, x.start : x.stop]
        # The last tiles reach beyond the picture, to a multiple of 4.
        inside = inside[: target.shape[0], : target.shape[1]]
        np.clip(inside, 0.0, 1.0, out=target)
    return picture


def estimate(
    session: TileSession,
    photo: np.ndarray,
    weights: Sequence[float],
    *,
    most: float = math.inf,
) -> np.ndarray:
    """Return a picture's statistics, float32 `[1, 2, 1, S]`, from patches of it.

    Args:
        session: The model.
        photo: float32 `[H, W, 3]`.
        weights: What the network takes.
        most: Pixels that a pass may have. If the patches have more, some from all over
            the picture are painted at a time, and what they have is put together.
    """
    style = np.asarray([weights], "float32")
    none = np.zeros((1, 3, 1, session.channels), "float32")
    seen = sample(photo)
    parts = [seen] if math.prod(seen.shape[:2]) <= most else _parts(seen, most)
    found = np.stack([session(_batch(part), style, none)[1] for part in parts])
    means, variances = found[:, :, 0], found[:, :, 1]
    whole = means.mean(axis=0), variances.mean(axis=0) + means.var(axis=0)
    return np.stack(whole, axis=1)


def _parts(seen: np.ndarray, most: float) -> Iterator[np.ndarray]:
    """Yield the patches that `sample` laid, in random order, so many at a time."""
    side = min(PATCH, *seen.shape[:2])
    rows, columns = (length // side for length in seen.shape[:2])
    patches = seen.reshape(rows, side, columns, side, 3).swapaxes(1, 2)
    patches = patches.reshape(-1, side, side, 3)
    patches = np.random.default_rng(1).permutation(patches)
    count = math.ceil(len(patches) / max(_LEAST_SAMPLE, int(most / side**2)))
    size = len(patches) // count
    tall = math.isqrt(size)
    wide = size // tall
    for index in range(count):
        part = patches[index * size :][: tall * wide]
        part = part.reshape(tall, wide, side, side, 3).swapaxes(1, 2)
        yield part.reshape(tall * side, wide * side, 3)


def _tiles(
    height: int, width: int, side: int
) -> Iterator[tuple[Span, Span, tuple[int, int]]]:
    """Yield every tile's rows and columns, and how much the network sees."""
    tall, rows = spans(height + -height % 4, side)
    wide, columns = spans(width + -width % 4, side)
    for row in rows:
        for column in columns:
            yield row, column, (tall, wide)


def _mirrored(
    photo: np.ndarray, top: int, left: int, seen: tuple[int, int]
) -> np.ndarray:
    """Return a part of a photograph, mirrored where it reaches beyond the end."""
    rows, columns = (
        np.minimum(place, 2 * (length - 1) - place)
        for place, length in (
            (np.arange(top, top + seen[0]), photo.shape[0]),
            (np.arange(left, left + seen[1]), photo.shape[1]),
        )
    )
    return photo[rows[:, None], columns[None]]


def _batch(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image[None], "float32")
