"""Gram matrices: the correlations of channels, as Gatys compares them."""

from typing import Any

from keras import ops

from nst_tf.loss import statistics as sums
from nst_tf.loss.conventions import LEAST, RULES
from nst_tf.loss.style.statistic import StyleStatistic
from nst_tf.settings.loss import Convention

Tensor = Any


def gram_matrix(
    features: Tensor, *, convention: Convention = "gatys-notebook"
) -> Tensor:
    """Return the correlations between channels, averaged over positions.

    Args:
        features: Any float dtype `[B, h, w, C]`.
        convention: See the table of `nst_tf.loss.conventions`.

    Returns:
        float32 `[B, C, C]`, symmetric.
    """
    gram = gram_of(
        sums.product_sum(features), sums.weight_sum(features), convention=convention
    )
    return gram[:, 0]


def gram_of(products: Tensor, weight: Tensor, *, convention: Convention) -> Tensor:
    """Return the Gram matrices of what `product_sum` and `weight_sum` summed.

    Args:
        products: float32 `[B, R, C, C]`, R regions.
        weight: float32 `[B, R]`.
        convention: See the table of `nst_tf.loss.conventions`.
    """
    if RULES[convention].gram_by_channels:
        weight = weight * float(products.shape[-1])
    return products / ops.maximum(weight, LEAST)[..., None, None]


def style_loss(
    gram: Tensor, target: Tensor, *, convention: Convention = "gatys-notebook"
) -> Tensor:
    """Return the squared distance of one layer's Gram matrices, `[...]` float32.

    Args:
        gram: float32 `[..., C, C]` from `gram_matrix` under the same convention.
        target: float32 `[..., C, C]` of the style.
        convention: See the table of `nst_tf.loss.conventions`.
    """
    rule = RULES[convention]
    reduce = ops.mean if rule.style_mean else ops.sum
    loss = rule.style_factor * reduce(ops.square(gram - target), axis=(-2, -1))
    if rule.relative:
        energy = ops.sum(ops.square(target), axis=(-2, -1))
        loss = loss / ops.maximum(energy, LEAST)
    channels = gram.shape[-1]
    return loss / float(channels * channels) if rule.style_by_channels else loss


class Gram(StyleStatistic):
    """Gram matrices, in the constants of the convention."""

    kinds = ("gram",)

    def sums(self, maps: Tensor, mask: Tensor | None) -> dict[str, Tensor]:
        """Return the undivided Gram matrices."""
        return {"gram": sums.product_sum(maps, mask)}

    def moments(self, sums: dict[str, Tensor], weight: Tensor) -> dict[str, Tensor]:
        """Return the Gram matrices."""
        return {"gram": gram_of(sums["gram"], weight, convention=self.convention)}

    def gap(self, moments: dict[str, Tensor], style: dict[str, Tensor]) -> Tensor:
        """Return the squared distance of Gram matrices."""
        return style_loss(moments["gram"], style["gram"], convention=self.convention)
