"""The weights of the terms along a run, and the changes made on the way."""

import dataclasses

from nst_tf.settings.checks import InputError
from nst_tf.settings.optimize import OptimizeSettings

_RECORD = 4
"""Numbers of a change: the evaluation after which it acts, and the weights."""


class TermWeights:
    """Weights of the terms by the evaluation.

    Args:
        settings: Of the run; their `weight_changes` are those planned.

    Attributes:
        changes: The changes so far, planned and noted, in the settings' form.
    """

    def __init__(self, settings: OptimizeSettings) -> None:
        self.settings = settings
        self.changes = settings.weight_changes

    def at(self, evaluations: int) -> tuple[float, ...]:
        """Return the weights of the next evaluation after so many."""
        weights: tuple[float, ...] = self.settings.loss.term_weights
        for start in range(0, len(self.changes), _RECORD):
            if self.changes[start] <= evaluations:
                weights = self.changes[start + 1 : start + _RECORD]
        return weights

    def note(self, evaluations: int, weights: tuple[float, ...]) -> None:
        """Let other weights act from the next evaluation on.

        Raises:
            InputError: They are no weights, or the settings have no weight_changes.
        """
        if not self.changes:
            raise InputError("these settings have no weight_changes")
        earlier = len(self.changes)
        while earlier and self.changes[earlier - _RECORD] >= evaluations:
            earlier -= _RECORD  # What was planned for later, or said a moment ago.
        changes = (*self.changes[:earlier], float(evaluations), *weights)
        dataclasses.replace(self.settings, weight_changes=changes)  # Checks them.
        self.changes = changes
