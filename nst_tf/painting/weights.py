"""The weights of the terms along a run, and the changes made on the way."""

import dataclasses

from nst_tf.optimizers.lbfgs import LBFGS
from nst_tf.running.callbacks import Plateau, RunCallback
from nst_tf.running.progress import Progress
from nst_tf.running.transfer import StyleTransfer
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import TERMS
from nst_tf.settings.optimize import OptimizeSettings
from nst_tf.settings.weight_changes import acting, changed, weights_after

_ALIKE = 4.0
"""Factor of a ratio of weights up to which the pairs of L-BFGS still hold."""


class TermWeights:
    """Weights of the terms by the evaluation.

    Args:
        settings: Of the run; their `weight_changes` are those planned.

    Attributes:
        changes: The changes so far, planned and noted, in the settings' form.
        searching: Whether the style weight is being found for a content error.
    """

    def __init__(self, settings: OptimizeSettings) -> None:
        self.settings = settings
        self.searching = settings.searches
        self.changes = settings.weight_changes
        if self.searching:
            self.changes = (0.0, *settings.loss.term_weights.values())

    def at(self, evaluations: int) -> tuple[float, ...]:
        """Return the weights of the next evaluation after so many."""
        given = self.settings.loss.term_weights
        return tuple(weights_after(self.changes, evaluations, given).values())

    def acted(self, evaluations: int) -> tuple[float, ...]:
        """Return the changes that acted in so many: with them a picture was made."""
        if not self.changes:
            return ()
        given = self.settings.loss.term_weights
        return acting(self.changes, evaluations) or (0.0, *given.values())

    def note(self, evaluations: int, weights: tuple[float, ...]) -> None:
        """Let other weights act from the next evaluation on.

        Raises:
            InputError: They are no weights, or the settings have no weight_changes.
        """
        if not self.changes:
            raise InputError("these settings have no weight_changes")
        if len(weights) != len(TERMS):
            raise InputError(
                f"{len(TERMS)} weights are needed, one each for {', '.join(TERMS)}; got"
                f" {len(weights)}"
            )
        named = dict(zip(TERMS, weights, strict=True))
        changes = changed(self.changes, evaluations, named)
        dataclasses.replace(self.settings, weight_changes=changes)  # Checks them.
        self.changes = changes

    def steer(self, evaluations: int, weights: tuple[float, ...]) -> None:
        """Do as `note`, for someone who knows better than the search."""
        self.note(evaluations, weights)
        self.searching = False


class Reweigh(RunCallback):
    """Lets new weights act: losses before do not compare, nor do gradients."""

    def __init__(
        self,
        progress: Progress,
        weights: TermWeights,
        transfer: StyleTransfer,
        plateau: Plateau,
    ) -> None:
        super().__init__(progress)
        self.weights, self.transfer, self.plateau = weights, transfer, plateau

    def after_step(self) -> None:
        """Change the weights of the next evaluation if they are other ones."""
        before, after = (self.weights.at(self.progress.step - k) for k in (1, 0))
        if before == after:
            return
        self.plateau.forget()
        self.transfer.targets.weigh(after)
        optimizer = self.transfer.optimizer
        if not isinstance(optimizer, LBFGS):
            return
        if _alike(before, after):
            optimizer.forget_last()
        else:
            optimizer.reset()


def _alike(before: tuple[float, ...], after: tuple[float, ...]) -> bool:
    """Tell whether every weight changes by a small factor."""
    return all(
        x == y or (x > 0 and 1 / _ALIKE <= y / x <= _ALIKE)
        for x, y in zip(before, after, strict=True)
    )
