"""Pictures held still along the motion of the film.

A mean of brushwork that disagrees is a blur. So the mean gets back the contrast, in the
neighbourhood of each pixel, that the frame's own picture has.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nst_tf.video.cuts import CutDetector
from nst_tf.video.flow import channel_mean, find_motion, on_channels, warp

if TYPE_CHECKING:
    from nst_tf.video.run import Painter

SHARE = 0.9
"""Share of the last picture where its motion can be trusted. A picture counts a third
of what it did after ten frames, so no colour drifts away."""
_NEAR = 25
"""Side in pixels of the neighbourhood in which contrast is kept."""
_MOST = 1.1
"""Factor by which contrast is raised at most, in each frame: what a mean of two
pictures that have nothing in common loses at `SHARE`. More of it, or each colour by
itself, breeds coloured specks where the motion is guessed, frame after frame."""


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
            held -= picture
            held *= on_channels(self.share * motion.trust)
            held += picture
            picture = _with_contrast(held, picture, motion.trust)
            np.clip(picture, 0.0, 1.0, out=picture)
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


def _with_contrast(
    mixed: np.ndarray, picture: np.ndarray, where: np.ndarray
) -> np.ndarray:
    """Return a mixture with the contrast of a picture, `[H, W, 3]`, not less than its.

    Args:
        mixed: float32 `[H, W, 3]`.
        picture: float32 `[H, W, 3]`.
        where: float32 `[H, W]`, 0..1: how much of it.
    """
    off = mixed - _near(mixed)
    own = picture - _near(picture)
    wanted = _near(channel_mean(np.square(own, out=own)))
    found = _near(channel_mean(np.square(off)))
    gain = np.clip(np.sqrt((wanted + 1e-5) / (found + 1e-5)), 1.0, _MOST)
    off *= on_channels(where * (gain - 1.0))
    off += mixed
    return off


def _near(values: np.ndarray) -> np.ndarray:
    """Return the mean over the neighbourhood of each pixel."""
    import cv2

    found: np.ndarray = cv2.blur(values, (_NEAR, _NEAR))
    return found
