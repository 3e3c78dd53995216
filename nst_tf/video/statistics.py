"""Statistics of normalisations that run through a scene instead of a frame.

Instance normalisation takes mean and variance from each frame, so whatever enters or
leaves changes the tone of everything else. Here they are means over the last moments of
the scene. Each frame's own count in at once; a new scene begins anew. Where the
exposure changes, which instance normalisation takes out, the means follow at once.
"""

import math
from collections.abc import Mapping

import numpy as np

from nst_tf.video.cuts import CutDetector

MEMORY = 0.5
"""Seconds after which a frame's statistics count a third (1/e) of what they did."""
_EXPOSURE = 0.02
"""Change of exposure, a logarithm, after which they count a third as well."""


class RunningMean:
    """The mean of a film's statistics, kept up as a `RunningStatistics` says.

    Attributes:
        mean: float32 `[1, 2, 1, S]`: mean and variance of all channels of all
            normalisations; None before the first frame.
    """

    def __init__(self, mean: np.ndarray | None = None) -> None:
        self.mean = mean

    def given(self, share: float, channels: int) -> np.ndarray:
        """Return what a network takes, float32 `[1, 3, 1, S]`: its mixes so much in."""
        given = np.zeros((1, 3, 1, channels), "float32")
        if self.mean is not None:
            given[:, :2], given[:, 2] = self.mean, share
        return given

    def take(self, own: np.ndarray, share: float) -> None:
        """Let a frame's statistics count in, as the network did.

        Args:
            own: float32 `[1, 2, 1, S]`.
            share: Of the mean so far.
        """
        if self.mean is None:
            self.mean = np.array(own)
        else:
            self.mean = own + np.float32(share) * (self.mean - own)


class RunningStatistics(RunningMean):
    """The mean of a film's statistics up to now, and how much of it a frame keeps.

    Args:
        memory: Seconds, as `MEMORY`.
    """

    def __init__(self, memory: float = MEMORY) -> None:
        super().__init__()
        self.memory = memory
        self._cuts = CutDetector()
        self._seconds = 0.0
        self._behind = 0.0  # The mean's exposure, behind that of the last frame.

    def share(self, pixels: np.ndarray, seconds: float) -> float:
        """Look at the next frame; return how much of the mean it is to keep.

        Args:
            pixels: float32 `[H, W, 3]`, RGB 0..1.
            seconds: When it is shown.
        """
        share = 0.0
        if not self._cuts(pixels) and self.mean is not None:
            self._behind += self._cuts.exposure
            passed = max(0.0, seconds - self._seconds) / self.memory
            share = math.exp(-passed - abs(self._behind) / _EXPOSURE)
        self._behind *= share
        self._seconds = seconds
        return share

    def state(self) -> dict[str, np.ndarray]:
        """Return what the next frame's statistics depend on besides the frame."""
        found = {
            **self._cuts.state(),
            "seconds": np.asarray(self._seconds),
            "behind": np.asarray(self._behind),
        }
        return found if self.mean is None else {**found, "running": self.mean}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `state` returned."""
        self._cuts.restore(state)
        self._seconds, self.mean = float(state["seconds"]), state.get("running")
        self._behind = float(state.get("behind", 0.0))
