"""What happens after every step of a run, one small Keras callback each.

`fit` calls them in the order of its list: `FiniteGuard` first, which counts the step;
`SaveState` last, so that what the others change is in the state.
"""

import math
from collections.abc import Callable, Mapping

import keras

from nst_tf.loss.parts import LossParts
from nst_tf.running.progress import Progress

_WINDOW = 20
"""Steps over which `Plateau` compares the loss."""


class RunCallback(keras.callbacks.Callback):
    """Something to do after every step whose loss is finite.

    Args:
        progress: Where the run stands.
    """

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self.progress = progress

    def on_train_batch_end(
        self, batch: int, logs: Mapping[str, float] | None = None
    ) -> None:
        """Call `after_step`, with the variables up to date (JAX keeps them apart)."""
        _ = self.model
        if not self.progress.failed:
            self.after_step()

    def after_step(self) -> None:
        """Do it."""

    def end(self) -> None:
        """End the present `fit` after this step."""
        self.model.stop_training = True


class FiniteGuard(RunCallback):
    """Counts the steps, keeps their loss, ends the run at one that is not finite."""

    def on_train_batch_end(
        self, batch: int, logs: Mapping[str, float] | None = None
    ) -> None:
        """Read the loss of the step that just ended."""
        parts = LossParts.of(logs or {})
        self.progress.step += 1
        self.progress.done += 1
        if math.isfinite(parts.total):
            self.progress.loss = parts
        else:
            self.progress.reason = "not finite"
            self.end()


class Report(RunCallback):
    """Tells an observer of every step, and ends the run when it returns True.

    Args:
        progress: Where the run stands.
        tell: Called after every step.
    """

    def __init__(self, progress: Progress, tell: Callable[[], bool | None]) -> None:
        super().__init__(progress)
        self.tell = tell

    def after_step(self) -> None:
        """Tell of the step."""
        if self.tell():
            self.progress.reason = "stopped"
            self.end()


class Plateau(RunCallback):
    """Ends a pass when the loss fell by less than a fraction in 20 steps.

    Args:
        progress: Where the run stands; a pass that ends so counts as complete.
        tolerance: The fraction; 0 never ends a pass.
        ended: Called when it does.

    Attributes:
        losses: Those since the pass began or `forget` was called.
    """

    def __init__(
        self, progress: Progress, tolerance: float, ended: Callable[[], None]
    ) -> None:
        super().__init__(progress)
        self.tolerance, self.ended = tolerance, ended
        self.losses: list[float] = []
        self._skip = False

    def forget(self) -> None:
        """Compare no loss up to now with those to come."""
        self.losses, self._skip = [], True

    def after_step(self) -> None:
        """Compare the loss with the one 20 steps ago."""
        if not self._skip:
            self.losses = [*self.losses, self.progress.loss.total][-_WINDOW - 1 :]
        self._skip = False
        if self._flat():
            self.progress.done = self.progress.steps
            self.ended()
            self.end()
        if self.progress.last:
            self.losses = []

    def _flat(self) -> bool:
        if not self.tolerance or len(self.losses) <= _WINDOW:
            return False
        first, last = self.losses[0], self.losses[-1]
        return first - last < self.tolerance * first


class SaveState(RunCallback):
    """Writes the state every so many steps, at the end of a pass, and when stopped.

    Args:
        progress: Where the run stands.
        save: Writes it.
        every: Steps between two states (0: none on the way).
    """

    def __init__(
        self, progress: Progress, save: Callable[[], None], *, every: int
    ) -> None:
        super().__init__(progress)
        self.save, self.every = save, every

    def after_step(self) -> None:
        """Write the state if it is time."""
        now = self.progress
        due = self.every and now.done % self.every == 0
        if due or now.last or now.reason == "stopped":
            self.save()
