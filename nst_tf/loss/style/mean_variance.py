"""Mean and deviation of every channel."""

from typing import Any

from keras import ops

from nst_tf.loss.statistics import feature_sum, square_sum
from nst_tf.loss.style.statistic import StyleStatistic, energy_of

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


class MeanVariance(StyleStatistic):
    """Every channel's mean and deviation."""

    kinds = ("sum", "square")

    def sums(self, maps: Tensor, mask: Tensor | None) -> dict[str, Tensor]:
        """Return the sums of features and of their squares."""
        return {"sum": feature_sum(maps, mask), "square": square_sum(maps, mask)}

    def gap(self, moments: dict[str, Tensor], style: dict[str, Tensor]) -> Tensor:
        """Return the squared distance of means and deviations."""
        gap = mean_variance_loss(
            *(moments[kind] for kind in self.kinds),
            *(style[kind] for kind in self.kinds),
        )
        return gap / energy_of(style["square"], self.convention)
