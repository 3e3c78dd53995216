"""A film whose pictures are each made from the last one, moved along with the film."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from nst_tf.video.cuts import CutDetector
from nst_tf.video.flow import find_motion, warp


class Scene(Protocol):
    """Paints the frames of one scene after the other.

    `nst_tf.painting.frames.ScenePainter` does, by optimisation.
    """

    def begin(self, frame: np.ndarray) -> np.ndarray:
        """Return the picture of a scene's first frame, float32 `[H, W, 3]`."""

    def follow(
        self, frame: np.ndarray, held: np.ndarray, trust: np.ndarray
    ) -> np.ndarray:
        """Return the picture of a later frame, float32 `[H, W, 3]`.

        Args:
            frame: float32 `[H, W, 3]`, RGB 0..1.
            held: The last picture, moved along, likewise.
            trust: float32 `[H, W]`, 0..1: where it is known to be the same.
        """

    def state(self) -> dict[str, np.ndarray]:
        """Return what the next picture depends on besides what `follow` takes."""

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `state` returned."""


class Following:
    """A painter of films whose pictures follow the motion of the frames.

    The motion is DIS flow, trusted where forward and backward agree; at a cut a scene
    begins.

    Args:
        scene: What paints.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.cuts = CutDetector()
        self.last: tuple[np.ndarray, np.ndarray] | None = None

    def __call__(self, pixels: np.ndarray, seconds: float) -> np.ndarray:
        """Return the picture of the next frame, see `Painter`."""
        del seconds
        if self.cuts(pixels) or self.last is None:
            picture = self.scene.begin(pixels)
        else:
            motion = find_motion(self.last[0], pixels)
            held = np.clip(warp(self.last[1], motion.flow), 0.0, 1.0)
            picture = self.scene.follow(pixels, held, motion.trust)
        self.last = pixels, picture
        return picture

    def state(self) -> dict[str, np.ndarray]:
        """Return what the next picture depends on besides its frame."""
        found = {**self.cuts.state(), **self.scene.state()}
        if self.last is not None:
            found |= {"last_frame": self.last[0], "last_picture": self.last[1]}
        return found

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `state` returned."""
        self.cuts.restore(state)
        self.scene.restore(state)
        self.last = None
        if "last_frame" in state:
            self.last = state["last_frame"], state["last_picture"]
