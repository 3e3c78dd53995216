"""Clips that flicker is measured on: photographs that move, films, a still scene."""

import functools
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nst_tf.settings.checks import InputError
from nst_tf.video.coherence import MotionOf
from nst_tf.video.decode import FilmSource
from nst_tf.video.flow import find_motion
from nst_tf.video.synthetic import Affine, Clip, Layer, camera

NOISE = 2.0 / 255.0
"""Deviation of a camera's noise."""
_RATE = 24
"""Frames a second of clips that are made."""
_THING = 96
"""Side in pixels of what moves before a background."""


class MeasuredClip(NamedTuple):
    """Frames and what is known of their motion.

    Attributes:
        name: For tables and cards.
        frames: float32 `[H, W, 3]`, RGB 0..1.
        seconds: When each is shown.
        motion: Of two indices, the earlier first.
    """

    name: str
    frames: Sequence[np.ndarray]
    seconds: Sequence[float]
    motion: MotionOf


def synthetic_clips(
    photos: Sequence[np.ndarray], *, count: int, size: int
) -> list[MeasuredClip]:
    """Return ten clips made of photographs, with exact motion.

    Pans, zooms, turns, things that move before a background, changes of exposure.

    Args:
        photos: float32 `[H, W, 3]`, RGB 0..1; beyond its border one is mirrored.
        count: Frames of each.
        size: Width of a frame in pixels; its height is 9/16 of it.
    """
    width, height = size // 2 * 2, max(16, size * 9 // 32 * 2)
    middle, start = (width / 2, height / 2), (160.0, 140.0)
    pan = camera(start=start, shift=(2.3, 0.4))
    moves = {
        "pan": pan,
        "fast pan": camera(start=start, shift=(7.5, -1.0)),
        "zoom in": camera(start=start, zoom=0.985, center=middle),
        "zoom out": camera(start=start, zoom=1.012, center=middle),
        "turn": camera(start=start, turn=0.7, center=middle),
        "turn, pan": camera(start=start, turn=-0.4, shift=(1.5, 1.0), center=middle),
        "thing": camera(start=start),
        "thing, pan": camera(start=start, shift=(1.2, 0.0)),
        "exposure": pan,
        "flash": pan,
    }
    gains = {"exposure": _gain(0.05), "flash": _gain(0.2)}
    clips = []
    for index, (name, place) in enumerate(moves.items()):
        layers = [Layer(photo=photos[index % len(photos)], place=place)]
        if name.startswith("thing"):
            layers.append(_thing(photos[(index + 2) % len(photos)]))
        gain = gains.get(name, lambda time: 1.0)
        clip = Clip(width, height, count, layers, gain)
        frames = [clip.frame(time) for time in range(count)]
        clips.append(_measured(name, frames, clip.motion))
    return clips


def film_clip(path: Path, *, count: int, size: int, start: float = 0.0) -> MeasuredClip:
    """Return the first frames of a film, with the motion that optical flow finds.

    Args:
        path: A film file.
        count: Frames at most.
        size: Long side in pixels to which larger frames are reduced.
        start: Seconds at which to begin.

    Raises:
        InputError: No film, or fewer than two frames.
    """
    source = FilmSource(path, start=start, size=size)
    found = list(itertools.islice(source.frames(), count))
    if len(found) < 2:
        raise InputError(f"{path} has {len(found)} frame: flicker needs two or more")
    frames = [frame.pixels for frame in found]
    seconds = [source.film.seconds(frame.pts) for frame in found]
    return MeasuredClip(
        path.stem,
        frames,
        seconds,
        functools.cache(lambda a, b: find_motion(frames[a], frames[b])),
    )


def still_scene(photo: np.ndarray, *, count: int) -> list[np.ndarray]:
    """Return frames of a photograph with noise of 2/255, float32 `[H, W, 3]`."""
    rng = np.random.default_rng(0)
    return [
        np.clip(photo + NOISE * rng.standard_normal(photo.shape), 0.0, 1.0).astype(
            "float32"
        )
        for _ in range(count)
    ]


def _measured(name: str, frames: list[np.ndarray], motion: MotionOf) -> MeasuredClip:
    seconds = [index / _RATE for index in range(len(frames))]
    return MeasuredClip(name, frames, seconds, functools.cache(motion))


def _gain(amount: float) -> Callable[[float], float]:
    """Return a light that falls by twice an amount and comes back."""
    return lambda time: 1.0 - amount + amount * float(np.cos(time / 2))


def _thing(photo: np.ndarray) -> Layer:
    """Return a disc cut out of the middle of a photograph, moving to the right."""
    height, width = photo.shape[:2]
    top, left = max(0, height - _THING) // 2, max(0, width - _THING) // 2
    y, x = np.mgrid[0:_THING, 0:_THING] - (_THING - 1) / 2

    place: Callable[[float], Affine] = camera(start=(-60, -40), shift=(-4.0, -0.5))
    return Layer(
        photo=photo[top : top + _THING, left : left + _THING],
        place=place,
        shape=(np.hypot(x, y) < 0.48 * _THING).astype("float32"),
    )
