"""Mean and deviation of every channel."""

from typing import Any

from keras import ops

Tensor = Any


def mean_variance_loss(
    mean: Tensor, square: Tensor, target_mean: Tensor, target_square: Tensor
) -> Tensor:
    """Return the squared distance of means and deviations, a mean over channels.

    Args:
        mean: float32 `[..., C]`, mean of the picture's features over positions.
        square: float32 `[..., C]`, mean of their squares.
        target_mean: The same of the style.
        target_square: The same of the style.

    References:
        Li et al. 2017, https://arxiv.org/abs/1701.01036
        Huang, Belongie 2017, https://arxiv.org/abs/1703.06868
    """
    # A fraction of the style's energy bounds the gradient where a channel is flat.
    floor = 1e-5 * target_square + 1e-6
    deviation = ops.sqrt(ops.maximum(square - ops.square(mean), 0.0) + floor)
    variance = ops.maximum(target_square - ops.square(target_mean), 0.0)
    gap = ops.square(mean - target_mean)
    gap = gap + ops.square(deviation - ops.sqrt(variance + floor))
    return ops.mean(gap, axis=-1)
