"""What is done to photographs before a step: other light, flat parts, a moved copy.

Large dark or flat areas are rare in data sets and common in photographs that people
take; a network that has seen none paints blotches there. The moved, relit and noisy
copy is the next frame of a film that was never shot.

Reference:
    Wang et al. 2020 (films from photographs), https://doi.org/10.1109/TIP.2020.3024018
"""

import math
from typing import Any

import keras
from keras import ops

from nst_tf.loss.temporal import warp

Tensor = Any
DRAWS = 18
"""Uniform random numbers that `augment` takes a photograph."""
NOISE = 17
"""Which of them says where the copies' noise begins: the first photograph's."""
_TURN, _ZOOM, _SHIFT = 0.05, 0.04, 9.0
"""Largest rotation in radians, change of size and shift in pixels, of the copy."""
_EXPOSURE, _NOISE = 0.05, 2.5 / 255.0
"""Largest change of the copy's exposure; deviation of its noise."""


def augment(
    image: Tensor,
    draws: Tensor,
    *,
    relight: float,
    copy: bool,
    batch: int | None = None,
    first: int = 0,
) -> dict[str, Tensor]:
    """Return what a step sees of photographs.

    Args:
        image: float32 `[B, S, S, 3]`, RGB 0..1.
        draws: float32 `[B, 18]`, uniform in 0..1.
        relight: Fraction whose light is changed, and that of those with a flat part.
        copy: Whether the moved copy is wanted.
        batch: Photographs of the batch that these are a part of, if they are.
        first: Number of the first of them in it.

    Returns:
        `image`; with `copy` also `again`, the same moved, and `motion`, float32
        `[B, 6]`, as `nst_tf.loss.temporal.warp` takes it.
    """
    image = _relit(image, draws[:, :3], relight)
    image = _flattened(image, draws[:, 3:11], relight)
    if not copy:
        return {"image": image}
    motion = _motion(draws[:, 11:16], float(image.shape[1]))
    again = warp(image, motion, outside="reflect")
    exposure = 1.0 + _EXPOSURE * (2.0 * draws[:, 16] - 1.0)
    noise = _noise(image, draws[0, NOISE], batch or image.shape[0], first)
    noisy = again * exposure[:, None, None, None] + noise
    again = ops.clip(noisy, 0.0, 1.0)
    return {"image": image, "again": again, "motion": motion}


def _relit(image: Tensor, draws: Tensor, share: float) -> Tensor:
    """Change gamma and exposure of some."""
    chosen = ops.cast(draws[:, 0] < share, "float32")
    gamma = ops.exp(chosen * (1.4 * draws[:, 1] - 0.5))  # 0.6 to 2.5
    gain = 1.0 + chosen * (0.6 * draws[:, 2] - 0.4)  # 0.6 to 1.2
    gamma, gain = (x[:, None, None, None] for x in (gamma, gain))
    return ops.clip(gain * ops.maximum(image, 1e-4) ** gamma, 0.0, 1.0)


def _flattened(image: Tensor, draws: Tensor, share: float) -> Tensor:
    """Lay a soft-edged, nearly even surface over a part of some, mostly a dark one."""
    side = image.shape[1]
    chosen = ops.cast(draws[:, 0] < 0.5 * share, "float32")
    line = ops.arange(side, dtype="float32") / float(side)
    middle, extent = draws[:, 1:3], 0.1 + 0.35 * draws[:, 3:4]
    axes = [
        ops.sigmoid(24.0 * (extent - ops.abs(line[None] - middle[:, k : k + 1])))
        for k in (0, 1)
    ]
    mask = chosen[:, None, None] * axes[0][:, :, None] * axes[1][:, None, :]
    color = draws[:, 4:7] ** 2.5
    # A gradient along the diagonal, as skies and walls have.
    slope = 0.2 * (draws[:, 7] - 0.5)[:, None, None]
    ramp = slope * (line[None, :, None] + line[None, None, :] - 1.0)
    surface = color[:, None, None, :] + ramp[..., None]
    mask = mask[..., None]
    return ops.clip((1.0 - mask) * image + mask * surface, 0.0, 1.0)


def _motion(draws: Tensor, side: float) -> Tensor:
    """Return random motions `[B, 6]`: half of them plain shifts of whole pixels."""
    near = 2.0 * draws - 1.0
    free = ops.cast(draws[:, 0] < 0.5, "float32")
    angle, zoom = free * _TURN * near[:, 1], ops.exp(free * _ZOOM * near[:, 2])
    shift = _SHIFT * near[:, 3:5]
    shift = free[:, None] * shift + (1.0 - free[:, None]) * ops.round(shift)
    a, b = zoom * ops.cos(angle), zoom * ops.sin(angle)
    center = (side - 1.0) / 2.0  # Turned and enlarged about the middle.
    x = center - a * center + b * center + shift[:, 0]
    y = center - b * center - a * center + shift[:, 1]
    return ops.stack([a, -b, x, b, a, y], axis=-1)


def _noise(image: Tensor, draw: Tensor, batch: int, first: int) -> Tensor:
    """Return noise as large as `image`: the same pattern, begun at a random pixel."""
    pattern = keras.random.normal(
        (batch, *image.shape[1:]), stddev=_NOISE, seed=1, dtype="float32"
    )
    size, before = (math.prod((n, *image.shape[1:])) for n in (image.shape[0], first))
    start = ops.cast(draw * float(image.shape[1] ** 2), "int32") * 3 + before
    twice = ops.concatenate([ops.reshape(pattern, (-1,))] * 2)  # [2 B*S*S*3]
    part = ops.slice(twice, (start,), (size,))
    return ops.reshape(part, image.shape)
