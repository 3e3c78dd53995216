"""The frames of a film in a style, with statistics that don't jump between them.

Instance normalisation takes mean and variance from each frame, so whatever enters or
leaves changes the tone of everything else. Here they are means over the last moments of
the scene, which costs nothing: the network's file for tiles takes and gives them. Each
frame's own count in at once; a new scene begins anew.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from nst_export.runtime import tiling
from nst_export.runtime.stylizer import Stylizer, padded
from nst_tf.settings.checks import MIN_SIDE, InputError
from nst_tf.video.cuts import CutDetector

MEMORY = 0.5
"""Seconds after which a frame's statistics count a third (1/e) of what they did."""


class ClipStylizer:
    """Paints the frames of a film, one after the other.

    Args:
        stylizer: The model; without its file for tiles every frame stands alone.
        weights: One a style, the photograph's own first; from `mix_weights`.
        memory: Seconds, as `MEMORY`; 0 lets every frame stand alone.
    """

    def __init__(
        self, stylizer: Stylizer, weights: Sequence[float], *, memory: float = MEMORY
    ) -> None:
        self.stylizer, self.weights = stylizer, list(weights)
        self.memory = memory if stylizer.tile_session is not None else 0.0
        self.session: tiling.TileSession | None = None
        if self.memory and stylizer.tile_session is not None:
            self.session = stylizer.tile_session()
        self.cuts = CutDetector()
        self.running: np.ndarray | None = None
        self.seconds = 0.0

    def __call__(self, pixels: np.ndarray, seconds: float) -> np.ndarray:
        """Return the picture of the next frame.

        Args:
            pixels: float32 `[H, W, 3]`, RGB 0..1.
            seconds: When it is shown.

        Raises:
            InputError: The frame is too small.
        """
        if self.session is None:
            return self.stylizer(pixels, self.weights)
        height, width = pixels.shape[:2]
        if min(height, width) < MIN_SIDE:
            raise InputError(
                f"the frame has {width}x{height} pixels; each side needs {MIN_SIDE}"
            )
        share = 0.0
        if not self.cuts(pixels) and self.running is not None:
            share = math.exp(-max(0.0, seconds - self.seconds) / self.memory)
        self.seconds = seconds
        if height * width > self.stylizer.one_pass:
            own = tiling.estimate(self.session, pixels, self.weights)
            self._take(own, share)
            return tiling.paint(self.session, pixels, self.weights, found=self.running)
        given = np.zeros((1, 3, 1, self.session.channels), "float32")
        if self.running is not None:
            given[:, :2], given[:, 2] = self.running, share
        style = np.asarray([self.weights], "float32")
        picture, own = self.session(padded(pixels), style, given)
        self._take(own, share)
        return np.clip(picture[0, :height, :width], 0.0, 1.0)

    def _take(self, own: np.ndarray, share: float) -> None:
        """Let a frame's statistics count in, as the network does."""
        if self.running is None:
            self.running = np.array(own)
        else:
            self.running = own + np.float32(share) * (self.running - own)

    def state(self) -> dict[str, np.ndarray]:
        """Return what the next picture depends on besides its frame."""
        found = {**self.cuts.state(), "seconds": np.asarray(self.seconds)}
        return found if self.running is None else {**found, "running": self.running}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `state` returned."""
        self.cuts.restore(state)
        self.seconds, self.running = float(state["seconds"]), state.get("running")
