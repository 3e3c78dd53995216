"""How good a trained network is, measured on photographs it has not seen.

Content and style errors say how much is left of the photograph and how much there is of
the painting; neither can be bought with a heavier weight but at the other's cost.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nst_tf.files import sha256
from nst_tf.imaging.contact_sheet import arrange, on_square
from nst_tf.imaging.folder import find_images, names_below
from nst_tf.imaging.read import load_image
from nst_tf.imaging.resize import reduce
from nst_tf.inspection.errors import ErrorMeter, PictureErrors
from nst_tf.inspection.likeness import ssim
from nst_tf.loss.choice import networks_of
from nst_tf.network.trained import Model, hash_model, load_model
from nst_tf.running.identity import RunIdentity
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import ExtractorSettings
from nst_training.artefacts import AREA, measure_artefacts
from nst_training.comparison import evaluations_to_match
from nst_training.encoded import model_for, with_paintings
from nst_training.flicker import measure_flicker
from nst_training.scores import Score, ScoreFile, summarize


def paint(
    model: Model, photo: np.ndarray, style: int, strength: float = 1.0
) -> np.ndarray:
    """Return float32 `[H, W, 3]` in one style alone, by its index, from 1."""
    rows = np.eye(len(model.styles) + 1, dtype="float32")
    return model(photo, strength * rows[style] + (1.0 - strength) * rows[0])


def _between(
    model: Model,
    photo: np.ndarray,
    painting: np.ndarray,
    meter: ErrorMeter,
    rows: tuple[Any, Any],
    shares: Sequence[float],
) -> list[PictureErrors]:
    """Return the errors on the way from weights to others, without its end.

    Args:
        model: The network.
        photo: As `score` takes it.
        painting: What all are compared with.
        meter: What measures.
        rows: The weights of the start and those of the end.
        shares: Of the end, rising; before them comes 0. Without any nothing is painted.
    """
    first, last = rows
    return [
        meter(model(photo, share * last + (1.0 - share) * first), photo, painting)
        for share in (0.0, *shares)
        if shares
    ]


def score(
    model: Model,
    photo: np.ndarray,
    painting: np.ndarray,
    style: int,
    meter: ErrorMeter,
    *,
    name: str = "",
    limit: int = 150,
    strengths: Sequence[float] = (),
    blends: Sequence[float] = (),
) -> tuple[np.ndarray, Score]:
    """Stylise a photograph, measure the result and compare it with L-BFGS.

    Args:
        model: The network.
        photo: float32 `[H, W, 3]`, RGB 0..1, as large as it is to be judged.
        painting: The style image.
        style: Index of the style, from 1.
        meter: What measures content and style.
        name: What the score calls the photograph.
        limit: Evaluations after which the comparison ends (0: no comparison).
        strengths: Rising, between 0 and 1, at which it is measured too.
        blends: Rising, between 0 and 1: shares of the style against the next one.

    Returns:
        The picture, float32 `[H, W, 3]`, and its score.
    """

    def painted(frame: np.ndarray) -> np.ndarray:
        return paint(model, frame, style)

    picture = painted(photo)
    errors = meter(picture, photo, painting)
    rows = np.eye(len(model.styles) + 1, dtype="float32")
    mine, other = rows[style], rows[style % len(model.styles) + 1]
    dial, blend = (
        _between(model, photo, painting, meter, (first, mine), shares)
        for first, shares in ((rows[0], strengths), (other, blends))
    )
    return picture, Score(
        name,
        model.styles[style - 1],
        errors,
        measure_artefacts(picture, photo, painting),
        measure_flicker(painted, photo),
        evaluations_to_match(errors, photo, painting, meter, limit) if limit else None,
        (*dial, errors) if dial else (),
        (*blend, errors) if blend else (),
    )


def evaluate(
    folder: Path,
    photos: Sequence[Path],
    paintings: Sequence[Path],
    *,
    size: int = 512,
    limit: int = 150,
    strengths: Sequence[float] = (),
    blends: Sequence[float] = (),
    beside: Path | None = None,
    observer: Callable[[Score], None] | None = None,
    state: Path | None = None,
    resume: bool = False,
) -> tuple[dict[str, Any], np.ndarray]:
    """Score a model on photographs in all of its styles.

    Args:
        folder: What `train` wrote.
        photos: Photographs it was not trained on.
        paintings: The style images, in the order of the model's styles; for a model for
            any painting, any.
        size: Long side in pixels at which it is judged.
        limit: Evaluations of L-BFGS after which a comparison ends (0: none begins).
        strengths: Rising, between 0 and 1, at which pictures are measured too.
        blends: Rising, between 0 and 1: shares of each style against the next one, at
            which blends are measured.
        beside: A folder of another program's pictures, each with the names of a style
            and of a photograph in its own, to put on the sheet and into the scorecard.
        observer: Called after every picture that was scored now.
        state: Keeps the scores, for `resume`; to be deleted by the caller.
        resume: Go on after the last score in `state`.

    Returns:
        The scorecard, JSON-ready, and a contact sheet: a row a photograph, the
        photograph first, then each style, and what lies beside it.

    Raises:
        InputError: No model, pictures that can't be read or don't fit it, or a state
            of another model, other pictures or settings.
    """
    model, art = model_for(folder, paintings)
    if blends and len(art) == 1:
        raise InputError(f"blends are of two styles, and {model.styles[0]} is alone")
    others = _beside(beside, photos, model.styles)
    # The last: what is judged is looked at through the network itself, if it is here.
    network = networks_of(ExtractorSettings())[-1]
    meter = ErrorMeter(ExtractorSettings(network=network))
    judged: dict[str, Any] = {"size": size, "limit": limit, "network": network}
    judged |= {"strengths": [*strengths], "blends": [*blends]}
    identity = _identity(folder, photos, paintings, judged)
    file = ScoreFile(state, identity, Score.of)
    known = file.read() if resume else []
    scores, theirs, pictures = list[Score](), list[Score](), list[np.ndarray]()
    frames, names = [_frame(path, size) for path in photos], names_below(photos)
    for path, photo, name in zip(photos, frames, names, strict=True):
        pictures.append(photo)
        for index, painting in enumerate(art, 1):
            if len(scores) < len(known):
                pictures.append(paint(model, photo, index))
                scores.append(known[len(scores)])
            else:
                picture, found = score(
                    model,
                    photo,
                    painting,
                    index,
                    meter,
                    name=name,
                    limit=limit,
                    strengths=strengths,
                    blends=blends,
                )
                scores.append(found)
                pictures.append(picture)
                file.write(scores)
                if observer is not None:
                    observer(found)
            other = others.get((path, model.styles[index - 1]))
            if beside is not None:
                pictures.append(np.ones_like(photo))
            if other is not None:
                pictures[-1], found = _measured(
                    other, photo, painting, scores[-1], meter
                )
                theirs.append(found)
    cells = [on_square(picture, size // 2, margin=4) for picture in pictures]
    each = 1 if beside is None else 2
    sheet = arrange(cells, columns=1 + each * len(art))
    card = {"model": model.card["name"], **judged, **summarize(scores)}
    if "any" in model.card:
        stays = _by_themselves(folder, frames)
        card["by_itself"] = dict(zip(names, stays, strict=True))
    if beside is not None:
        card["beside"] = summarize(theirs)
    return card, sheet


def _frame(path: Path, size: int) -> np.ndarray:
    """Return a photograph at the size at which it is judged.

    Raises:
        InputError: It is too narrow for what is measured.
    """
    pixels = reduce(load_image(path).pixels, size)
    height, width = pixels.shape[:2]
    if min(height, width) < AREA:
        raise InputError(
            f"{path} has {width}x{height} pixels when it is judged; each side needs"
            f" {AREA}"
        )
    return pixels


def _by_themselves(folder: Path, photos: Sequence[np.ndarray]) -> list[float]:
    """Return the SSIM of photographs and their pictures when they are the painting."""
    own = with_paintings(
        folder, load_model(folder), {str(k): x for k, x in enumerate(photos)}
    )
    return [ssim(paint(own, photo, k), photo) for k, photo in enumerate(photos, 1)]


def _beside(
    folder: Path | None, photos: Sequence[Path], styles: Sequence[str]
) -> dict[tuple[Path, str], Path]:
    """Find another program's pictures by photograph and style.

    Raises:
        InputError: There are none.
    """
    if folder is None:
        return {}
    found: dict[tuple[Path, str], Path] = {}
    stems = [photo.stem for photo in photos]
    for file in find_images(folder).files:
        if style := _named(file.stem, styles):
            named = _named(file.stem.replace(style, "", 1), stems)
            found |= {(path, style): file for path in photos if path.stem == named}
    if not found:
        raise InputError(
            f"{folder} holds no picture whose name has those of a photograph and of a"
            f" style in it, such as {styles[0]}_{photos[0].stem}.jpg"
        )
    return found


def _named(text: str, names: Sequence[str]) -> str:
    """Return the longest of the names that stands in a text as a word, "" if none.

    So img1 is not found in that of img10, nor night in starry_night where both are
    names.
    """
    word = r"(?<![^\W_]){}(?![^\W_])"
    there = [name for name in names if re.search(word.format(re.escape(name)), text)]
    return max(there, key=len, default="")


def _measured(
    file: Path, photo: np.ndarray, painting: np.ndarray, mine: Score, meter: ErrorMeter
) -> tuple[np.ndarray, Score]:
    """Return another program's picture and its score: no flicker, no comparison."""
    picture = load_image(file).pixels
    if picture.shape != photo.shape:
        height, width = photo.shape[:2]
        raise InputError(
            f"{file} has {picture.shape[1]}x{picture.shape[0]} pixels, the photograph"
            f" {width}x{height}: pictures to compare must be as large"
        )
    errors = meter(picture, photo, painting)
    artefacts = measure_artefacts(picture, photo, painting)
    return picture, Score(mine.photo, mine.style, errors, artefacts, None, None)


def _identity(
    folder: Path,
    photos: Sequence[Path],
    paintings: Sequence[Path],
    judged: Mapping[str, Any],
) -> RunIdentity:
    """Return all that decides the scores."""
    facts = {
        "model": hash_model(folder),
        "photographs": [sha256(path) for path in photos],
        "paintings": [sha256(path) for path in paintings],
        **judged,
    }
    return RunIdentity(
        facts,
        other="another model, other pictures or other settings",
        hint="; start anew without --resume",
    )
