"""What a style loss is: sums, their means, and how far those are from a style's."""

import abc
from typing import Any, ClassVar

from keras import ops

from nst_tf.loss.conventions import LEAST, RULES
from nst_tf.settings.loss import Convention

Tensor = Any


class StyleStatistic(abc.ABC):
    """What a style layer is compared by; R regions are told apart.

    Every dict is by kind: `gram` `[B, R, C, C]`, `sum` `[B, R, C]` and the like.

    Args:
        convention: The normalisation of the terms.
    """

    kinds: ClassVar[tuple[str, ...]]
    """What is summed over positions."""

    def __init__(self, convention: Convention) -> None:
        self.convention = convention

    @abc.abstractmethod
    def sums(self, maps: Tensor, mask: Tensor | None) -> dict[str, Tensor]:
        """Return float32 sums over positions, as `nst_tf.loss.statistics` has them.

        Args:
            maps: Features `[B, h, w, C]`.
            mask: float32 `[B, h, w, R]`, 0..1, or None for one region of all.
        """

    def moments(self, sums: dict[str, Tensor], weight: Tensor) -> dict[str, Tensor]:
        """Return the means over positions of what was summed, of like names.

        Args:
            sums: From `sums`, here of channels alone: `[B, R, C]`.
            weight: float32 `[B, R]`, number of positions.
        """
        return {kind: mean_of(total, weight) for kind, total in sums.items()}

    def derived(self, moments: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return what `gap` needs of a style besides its moments, once for all."""
        del moments
        return {}

    @abc.abstractmethod
    def gap(self, moments: dict[str, Tensor], style: dict[str, Tensor]) -> Tensor:
        """Return how far moments are from a style's, float32 `[B, R]`.

        Args:
            moments: Those of a picture.
            style: Those of the style, with what is `derived` of them.
        """


def mean_of(total: Tensor, weight: Tensor) -> Tensor:
    """Return a sum over positions `[B, R, C]` divided by their weight `[B, R]`."""
    return total / ops.maximum(weight, LEAST)[..., None]


def energy_of(target: Tensor, convention: Convention) -> Tensor:
    """Return what a style loss of moments is divided by, `[...]` float32.

    Args:
        target: float32 `[..., C]`, mean squares of the style's features.
        convention: The relative one divides by their mean, the others by nothing.
    """
    energy = ops.maximum(ops.mean(target, axis=-1), LEAST)
    return energy if RULES[convention].relative else ops.ones_like(energy)
