"""Pictures held still along the motion of the film."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nst_tf.video.cuts import CutDetector
from nst_tf.video.flow import find_motion, warp

if TYPE_CHECKING:
    from nst_tf.video.run import Painter

SHARE = 0.75
"""Share of the last picture where its motion can be trusted. A picture counts a third
of what it did after four frames, so no colour drifts away."""


class Stabilized:
    """A painter whose pictures take over the last one where it only moved.

    A picture is a mean, along the motion, of what was painted of the last frames.

    Args:
        painter: What is steadied.
        share: As `SHARE`; 0 changes nothing.
    """

    def __init__(self, painter: "Painter", *, share: float = SHARE) -> None:
        self.painter, self.share = painter, share
        self.cuts = CutDetector()
        self.last: tuple[np.ndarray, np.ndarray] | None = None

    def __call__(self, pixels: np.ndarray, seconds: float) -> np.ndarray:
        """Return the picture of the next frame, see `Painter`."""
        picture = np.asarray(self.painter(pixels, seconds), "float32")
        cut = self.cuts(pixels)
        if not cut and self.last is not None:
            motion = find_motion(self.last[0], pixels)
            held = warp(self.last[1], motion.flow)
            picture = picture + self.share * motion.trust[..., None] * (held - picture)
            picture = np.clip(picture, 0.0, 1.0)
        self.last = pixels, picture
        return picture

    def state(self) -> dict[str, np.ndarray]:
        """Return what the next picture depends on besides its frame."""
        found = {f"inner_{k}": v for k, v in self.painter.state().items()}
        found |= self.cuts.state()
        if self.last is not None:
            found |= {"last_frame": self.last[0], "last_picture": self.last[1]}
        return found

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `state` returned."""
        start = len("inner_")
        inner = {k[start:]: v for k, v in state.items() if k.startswith("inner_")}
        self.painter.restore(inner)
        self.cuts.restore(state)
        self.last = None
        if "last_frame" in state:
            self.last = state["last_frame"], state["last_picture"]
