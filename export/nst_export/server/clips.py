"""Frames of clips that come one by one, each in a request of its own.

Their statistics run on from frame to frame, as those of a film do, so that a camera's
picture does not flicker.
"""

import copy
import functools
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from nst_export.runtime.clip import ClipStylizer
from nst_export.runtime.stylizer import Stylizer

_KEPT = 64
"""Clips whose last frames are remembered."""


class _Last(NamedTuple):
    """After the last frame of a clip: how it was painted, and what the next needs."""

    style: list[float]
    state: Mapping[str, np.ndarray]


class Clips:
    """What the next frames of the last clips depend on.

    Args:
        stylizers: One a worker.
    """

    def __init__(self, stylizers: Sequence[Stylizer]) -> None:
        # A session a worker: to open one takes longer than to paint a frame.
        self._sessions = [
            each.tile_session and functools.cache(each.tile_session)
            for each in stylizers
        ]
        self._lock = threading.Lock()
        self._last: OrderedDict[str, _Last] = OrderedDict()

    def paint(
        self,
        clip: str,
        stylizer: Stylizer,
        frame: np.ndarray,
        weights: Sequence[float],
        *,
        worker: int,
        seconds: float,
    ) -> np.ndarray:
        """Paint the next frame of a clip; in another style it begins anew.

        Args:
            clip: Its name.
            stylizer: The worker's, perhaps with more styles.
            frame: float32 `[H, W, 3]`, RGB 0..1.
            weights: One a style, the photograph's own first; from `mix_weights`.
            worker: Its number.
            seconds: When the frame came, by any clock that runs evenly.

        Returns:
            The same shape and range.

        Raises:
            InputError: The frame is too small.
        """
        opened = copy.copy(stylizer)
        opened.tile_session = self._sessions[worker]
        painter = ClipStylizer(opened, weights, draft=None)
        with self._lock:
            last = self._last.get(clip)
        if last is not None and last.style == painter.style:
            painter.restore(last.state)
        picture = painter(frame, seconds)
        with self._lock:
            self._last[clip] = _Last(painter.style, painter.state())
            self._last.move_to_end(clip)
            while len(self._last) > _KEPT:
                self._last.popitem(last=False)
        return picture
