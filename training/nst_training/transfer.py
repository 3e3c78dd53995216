"""The training step of a transform network: loss, content budget, stillness, tone."""

from typing import Any

import keras
from keras import ops

from nst_tf.loss.objective import Objective
from nst_tf.loss.parts import TEMPORAL, TONE, TRAINING_TERMS, LossParts
from nst_tf.loss.targets import MixedTargets
from nst_tf.loss.temporal import temporal_loss, warp
from nst_tf.loss.term import Seen, Sums, Targets
from nst_tf.loss.tone import tone_loss
from nst_tf.running.transfer import StyleTransfer
from nst_tf.settings.loss import TERMS
from nst_training.budget import ContentBudget

Tensor = Any


class NetworkTransfer(StyleTransfer):
    """`StyleTransfer` for a network, over batches from `nst_training.feed`.

    With `again` and `motion` among the inputs, the same photograph moved, the picture
    of the one must be the moved picture of the other.

    Args:
        generator: The transform network.
        objective: The loss.
        targets: What its pictures are compared with.
        budget: What sets the weights of the styles, if anything does.
        temporal_weight: Weight of the temporal term.
        tone_weight: Weight of the tone term.
    """

    told = (*TERMS, *TRAINING_TERMS)

    def __init__(
        self,
        generator: keras.Model,
        objective: Objective,
        targets: MixedTargets,
        budget: ContentBudget | None = None,
        *,
        temporal_weight: float = 0.0,
        tone_weight: float = 0.0,
    ) -> None:
        super().__init__(generator, objective, targets)
        self.budget, self.temporal_weight = budget, temporal_weight
        self.tone_weight = tone_weight

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """Return the network's pictures of `image` in `style`."""
        given = {name: inputs[name] for name in ("image", "style")}
        return self.generator(given, training=training)

    def judge(self, x: dict[str, Tensor], y_pred: Tensor, training: bool) -> LossParts:
        """Return the loss of the network's pictures; let the budget learn of it."""
        objective, targets = self.objective, self.targets(x)
        mix = self.targets.ratios(x["style"])
        if self.budget is not None:
            strength = targets.strength * self.budget(mix)
            targets = targets._replace(strength=strength)
        seen = Seen(y_pred, objective.features(y_pred))
        sums = objective.statistics(seen, targets)
        if self.budget is not None and training:
            self.budget.update(self.counted(x) * mix, objective.content.errors(sums))
        parts = objective.loss(sums, self.weighed(sums, targets))
        still = tone = ops.zeros((), "float32")
        if "again" in x:
            still = self.temporal_weight * self._unrest(x, y_pred, training)
        if self.tone_weight:
            tone = self.tone_weight * ops.mean(tone_loss(y_pred, x["image"]))
        terms = parts.terms | {TEMPORAL: still, TONE: tone}
        return LossParts(parts.total + still + tone, terms)

    def counted(self, x: dict[str, Tensor]) -> Tensor:
        """Return 1 for pictures whose content error the budget learns, `[B, 1]`.

        Those of less strength give up less of the photograph: they don't count.
        """
        return ops.cast(x["style"][:, :1] < 1e-6, "float32")

    def weighed(self, sums: Sums, targets: Targets) -> Targets:
        """Return the targets with factors of the style term for every picture."""
        del sums
        return targets

    def _unrest(self, x: dict[str, Tensor], y_pred: Tensor, training: bool) -> Tensor:
        """Return the temporal term of the moved photograph's picture, float32 `[]`.

        Its gradient is that of this picture alone; both are drawn alike.
        """
        second = self.generator(
            {"image": x["again"], "style": x.get("rows", x["style"])}, training=training
        )
        moved = warp(ops.stop_gradient(y_pred), x["motion"], outside="constant")
        known = ops.ones_like(y_pred[..., :1])
        mask = warp(known, x["motion"], outside="constant")
        # A pixel that is partly from outside is not known.
        mask = ops.cast(mask > 0.999, "float32")
        return ops.mean(temporal_loss(second, moved, mask))
