"""The temporal term of a training: pictures change as the scene does, and not else.

References:
    Ruder et al. 2016 (the term), https://arxiv.org/abs/1604.08610
    Wang et al. 2020 (a moved photograph in a film's place),
    https://doi.org/10.1109/TIP.2020.3024018
"""

from typing import Any, Literal

from keras import ops

Tensor = Any


def warp(
    image: Tensor, motion: Tensor, *, outside: Literal["constant", "reflect"]
) -> Tensor:
    """Return `[B, H, W, C]` moved, bilinear.

    Args:
        image: float32 `[B, H, W, C]`.
        motion: float32 `[B, 6]`: pixel (x, y) of the result is that at
            (m0 x + m1 y + m2, m3 x + m4 y + m5) of the image.
        outside: What lies beyond the border: 0, or the image mirrored.
    """
    last = ops.zeros_like(motion[:, :2])
    transform = ops.concatenate([motion, last], axis=-1)  # [B, 8]
    return ops.image.affine_transform(
        image, transform, interpolation="bilinear", fill_mode=outside
    )


def temporal_loss(picture: Tensor, previous: Tensor, mask: Tensor) -> Tensor:
    """Return the mean squared difference of two pictures where a mask is 1, `[B]`.

    Args:
        picture: float32 `[B, H, W, 3]`, RGB 0..1.
        previous: float32 `[B, H, W, 3]`, the one before, moved as the scene did.
        mask: float32 `[B, H, W, 1]`, 0..1: where it is known.
    """
    gap = ops.sum(mask * ops.square(picture - previous), axis=(1, 2, 3))
    return gap / ops.maximum(3.0 * ops.sum(mask, axis=(1, 2, 3)), 1.0)
