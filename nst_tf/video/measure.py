"""How much a painted clip flickers, and what of it holding still costs.

Warping errors are told over those of the clip itself and of frames painted alone; style
and content errors stand beside them, so that blur can't win.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nst_tf.video.clips import MeasuredClip, still_scene
from nst_tf.video.coherence import clip_error, deviation
from nst_tf.video.run import Painter
from nst_tf.video.stabilize import Stabilized

FAR = 10
"""Frames between the two of a pair that are far from each other."""
ALONE, RUNNING, STABILIZED = "alone", "statistics", "stabilized"
"""Frames painted each by itself, with running statistics, and held along the motion."""
Frames = Sequence[np.ndarray]
Judge = Callable[[np.ndarray, np.ndarray], tuple[float, float]]
"""Of a picture and its frame: content error and style error."""
_SETTLED = 1 / 3
"""Part of a still scene that is left out: running means have settled after it."""


class WayScore(NamedTuple):
    """What a way of painting a clip makes of it.

    Attributes:
        near: Warping error between neighbours.
        far: The same at `FAR` frames, None for a clip that is not so long.
        content: Content error, 0 where it is not measured.
        style: Style error, 0 where it is not measured.
    """

    near: float
    far: float | None
    content: float = 0.0
    style: float = 0.0

    def over(self, base: "WayScore") -> dict[str, float]:
        """Return each figure over that of another way, where both have it."""
        mine, theirs = self._asdict(), base._asdict()
        return {k: mine[k] / theirs[k] for k in mine if mine[k] and theirs[k]}


class ClipScore(NamedTuple):
    """A clip in a style.

    Attributes:
        style: Name of the style.
        clip: Name of the clip.
        given: Of the frames themselves.
        ways: By the ways of painting.
        base: The way that the others are told over.
    """

    style: str
    clip: str
    given: WayScore
    ways: Mapping[str, WayScore]
    base: str = ALONE

    def over(self) -> dict[str, dict[str, float]]:
        """Return every other way's figures over those of the base."""
        base = self.ways[self.base]
        return {k: x.over(base) for k, x in self.ways.items() if k != self.base}

    def entry(self) -> dict[str, Any]:
        """Return the score as JSON-ready values."""
        return {
            "style": self.style,
            "clip": self.clip,
            "input": {"near": self.given.near, "far": self.given.far},
            "ways": {name: way._asdict() for name, way in self.ways.items()},
            "over_input": {k: x.over(self.given) for k, x in self.ways.items()},
            "base": self.base,
            "over_base": self.over(),
        }

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "ClipScore":
        """Return what `entry` made the values of."""
        ways = {name: WayScore(**way) for name, way in entry["ways"].items()}
        given = WayScore(**entry["input"])
        return cls(entry["style"], entry["clip"], given, ways, entry["base"])

    def line(self) -> str:
        """Return the score for people: ratios to the base of near, far and errors."""
        base, given = self.ways[self.base], self.given
        told = [f"input {given.near:.4f}", f"{self.base} {base.near:.4f}"]
        for name, found in self.over().items():
            ratios = [f"{key} {value:.2f}" for key, value in found.items()]
            told.append(f"{name} x {', '.join(ratios)}")
        return f"{self.style}, {self.clip}: {'; '.join(told)}"


def paint_ways(
    frames: Frames, seconds: Sequence[float], painters: Mapping[str, Painter]
) -> dict[str, list[np.ndarray]]:
    """Return the pictures of a clip by ways of painting it.

    Args:
        frames: float32 `[H, W, 3]`, RGB 0..1.
        seconds: When each is shown.
        painters: New ones; what `RUNNING` makes is stabilized as well.
    """
    found = {
        name: [painter(*shown) for shown in zip(frames, seconds, strict=True)]
        for name, painter in painters.items()
    }
    if RUNNING in found:
        steady = Stabilized(_Made(found[RUNNING]))
        found[STABILIZED] = [steady(*x) for x in zip(frames, seconds, strict=True)]
    return found


def measure_clip(
    clip: MeasuredClip,
    style: str,
    painters: Mapping[str, Painter],
    judge: Judge | None = None,
    *,
    base: str = ALONE,
) -> ClipScore:
    """Paint a clip in several ways and measure them.

    Args:
        clip: Frames and their motion.
        style: What the score calls the style.
        painters: New ones, by their ways; `base` is among them.
        judge: Measures content and style, of a picture in the middle and of the last.
        base: The way that the others are told over.
    """
    ways = {}
    for name, pictures in paint_ways(clip.frames, clip.seconds, painters).items():
        errors: list[float] = []
        if judge is not None:
            looked_at = (len(pictures) // 2, -1)
            told = [judge(pictures[k], clip.frames[k]) for k in looked_at]
            errors = np.mean(told, axis=0).tolist()
        ways[name] = _score(clip, pictures, *errors)
    return ClipScore(style, clip.name, _score(clip, clip.frames), ways, base)


def measure_stillness(
    photo: np.ndarray, painters: Mapping[str, Painter], *, count: int, step: float
) -> dict[str, float]:
    """Return how much pictures of a still scene with noise deviate, over the scene.

    Args:
        photo: float32 `[H, W, 3]`, RGB 0..1.
        painters: New ones, by their ways.
        count: Frames.
        step: Seconds of one.
    """
    frames = still_scene(photo, count=count)
    seconds = [step * index for index in range(count)]
    first = int(_SETTLED * count)
    noise = deviation(frames[first:])
    found = paint_ways(frames, seconds, painters)
    return {name: deviation(x[first:]) / noise for name, x in found.items()}


def summarize_clips(scores: Sequence[ClipScore]) -> dict[str, Any]:
    """Return medians and the worst of every way's ratios, by style and way."""
    found: dict[str, Any] = {}
    for style in dict.fromkeys(score.style for score in scores):
        mine = [score for score in scores if score.style == style]
        found[style] = {
            way: {
                "over_base": _spread([x.ways[way].over(x.ways[x.base]) for x in mine]),
                "over_input": _spread([x.ways[way].over(x.given) for x in mine]),
            }
            for way in mine[0].ways
        }
    return found


def _spread(ratios: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Return median and worst of every figure that there is."""
    by_figure = {
        name: [found[name] for found in ratios if name in found]
        for name in WayScore._fields
    }
    return {
        name: {"median": float(np.median(values)), "worst": float(np.max(values))}
        for name, values in by_figure.items()
        if values
    }


def _score(clip: MeasuredClip, pictures: Frames, *errors: float) -> WayScore:
    far = None
    if len(pictures) > FAR:
        far = clip_error(pictures, clip.motion, gap=FAR)
    return WayScore(clip_error(pictures, clip.motion), far, *errors)


class _Made:
    """A painter whose pictures are made already."""

    def __init__(self, pictures: Frames) -> None:
        self.pictures = iter(pictures)

    def __call__(self, pixels: np.ndarray, seconds: float) -> np.ndarray:
        return next(self.pictures)

    def state(self) -> dict[str, np.ndarray]:
        return {}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        del state
