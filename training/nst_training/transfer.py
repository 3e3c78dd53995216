"""The training step of a transform network: the loss, a content budget, stillness."""

from typing import Any

import keras
from keras import ops

from nst_tf.loss.objective import Objective
from nst_tf.loss.parts import LossParts
from nst_tf.loss.targets import MixedTargets
from nst_tf.loss.temporal import warp
from nst_tf.loss.term import Seen, Sums, Targets
from nst_tf.running.transfer import StyleTransfer
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
    """

    def __init__(
        self,
        generator: keras.Model,
        objective: Objective,
        targets: MixedTargets,
        budget: ContentBudget | None = None,
    ) -> None:
        super().__init__(generator, objective, targets)
        self.budget = budget

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
        if "again" in x:
            sums |= self._stillness(x, y_pred, training)
        if self.budget is not None and training:
            # Those of less strength give up less of the photograph: they don't count.
            full = ops.cast(x["style"][:, :1] < 1e-6, "float32")
            self.budget.update(full * mix, objective.content.errors(sums))
        return objective.loss(sums, targets)

    def _stillness(self, x: dict[str, Tensor], y_pred: Tensor, training: bool) -> Sums:
        """Return the temporal term's sums: of the moved photograph's picture.

        Its gradient is that of this picture alone; both are drawn alike.
        """
        second = self.generator(
            {"image": x["again"], "style": x["style"]}, training=training
        )
        moved = warp(ops.stop_gradient(y_pred), x["motion"], outside="constant")
        mask = warp(ops.ones_like(y_pred[..., :1]), x["motion"], outside="constant")
        # A pixel that is partly from outside is not known.
        mask = ops.cast(mask > 0.999, "float32")
        previous = {"picture": moved, "mask": mask}
        term = self.objective.terms["temporal"]
        none = Targets({}, {}, previous=previous)
        return term.statistics(Seen(second, {}), none)
