"""Total variation: how far pixels are from their neighbours."""

from typing import Any

from keras import ops

from nst_tf.backend.slicing import slice_map

Tensor = Any


def total_variation(image: Tensor) -> Tensor:
    """Return the mean squared difference of neighbouring pixels, `[B]` float32.

    In units of the 0..255 range, so that its weight compares with those of the other
    terms; a mean, so that it does not grow with the picture.

    Args:
        image: float32 `[B, H, W, 3]`, RGB 0..1.
    """
    image = 255.0 * ops.cast(image, "float32")
    after, before = slice(1, None), slice(None, -1)
    down = slice_map(image, rows=after) - slice_map(image, rows=before)
    right = slice_map(image, columns=after) - slice_map(image, columns=before)
    return ops.mean(ops.square(down), axis=(1, 2, 3)) + ops.mean(
        ops.square(right), axis=(1, 2, 3)
    )
