"""How much films flicker that a trained network paints."""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from nst_tf.backend.compile import compiled
from nst_tf.files import sha256
from nst_tf.imaging.read import load_image
from nst_tf.imaging.resize import reduce
from nst_tf.inspection.errors import ErrorMeter
from nst_tf.loss.choice import networks_of
from nst_tf.network.trained import Model, hash_model
from nst_tf.running.identity import RunIdentity
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import ExtractorSettings
from nst_tf.video.clips import MeasuredClip, film_clip, synthetic_clips
from nst_tf.video.measure import (
    ALONE,
    RUNNING,
    ClipScore,
    measure_clip,
    measure_stillness,
    summarize_clips,
)
from nst_tf.video.run import Painter
from nst_tf.video.statistics import MEMORY, RunningStatistics
from nst_training.encoded import model_for
from nst_training.scores import ScoreFile

AGAINST = "against"
"""Frames painted each by itself by the other model."""


class Networks:
    """A trained model as a painter of films, compiled once for all styles and clips.

    Args:
        model: What `nst train` wrote.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.network = model.network.rebuilt(tiles=True, dtype="float32")
        (given,) = [x for x in self.network.inputs if x.name == "statistics"]
        self.channels = int(given.shape[-1])
        self._run = compiled(self._painted)

    def _painted(self, image: Any, style: Any, statistics: Any) -> tuple[Any, Any]:
        inputs = {"image": image, "style": style, "statistics": statistics}
        found = self.network(inputs)
        return found["picture"], found["statistics"]

    def painter(self, style: int, *, memory: float = MEMORY) -> "ClipNetwork":
        """Return a painter in one style alone, by its index, from 1."""
        return ClipNetwork(self, style, memory)

    def __call__(
        self, frame: np.ndarray, style: int, statistics: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return a picture `[H, W, 3]` and its statistics `[1, 2, 1, S]`."""
        rows = np.eye(len(self.model.styles) + 1, dtype="float32")
        picture, own = self._run(frame[None], rows[style][None], statistics)
        return keras.ops.convert_to_numpy(picture)[0], keras.ops.convert_to_numpy(own)


class ClipNetwork:
    """Paints the frames of a film with a trained network, one after the other.

    Args:
        networks: The model.
        style: Index of the style, from 1.
        memory: Seconds, as `MEMORY`; 0 lets every frame stand alone.
    """

    def __init__(self, networks: Networks, style: int, memory: float) -> None:
        self.networks, self.style, self.memory = networks, style, memory
        self.statistics = RunningStatistics(memory or MEMORY)

    def __call__(self, pixels: np.ndarray, seconds: float) -> np.ndarray:
        """Return the picture of the next frame, see `Painter`."""
        statistics = self.statistics
        share = statistics.share(pixels, seconds) if self.memory else 0.0
        given = statistics.given(share, self.networks.channels)
        picture, own = self.networks(pixels, self.style, given)
        if self.memory:
            statistics.take(own, share)
        return picture

    def state(self) -> dict[str, np.ndarray]:
        """Return what the next picture depends on besides its frame."""
        return self.statistics.state()

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `state` returned."""
        self.statistics.restore(state)


def evaluate_films(
    folder: Path,
    films: Sequence[Path],
    photos: Sequence[Path],
    paintings: Sequence[Path],
    *,
    size: int = 512,
    count: int = 24,
    against: Path | None = None,
    observer: Callable[[ClipScore], None] | None = None,
    state: Path | None = None,
    resume: bool = False,
) -> dict[str, Any]:
    """Score the films of a model in all of its styles.

    Args:
        folder: What `train` wrote.
        films: Film files; without any ten clips with exact motion are made of `photos`.
        photos: Photographs it was not trained on; only needed without `films`.
        paintings: The style images, see `model_for`.
        size: Long side in pixels of the frames.
        count: Frames of a clip.
        against: Another model with the same styles, whose frames painted alone are
            what the figures are told over.
        observer: Called after every clip in a style that was scored now.
        state: Keeps the scores, for `resume`; to be deleted by the caller.
        resume: Go on after the last score in `state`.

    Returns:
        The scorecard, JSON-ready.

    Raises:
        InputError: No model, films or pictures that can't be read or don't fit it, or a
            state of another model, other films or settings.
    """
    model, art = model_for(folder, paintings)
    theirs = None if against is None else Networks(_like(against, paintings, model))
    clips = _clips(films, photos, size, count)
    network = networks_of(ExtractorSettings())[-1]
    judged = {"size": size, "frames": count, "network": network}
    models = [folder] if against is None else [folder, against]
    identity = RunIdentity(
        {
            "models": [hash_model(path) for path in models],
            "inputs": [sha256(path) for path in (*films, *photos, *paintings)],
            **judged,
        },
        other="another model, other films or other settings",
        hint="; start anew without --resume",
    )
    file = ScoreFile(state, identity, ClipScore.of)
    scores = file.read() if resume else []
    mine, known = Networks(model), len(scores)
    base = ALONE if theirs is None else AGAINST
    meter, still = ErrorMeter(ExtractorSettings(network=network)), {}
    for index, (style, painting) in enumerate(zip(model.styles, art, strict=True)):
        judge = functools.partial(_judged, meter, painting)
        for clip in clips[max(0, known - index * len(clips)) :]:
            painters = _painters(mine, theirs, index + 1)
            scores.append(measure_clip(clip, style, painters, judge, base=base))
            file.write(scores)
            if observer is not None:
                observer(scores[-1])
        still[style] = _stillness(clips[0], _painters(mine, None, index + 1))
    return {
        "model": model.card["name"],
        **judged,
        "base": base,
        "styles": summarize_clips(scores),
        "still": still,
        "clips": [score.entry() for score in scores],
    }


def _stillness(clip: MeasuredClip, painters: dict[str, Painter]) -> dict[str, float]:
    """Return how the first frame of a clip flickers, shown as long as the clip."""
    step = clip.seconds[1] - clip.seconds[0]
    count = len(clip.frames)
    return measure_stillness(clip.frames[0], painters, count=count, step=step)


def _like(folder: Path, paintings: Sequence[Path], model: Model) -> Model:
    """Return another model of the same styles."""
    other, _ = model_for(folder, paintings)
    if other.styles != model.styles:
        raise InputError(
            f"{folder} has the styles {', '.join(other.styles)}; to compare it needs"
            f" {', '.join(model.styles)}"
        )
    return other


def _clips(
    films: Sequence[Path], photos: Sequence[Path], size: int, count: int
) -> list[MeasuredClip]:
    """Return the films that were given, or those made of photographs."""
    if films:
        return [film_clip(path, count=count, size=size) for path in films]
    pictures = [reduce(load_image(path).pixels, 2 * size) for path in photos[:10]]
    return synthetic_clips(pictures, count=count, size=size)


def _painters(
    mine: Networks, theirs: Networks | None, style: int
) -> dict[str, Painter]:
    """Return new painters by the ways that are compared."""
    found: dict[str, Painter] = {
        ALONE: mine.painter(style, memory=0.0),
        RUNNING: mine.painter(style),
    }
    if theirs is not None:
        found[AGAINST] = theirs.painter(style, memory=0.0)
    return found


def _judged(
    meter: ErrorMeter, painting: np.ndarray, picture: np.ndarray, frame: np.ndarray
) -> tuple[float, float]:
    """Return content error and mean style error."""
    errors = meter(picture, frame, painting)
    return errors.content, errors.mean_style
