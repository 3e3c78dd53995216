"""The Wasserstein distance of Gaussians fitted to the features."""

from typing import Any

from keras import ops

from nst_tf.loss.conventions import LEAST
from nst_tf.loss.statistics import feature_sum, product_sum
from nst_tf.loss.style.gram import gram_of
from nst_tf.loss.style.matrix_sqrt import FLOOR, square_root, trace_of_root
from nst_tf.loss.style.statistic import StyleStatistic, energy_of, mean_of

Tensor = Any


def wasserstein_loss(
    mean: Tensor,
    second: Tensor,
    target_mean: Tensor,
    target_second: Tensor,
    target_root: Tensor,
    target_floor: Tensor,
) -> Tensor:
    """Return the squared Wasserstein-2 distance of Gaussians, a mean over channels.

    `|m - n|^2 + tr(A + B - 2 (B^(1/2) A B^(1/2))^(1/2))` over C, with means m, n and
    covariances A, B: how far features must be moved for both to agree.

    Args:
        mean: float32 `[..., C]`, mean of the picture's features over positions.
        second: float32 `[..., C, C]`, mean of their products, not centred.
        target_mean: The same of the style.
        target_second: The same of the style.
        target_root: `[..., C, C]`, from `wasserstein_root` of the style.
        target_floor: `[...]`, from `wasserstein_root` of the style.

    Reference:
        https://github.com/crowsonkb/style-transfer-pytorch, which regularises the
        covariance; here the root itself is, so that the loss of equals is 0 but for
        what lies below the floor.
    """
    gap = ops.sum(ops.square(mean - target_mean), axis=-1)
    covariance = _covariance(mean, second)
    product = ops.matmul(ops.matmul(target_root, covariance), target_root)
    total = _trace(covariance) + _trace(_covariance(target_mean, target_second))
    gap = gap + total - 2.0 * trace_of_root(product, target_floor)
    return gap / float(mean.shape[-1])


def wasserstein_root(mean: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return the covariance's root `[..., C, C]` and the least root told from 0."""
    root, largest = square_root(_covariance(mean, second))
    return root, FLOOR * largest + LEAST


def _covariance(mean: Tensor, second: Tensor) -> Tensor:
    return second - mean[..., :, None] * mean[..., None, :]


def _trace(matrix: Tensor) -> Tensor:
    return ops.sum(ops.diagonal(matrix, axis1=-2, axis2=-1), axis=-1)


class Wasserstein(StyleStatistic):
    """Means and covariances, as Gaussians."""

    kinds = ("sum", "gram")

    def sums(self, maps: Tensor, mask: Tensor | None) -> dict[str, Tensor]:
        """Return the sums of features and of their products, in float32."""
        products = product_sum(maps, mask, exact=True)
        return {"gram": products, "sum": feature_sum(maps, mask)}

    def moments(self, sums: dict[str, Tensor], weight: Tensor) -> dict[str, Tensor]:
        """Return the means, whatever the constants of the convention."""
        return {
            "sum": mean_of(sums["sum"], weight),
            "gram": gram_of(sums["gram"], weight, convention="relative"),
        }

    def derived(self, moments: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the root of the style's covariance, and the least root told from 0."""
        root, floor = wasserstein_root(moments["sum"], moments["gram"])
        return {"root": root, "floor": floor}

    def gap(self, moments: dict[str, Tensor], style: dict[str, Tensor]) -> Tensor:
        """Return the squared distance of Gaussians."""
        gap = wasserstein_loss(
            *(moments[kind] for kind in self.kinds),
            *(style[kind] for kind in (*self.kinds, "root", "floor")),
        )
        squares = ops.diagonal(style["gram"], axis1=-2, axis2=-1)
        return gap / energy_of(squares, self.convention)
