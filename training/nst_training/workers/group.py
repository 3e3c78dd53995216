"""The workers of a training, joined by JAX, and what they agree on between steps."""

import json
from collections.abc import Sequence

import numpy as np

from nst_training.workers.share import ALL, Share


class Workers:
    """The processes that train one network; of this one alone without arguments.

    Args:
        share: Which of them this is.
        devices: The names of the devices of all of them, as Keras has them.
    """

    def __init__(
        self, share: Share = ALL, devices: Sequence[str] | None = None
    ) -> None:
        self.share, self.devices = share, list(devices or [])
        self._counts = [0] * share.count
        self._broken: dict[str, str] = {}

    @property
    def first(self) -> bool:
        """Whether this one writes the files."""
        return self.share.rank == 0

    def any(self, flag: bool) -> bool:
        """Tell whether a flag is set in any worker; all must ask."""
        return bool(self._gathered([flag]).any())

    def all_broken(self, mine: dict[str, str]) -> dict[str, str]:
        """Return the broken photographs of all workers, by name; all must ask.

        Args:
            mine: Those that this one has met.
        """
        if self.share.count == 1:
            return mine
        mine = dict(mine)  # Threads that decode add to it.
        text = np.frombuffer(json.dumps(mine).encode(), "uint8")
        counts = self._gathered([len(mine), len(text)])
        if counts[:, 0].tolist() != self._counts:
            self._counts = counts[:, 0].tolist()
            padded = np.pad(text, (0, int(counts[:, 1].max()) - len(text)), "constant")
            for row, size in zip(self._gathered(padded), counts[:, 1], strict=True):
                self._broken |= json.loads(row[:size].tobytes())
        return self._broken

    def _gathered(self, values: list[int] | list[bool] | np.ndarray) -> np.ndarray:
        """Return the numbers of all workers, one row each."""
        if self.share.count == 1:
            return np.asarray(values)[None]
        from jax.experimental.multihost_utils import process_allgather

        rows: np.ndarray = process_allgather(np.asarray(values), tiled=False)
        return np.asarray(rows)


def join(share: Share, coordinator: str) -> Workers:
    """Join the others, before anything is computed; wait until all have.

    Args:
        share: Which of the workers this is.
        coordinator: `HOST:PORT` where the first one's JAX answers.
    """
    import jax
    import keras

    # What a GPU has by itself; processors need one to be named.
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(
        coordinator,
        share.count,
        share.rank,
        # A process takes all devices that it sees, whatever launched it.
        cluster_detection_method="deactivate",
    )
    return Workers(share, keras.distribution.list_devices())


def leave() -> None:
    """Wait until all have come to the end, and part."""
    import jax

    jax.distributed.shutdown()
