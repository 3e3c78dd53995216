"""The frames of a film in a style, with statistics that don't jump between them.

They cost nothing: the network's file for tiles takes and gives them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from nst_export.runtime import drafts, tiling
from nst_export.runtime.stylizer import Stylizer, padded
from nst_tf.machine import trim_heap
from nst_tf.settings.checks import MIN_SIDE, InputError
from nst_tf.video.resize import resize_frame
from nst_tf.video.statistics import MEMORY, RunningMean, RunningStatistics

_REVISION = 6
"""Frames that memory holds while one is revised: what it begins with, what it lacks,
and what is resized."""


class _Pass(NamedTuple):
    """What paints one size of the frames, laid out for it alone."""

    session: tiling.TileSession
    statistics: RunningMean


class ClipStylizer:
    """Paints the frames of a film, one after the other.

    Args:
        stylizer: The model; without its file for tiles every frame stands alone.
        weights: One a style, the photograph's own first; from `mix_weights`.
        memory: Seconds, as `MEMORY`; 0 lets every frame stand alone.
        beside: Frames that memory must hold besides the one that is painted.
        draft: Short side in pixels of the draft of larger frames, each painted from
            one as `Stylizer` paints photographs; None paints in one pass.

    Attributes:
        most: Pixels of the passes that free memory held at the first frame; frames of
            more go in tiles. None before it.
    """

    def __init__(
        self,
        stylizer: Stylizer,
        weights: Sequence[float],
        *,
        memory: float = MEMORY,
        beside: int = 0,
        draft: int | None = drafts.DRAFT,
    ) -> None:
        self.stylizer, self.weights = stylizer, list(weights)
        self.style = stylizer.style_row(weights)
        self.session: tiling.TileSession | None = None
        if memory and stylizer.tile_session is not None:
            self.session = stylizer.tile_session()
        self.statistics = RunningStatistics(memory)
        self.draft = stylizer.draft_of(draft)
        self.most: float | None = None
        self._beside = beside
        self._smaller: list[_Pass] = []

    def __call__(self, pixels: np.ndarray, seconds: float) -> np.ndarray:
        """Return the picture of the next frame.

        Args:
            pixels: float32 `[H, W, 3]`, RGB 0..1.
            seconds: When it is shown.

        Raises:
            InputError: The frame is too small.
        """
        if self.session is None:
            return self.stylizer(pixels, self.weights, draft=self.draft)
        height, width = pixels.shape[:2]
        if min(height, width) < MIN_SIDE:
            raise InputError(
                f"the frame has {width}x{height} pixels; each side needs {MIN_SIDE}"
            )
        share = self.statistics.share(pixels, seconds)
        sizes = drafts.sizes(width, height, self.draft)
        if self.most is None:
            frames = 1 + self._beside + (_REVISION if len(sizes) > 1 else 0)
            area = frames * height * width
            self.most = self.stylizer.affordable(area, self.session.channels)
        passes = self._passes(len(sizes))
        # All sizes stay laid out, so each has its part of the memory.
        part = self.most / sum(wide * tall for wide, tall in sizes)

        def paint(frame: np.ndarray) -> np.ndarray:
            return self._paint(next(passes), frame, share, part)

        return drafts.paint(paint, pixels, self.weights[0], sizes, resize_frame)

    def _passes(self, count: int) -> Iterator[_Pass]:
        """Yield what paints each size, the frame's own last."""
        assert self.session is not None
        del self._smaller[count - 1 :]
        while len(self._smaller) < count - 1:
            self._smaller.append(self._another(None))
        yield from self._smaller
        yield _Pass(self.session, self.statistics)

    def _another(self, mean: np.ndarray | None) -> _Pass:
        """Return what paints one more size, with the mean of its statistics so far."""
        assert self.stylizer.tile_session is not None
        return _Pass(self.stylizer.tile_session(), RunningMean(mean))

    def _paint(
        self, given: _Pass, frame: np.ndarray, share: float, part: float
    ) -> np.ndarray:
        """Paint a frame, or its draft, in one pass or in tiles.

        Args:
            given: What paints this size.
            frame: float32 `[H, W, 3]`.
            share: Of the mean so far that it keeps.
            part: Pixels of a pass that memory holds, a pixel of the frame.
        """
        session, statistics = given
        height, width = frame.shape[:2]
        most = part * height * width
        if not self.stylizer.fits(height * width, most):
            trim_heap()
            own = tiling.estimate(session, frame, self.style, most=most)
            statistics.take(own, share)
            return tiling.paint(
                session, frame, self.style, found=statistics.mean, most=most
            )
        running = statistics.given(share, session.channels)
        style = np.asarray([self.style], "float32")
        picture, own = session(padded(frame), style, running)
        statistics.take(own, share)
        picture = picture[0, :height, :width]
        return np.clip(picture, 0.0, 1.0, out=picture)

    def state(self) -> dict[str, np.ndarray]:
        """Return what the next picture depends on besides its frame."""
        state = self.statistics.state()
        if self.most is not None:
            state["most"] = np.asarray(self.most)
        for index, (_, statistics) in enumerate(self._smaller):
            if statistics.mean is not None:
                state[f"running_{index}"] = statistics.mean
        return state

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `state` returned."""
        most = state.get("most")
        self.most = None if most is None else float(most)
        self.statistics.restore(state)
        self._smaller.clear()
        while (mean := state.get(f"running_{len(self._smaller)}")) is not None:
            self._smaller.append(self._another(mean))
