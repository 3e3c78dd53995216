"""What is known of one picture of a network, of many, and how it is kept."""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from nst_tf.files import replacing
from nst_tf.inspection.errors import PictureErrors
from nst_tf.running.identity import RunIdentity
from nst_tf.settings.checks import InputError
from nst_training.artefacts import Artefacts
from nst_training.flicker import Flicker


class Score(NamedTuple):
    """One photograph in one style.

    Attributes:
        photo: Name of the photograph.
        style: Name of the style.
        errors: Of content and style.
        artefacts: Faults of the picture.
        flicker: Of films, if it was measured.
        evaluations: After how many L-BFGS has a lower style error at the same content
            error, if they were compared; the limit when it had not by then.
        dial: Errors at rising strengths, the first 0, the last 1, if they were asked
            for.
        blend: Errors to this painting as the style's share against the next style's
            rises, the first 0, the last 1, if they were asked for.
    """

    photo: str
    style: str
    errors: PictureErrors
    artefacts: Artefacts
    flicker: Flicker | None
    evaluations: int | None
    dial: tuple[PictureErrors, ...] = ()
    blend: tuple[PictureErrors, ...] = ()

    def entry(self) -> dict[str, Any]:
        """Return the score as JSON-ready values."""
        films = self.flicker._asdict() if self.flicker is not None else None
        return {
            **self._asdict(),
            "errors": _plain(self.errors),
            "dial": [_plain(errors) for errors in self.dial],
            "blend": [_plain(errors) for errors in self.blend],
            "artefacts": self.artefacts._asdict(),
            "flicker": films,
        }

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Score":
        """Return what `entry` made the values of."""
        flicker = entry["flicker"]
        parts = {
            "errors": _errors(entry["errors"]),
            "dial": tuple(_errors(errors) for errors in entry["dial"]),
            "blend": tuple(_errors(errors) for errors in entry["blend"]),
            "artefacts": Artefacts(**entry["artefacts"]),
            "flicker": Flicker(**flicker) if flicker is not None else None,
        }
        return cls(**{**entry, **parts})


def _plain(errors: PictureErrors) -> dict[str, Any]:
    return {"content": errors.content, "style": list(errors.style)}


def _errors(entry: Mapping[str, Any]) -> PictureErrors:
    return PictureErrors(entry["content"], tuple(entry["style"]))


class Kept(Protocol):
    """A score that JSON can hold."""

    def entry(self) -> dict[str, Any]:
        """Return the score as JSON-ready values."""


Found = TypeVar("Found", bound=Kept)


class ScoreFile(Generic[Found]):
    """Scores on their way, so that an evaluation can go on.

    Args:
        path: Where, or None to keep none.
        identity: All that decides them.
        of: Makes a score of its `entry`.
    """

    def __init__(
        self,
        path: Path | None,
        identity: RunIdentity,
        of: Callable[[Mapping[str, Any]], Found],
    ) -> None:
        self.path, self.identity, self.of = path, identity, of

    def write(self, scores: Sequence[Found]) -> None:
        """Replace the file."""
        if self.path is None:
            return
        values = {
            "identity": self.identity.facts,
            "scores": [found.entry() for found in scores],
        }
        with replacing(self.path) as part:
            part.write_text(json.dumps(values), "utf-8")

    def read(self) -> list[Found]:
        """Return the scores.

        Raises:
            InputError: There are none, or of something else.
        """
        if self.path is None:
            return []
        try:
            values = json.loads(self.path.read_text("utf-8"))
            theirs, found = values["identity"], [self.of(x) for x in values["scores"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{self.path} holds no scores to go on from: {error}"
            ) from error
        self.identity.check(theirs, self.path)
        return found


def summarize(scores: Sequence[Score]) -> dict[str, Any]:
    """Return medians and worst by style, the worst artefacts, and all scores."""
    by_style: dict[str, list[Score]] = {}
    for found in scores:
        by_style.setdefault(found.style, []).append(found)
    worst = {
        field: max(getattr(found.artefacts, field) for found in scores)
        for field in Artefacts._fields
    }
    compared = [x.evaluations for x in scores if x.evaluations is not None]
    return {
        "evaluations": _quartiles(compared) if compared else None,
        "styles": {name: _style(found) for name, found in by_style.items()},
        "worst_artefacts": worst,
        "pictures": [found.entry() for found in scores],
    }


def _style(scores: Sequence[Score]) -> dict[str, Any]:
    contents = [found.errors.content for found in scores]
    layers = np.median([found.errors.style for found in scores], axis=0)
    summary: dict[str, Any] = {
        "content": float(np.median(contents)),
        "worst_content": max(contents),
        "style": [float(x) for x in layers],
    }
    films = [found.flicker for found in scores if found.flicker is not None]
    if films:
        pan, still = np.median(films, axis=0)
        summary |= {"flicker_pan": float(pan), "flicker_still": float(still)}
    compared = [x.evaluations for x in scores if x.evaluations is not None]
    if compared:
        summary["evaluations"] = _quartiles(compared)
    steps = [pair for found in scores for pair in itertools.pairwise(found.dial)]
    if steps:
        summary["monotone"] = float(
            np.mean(
                [
                    (more.content > less.content, more.mean_style < less.mean_style)
                    for less, more in steps
                ]
            )
        )
    steps = [pair for found in scores for pair in itertools.pairwise(found.blend)]
    if steps:
        nearer = [more.mean_style < less.mean_style for less, more in steps]
        summary["blends_monotone"] = float(np.mean(nearer))
    return summary


def _quartiles(values: Sequence[float]) -> list[float]:
    return [float(q) for q in np.percentile(values, (25, 50, 75))]
