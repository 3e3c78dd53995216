"""The tone term of a training: what is dark in the photograph is dark in the picture.

Features of deep layers tell little of how dark an even surface is, and normalisations
take the mean away: without this term large dark surfaces may come out pale. Contrast
and brightness are the painting's; only the order of tones is the photograph's.
"""

from typing import Any

from keras import ops

Tensor = Any
CELL = 16
"""Side of the squares whose mean luminance is compared, in pixels."""
_LUMA = (0.299, 0.587, 0.114)
_LEAST = 1e-3
"""Variance of the tones below which a picture is as good as even."""


def tone_loss(picture: Tensor, photograph: Tensor) -> Tensor:
    """Return 1 less the correlation of the tones of two pictures, 0..2, `[B]`.

    Args:
        picture: float32 `[B, H, W, 3]`, RGB 0..1, H and W at least 32.
        photograph: The same; its tones are given.
    """
    one, other = _tones(picture), _tones(photograph)
    product = ops.mean(one * other, axis=1)
    energies = [ops.mean(ops.square(x), axis=1) + _LEAST for x in (one, other)]
    return 1.0 - product / ops.sqrt(energies[0] * energies[1])


def _tones(picture: Tensor) -> Tensor:
    """Return the luminance of squares about its mean, float32 `[B, N]`."""
    luma = ops.matmul(picture, ops.convert_to_tensor(_LUMA, "float32")[:, None])
    cells = ops.average_pool(
        luma, CELL, CELL, padding="valid", data_format="channels_last"
    )
    flat = ops.reshape(cells, (-1, cells.shape[1] * cells.shape[2]))
    return flat - ops.mean(flat, axis=1, keepdims=True)
