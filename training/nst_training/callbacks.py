"""What happens after some steps of a training, besides what every run has."""

from collections.abc import Callable

import keras
import numpy as np

from nst_tf.running.callbacks import RunCallback
from nst_tf.running.progress import Progress


class Preview(RunCallback):
    """Makes a sheet of previews when it is time.

    Args:
        progress: Where the run stands.
        make: Writes the sheet and returns it, None if there is nothing to show.
        every: Steps between two (0: none).

    Attributes:
        sheet: The one made after this step.
    """

    def __init__(
        self, progress: Progress, make: Callable[[], np.ndarray | None], *, every: int
    ) -> None:
        super().__init__(progress)
        self.make, self.every = make, every
        self.sheet: np.ndarray | None = None

    def after_step(self) -> None:
        """Make the sheet."""
        now = self.progress
        due = self.every and (now.last or now.step % self.every == 0)
        self.sheet = self.make() if due else None


class TrainedWeights(RunCallback):
    """Keeps the weights of the last step, for which `fit` puts in their average.

    Training goes on from them, as it does from a state; models get the average.

    Args:
        progress: Where the run stands.
        network: That is trained.
        until: The last step.
    """

    def __init__(self, progress: Progress, network: keras.Model, until: int) -> None:
        super().__init__(progress)
        self.network, self.until = network, until
        self.kept: list[np.ndarray] | None = None

    def after_step(self) -> None:
        """Keep them, if it is the last."""
        if self.progress.step == self.until:
            self.kept = self.network.get_weights()

    def put_back(self) -> None:
        """Put them in, where all steps were made."""
        if self.kept is not None:
            self.network.set_weights(self.kept)


def is_finite(network: keras.Model) -> bool:
    """Tell whether all weights of a network are finite numbers."""
    return all(np.isfinite(weight).all() for weight in network.get_weights())
