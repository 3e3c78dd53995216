"""Parts of pictures and feature maps whose gradients are cheap."""

from typing import Any

from keras import ops

Tensor = Any


def window(x: Tensor, rows: tuple[Any, Any], columns: tuple[Any, Any]) -> Tensor:
    """Return `x[:, top:bottom, left:right]` of `[B, H, W, C]`.

    Args:
        x: Its channels must be known.
        rows: Top and bottom, integers or scalars, not negative.
        columns: Left and right.

    In TensorFlow the gradient of indexing takes 5 times that of a slice: 116 instead of
    23 ms for forward and backward at `[4, 256, 256, 64]`.
    """
    (top, bottom), (left, right) = rows, columns
    batch = x.shape[0] if x.shape[0] is not None else ops.shape(x)[0]
    size = (batch, bottom - top, right - left, x.shape[-1])
    return ops.slice(x, (0, top, left, 0), size)
