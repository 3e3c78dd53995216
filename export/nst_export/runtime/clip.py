"""The frames of a film in a style, with statistics that don't jump between them.

It costs nothing: the network's file for tiles takes and gives them.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from nst_export.runtime import tiling
from nst_export.runtime.stylizer import Stylizer, padded
from nst_tf.settings.checks import MIN_SIDE, InputError
from nst_tf.video.statistics import MEMORY, RunningStatistics


class ClipStylizer:
    """Paints the frames of a film, one after the other.

    Args:
        stylizer: The model; without its file for tiles every frame stands alone.
        weights: One a style, the photograph's own first; from `mix_weights`.
        memory: Seconds, as `MEMORY`; 0 lets every frame stand alone.
        beside: Frames that memory must hold besides the one that is painted.

    Attributes:
        most: Pixels of a pass that free memory held at the first frame; frames of more
            go in tiles. None before it.
    """

    def __init__(
        self,
        stylizer: Stylizer,
        weights: Sequence[float],
        *,
        memory: float = MEMORY,
        beside: int = 0,
    ) -> None:
        self.stylizer, self.weights = stylizer, list(weights)
        self.style = stylizer.style_row(weights)
        self.session: tiling.TileSession | None = None
        if memory and stylizer.tile_session is not None:
            self.session = stylizer.tile_session()
        self.statistics = RunningStatistics(memory)
        self.most: float | None = None
        self._beside = beside

    def __call__(self, pixels: np.ndarray, seconds: float) -> np.ndarray:
        """Return the picture of the next frame.

        Args:
            pixels: float32 `[H, W, 3]`, RGB 0..1.
            seconds: When it is shown.

        Raises:
            InputError: The frame is too small.
        """
        if self.session is None:
            return self.stylizer(pixels, self.weights, draft=None)
        height, width = pixels.shape[:2]
        if min(height, width) < MIN_SIDE:
            raise InputError(
                f"the frame has {width}x{height} pixels; each side needs {MIN_SIDE}"
            )
        statistics = self.statistics
        share = statistics.share(pixels, seconds)
        if self.most is None:
            frames = (1 + self._beside) * height * width
            self.most = self.stylizer.affordable(frames, self.session.channels)
        if not self.stylizer.fits(height * width, self.most):
            own = tiling.estimate(self.session, pixels, self.style, most=self.most)
            statistics.take(own, share)
            return tiling.paint(
                self.session,
                pixels,
                self.style,
                found=statistics.mean,
                most=self.most,
            )
        given = statistics.given(share, self.session.channels)
        style = np.asarray([self.style], "float32")
        picture, own = self.session(padded(pixels), style, given)
        statistics.take(own, share)
        picture = picture[0, :height, :width]
        return np.clip(picture, 0.0, 1.0, out=picture)

    def state(self) -> dict[str, np.ndarray]:
        """Return what the next picture depends on besides its frame."""
        state = self.statistics.state()
        if self.most is not None:
            state["most"] = np.asarray(self.most)
        return state

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `state` returned."""
        most = state.get("most")
        self.most = None if most is None else float(most)
        self.statistics.restore(state)
