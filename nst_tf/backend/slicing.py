"""Parts and borders of pictures and feature maps whose gradients are cheap."""

from typing import Any

from keras import ops

Tensor = Any
_ALL = slice(None)


def slice_map(x: Tensor, rows: slice = _ALL, columns: slice = _ALL) -> Tensor:
    """Return `x[:, rows, columns]` of a map; the slices have no steps.

    In TensorFlow the gradient of indexing takes 5 times that of a slice: 116 instead of
    23 ms for forward and backward at `[4, 256, 256, 64]`.
    """
    if None in x.shape:
        return x[:, rows, columns]
    sides = zip((_ALL, rows, columns, _ALL), x.shape, strict=True)
    ends = [part.indices(length)[:2] for part, length in sides]
    starts = [start for start, _ in ends]
    return ops.slice(x, starts, [stop - start for start, stop in ends])


def mirrored(x: Tensor, width: int, *, repeat: bool = False) -> Tensor:
    """Return `[B, H, W, C]` with its border mirrored, `width` more on every side.

    In TensorFlow forward and backward take two thirds of what its own padding does:
    4.8 instead of 7.7 ms at `[4, 256, 256, 32]` in bfloat16.

    Args:
        x: A map; sides that are unknown or too short are left to the backend.
        width: How many rows and columns to add.
        repeat: Whether the edge is repeated (`symmetric`) or not (`reflect`).
    """
    skipped = 0 if repeat else 1
    near = skipped + width  # The part that is mirrored ends here.
    height, breadth = x.shape[1:3]
    known = isinstance(height, int) and isinstance(breadth, int)  # JAX has symbols.
    if not known or min(height, breadth) < 2 * near:
        sides = (width, width)
        mode = "symmetric" if repeat else "reflect"
        return ops.pad(x, ((0, 0), sides, sides, (0, 0)), mode=mode)
    for axis, length in ((1, height), (2, breadth)):
        ends = [skipped, near, length - near, length - skipped]
        parts = ops.split(x, ends if skipped else ends[1:-1], axis=axis)
        first, last = (1, -2) if skipped else (0, -1)
        before, after = (ops.flip(parts[index], axis) for index in (first, last))
        x = ops.concatenate([before, *parts, after], axis=axis)
    return x
