"""The content term: how far features are from the photograph's."""

from typing import Any

from keras import ops

from nst_tf.loss import statistics as sums
from nst_tf.loss.conventions import LEAST, RULES, convention_of
from nst_tf.loss.term import Seen, Sums, Targets, Term
from nst_tf.settings.loss import Convention, LossSettings

Tensor = Any


def content_loss(
    features: Tensor, target: Tensor, *, convention: Convention = "gatys-notebook"
) -> Tensor:
    """Return the squared distance of features to the photograph's, `[B]` float32.

    Args:
        features: `[B, h, w, C]` of the picture.
        target: `[B, h, w, C]` of the photograph.
        convention: See the table of `nst_tf.loss.conventions`.
    """
    energy = sums.energy_sum(target) if needs_energy(convention) else None
    return content_of(
        sums.gap_sum(features, target),
        sums.value_count(features),
        energy,
        convention=convention,
    )


def needs_energy(convention: Convention) -> bool:
    """Tell whether the content term is relative to the photograph's features."""
    return RULES[convention].relative


def content_of(
    gap: Tensor, count: Tensor, energy: Tensor | None, *, convention: Convention
) -> Tensor:
    """Return the content term of sums over positions, `[B]` float32.

    Args:
        gap: `[B]`, sum of squared differences to the photograph.
        count: `[B]`, number of values that were compared.
        energy: `[B]`, sum of the photograph's squares, if `needs_energy`.
        convention: See the table of `nst_tf.loss.conventions`.
    """
    rule = RULES[convention]
    if rule.content_mean:
        gap = gap / count
    if rule.relative:
        gap = gap / ops.maximum(energy, LEAST)
    return rule.content_factor * gap


class Content(Term):
    """The distance of features to the photograph's, a sum over layers."""

    name = "content"

    def __init__(self, settings: LossSettings) -> None:
        super().__init__(settings)
        self.layers = settings.content_layers
        self.convention = convention_of(settings)

    def statistics(self, seen: Seen, targets: Targets) -> Sums:
        """Return the sums of every content layer, `[B]`.

        Returns:
            `layer/content` (squared differences), `layer/count` (values compared) and,
            for relative terms, `layer/energy` (squares of the target).
        """
        found = {}
        for name in self.layers:
            target = targets.content[name]
            found[f"{name}/content"] = sums.gap_sum(seen.features[name], target)
            found[f"{name}/count"] = sums.value_count(target)
            if needs_energy(self.convention):
                found[f"{name}/energy"] = sums.energy_sum(target)
        return found

    def value(self, sums: Sums, targets: Targets) -> Tensor:
        """Return the sum over layers, the mean over B."""
        return ops.mean(self.errors(sums))

    def errors(self, sums: Sums) -> Tensor:
        """Return the unweighted term of every picture, `[B]`: the sum over layers."""
        total = ops.zeros((1,), "float32")
        for name in self.layers:
            gap = content_of(
                sums[f"{name}/content"],
                sums[f"{name}/count"],
                sums.get(f"{name}/energy"),
                convention=self.convention,
            )
            total = total + gap
        return total
