"""The style term: how far the statistics of features are from the style's."""

import functools
import operator
from typing import Any

from keras import ops

from nst_tf.loss.conventions import convention_of, layer_weights
from nst_tf.loss.statistics import weight_sum
from nst_tf.loss.style.gram import Gram
from nst_tf.loss.style.mean_variance import MeanVariance
from nst_tf.loss.style.palette import PIXELS, Palette
from nst_tf.loss.style.statistic import StyleStatistic
from nst_tf.loss.style.wasserstein import Wasserstein
from nst_tf.loss.term import Seen, Sums, Targets, Term
from nst_tf.settings.loss import LossSettings, StyleLoss

Tensor = Any
STATISTICS: dict[StyleLoss, type[StyleStatistic]] = {
    "gram": Gram,
    "mean-variance": MeanVariance,
    "wasserstein": Wasserstein,
}


class Style(Term):
    """The distance of every style layer's statistics, weighed by its lambda.

    The palette, if it counts, is one more layer: the picture itself, with a statistic
    of its own. Sums, moments and targets are named `layer/kind`, where the kinds are
    those of the statistic; the number of positions is `layer/weight` `[B, R]`.
    """

    name = "style"

    def __init__(self, settings: LossSettings) -> None:
        super().__init__(settings)
        self.layers, self.lambdas = settings.style_layers, layer_weights(settings)
        convention = convention_of(settings)
        statistic = STATISTICS[settings.style_loss](convention)
        self.statistics_of = dict.fromkeys(self.layers, statistic)
        if settings.palette:
            self.layers = (*self.layers, PIXELS)
            self.lambdas = (*self.lambdas, settings.palette)
            self.statistics_of[PIXELS] = Palette(convention)

    def statistics(self, seen: Seen, targets: Targets) -> Sums:
        """Return the sums of the style layers."""
        return self.sums(seen.features, targets.masks)

    def sums(
        self, features: dict[str, Tensor], masks: dict[str, Tensor] | None = None
    ) -> Sums:
        """Return the sums of features, of a picture or a style.

        Args:
            features: `dict[layer, [B, h, w, C]]`.
            masks: float32 `dict[layer, [B, h, w, R]]`, or None for one region.
        """
        sums = {}
        for name in self.layers:
            maps, mask = features[name], masks[name] if masks is not None else None
            sums[f"{name}/weight"] = weight_sum(maps, mask)
            sums |= _of(name, self.statistics_of[name].sums(maps, mask))
        return sums

    def moments(self, sums: Sums) -> dict[str, Tensor]:
        """Return the means over positions of what was summed.

        Mixed in shares of 1 they are those of a mixture of styles.
        """
        moments: dict[str, Tensor] = {}
        for name in self.layers:
            statistic, weight = self.statistics_of[name], sums[f"{name}/weight"]
            mine = {kind: sums[f"{name}/{kind}"] for kind in statistic.kinds}
            moments |= _of(name, statistic.moments(mine, weight))
        return moments

    def targets(self, moments: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return what pictures must match: `moments`, and what is derived of them."""
        targets = dict(moments)
        for name in self.layers:
            statistic = self.statistics_of[name]
            targets |= _of(name, statistic.derived(_at(name, moments)))
        return targets

    def errors(self, sums: Sums, targets: Targets) -> Tensor:
        """Return the layers' weighted sum for every picture, `[B]`."""
        gaps = self._gaps(sums, targets)
        return functools.reduce(operator.add, (weight * gap for weight, gap in gaps))

    def value(self, sums: Sums, targets: Targets) -> Tensor:
        """Return the weighted sum of the layers' distances."""
        total = ops.zeros((), "float32")
        for weight, gap in self._gaps(sums, targets):
            total = total + weight * ops.mean(gap)
        return total

    def _gaps(self, sums: Sums, targets: Targets) -> list[tuple[float, Tensor]]:
        """Return every layer's lambda and distance, `[B]`."""
        moments = self.moments(sums)
        return [
            (weight, self._gap(name, moments, targets))
            for name, weight in zip(self.layers, self.lambdas, strict=True)
        ]

    def _gap(self, name: str, moments: dict[str, Tensor], targets: Targets) -> Tensor:
        """Return the distance of one layer, `[B]`."""
        gap = self.statistics_of[name].gap(_at(name, moments), _at(name, targets.style))
        if targets.strength is not None:  # gap: [B, R]
            gap = ops.reshape(targets.strength, (-1, gap.shape[1])) * gap
        return ops.sum(gap, axis=1)


def _of(layer: str, values: dict[str, Tensor]) -> dict[str, Tensor]:
    """Name what is by kind `layer/kind`."""
    return {f"{layer}/{kind}": value for kind, value in values.items()}


def _at(layer: str, values: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return what is named `layer/kind` of a layer, by kind."""
    start = f"{layer}/"
    return {k.removeprefix(start): v for k, v in values.items() if k.startswith(start)}
