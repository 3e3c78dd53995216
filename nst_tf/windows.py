"""Parts of pictures and feature maps whose gradients are cheap."""

from typing import Any

from keras import ops

Tensor = Any
_ALL = slice(None)


def window(x: Tensor, rows: slice = _ALL, columns: slice = _ALL) -> Tensor:
    """Return `x[:, rows, columns]` of `[B, H, W, C]`; the slices have no steps.

    In TensorFlow the gradient of indexing takes 5 times that of a slice: 116 instead of
    23 ms for forward and backward at `[4, 256, 256, 64]`.
    """
    batch, height, width, channels = x.shape
    if None in (batch, height, width):
        return x[:, rows, columns]
    (top, bottom, _), (left, right, _) = rows.indices(height), columns.indices(width)
    size = (batch, bottom - top, right - left, channels)
    return ops.slice(x, (0, top, left, 0), size)
