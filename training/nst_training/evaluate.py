"""How good a trained network is, measured on photographs it has not seen.

Reference:
    Johnson et al. 2016, figure 5 (a pass of the network against L-BFGS evaluations),
    https://arxiv.org/abs/1603.08155
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nst_tf.files import replacing, sha256
from nst_tf.imaging.contact_sheet import arrange, on_square
from nst_tf.imaging.read import load_image
from nst_tf.imaging.resize import reduce
from nst_tf.loss.choice import choose_network
from nst_tf.loss.parts import LossParts
from nst_tf.network.trained import MODEL, Model, load_model
from nst_tf.painting.events import Step
from nst_tf.painting.measure import measure_loss
from nst_tf.painting.run import optimize_image
from nst_tf.running.identity import RunIdentity
from nst_tf.settings.checks import InputError
from nst_tf.settings.codec import from_dict
from nst_tf.settings.loss import ExtractorSettings, LossSettings
from nst_tf.settings.optimize import OptimizeSettings
from nst_training.artefacts import Artefacts, measure_artefacts


class Score(NamedTuple):
    """One photograph in one style.

    Attributes:
        photo: Name of the photograph.
        style: Name of the style.
        loss: Parts of the network's loss, by the recipe's weights, in float32.
        evaluations: Evaluations from the photograph after which L-BFGS has a loss as
            low; `limit` when it had not by then.
        artefacts: Faults of the picture.
    """

    photo: str
    style: str
    loss: LossParts
    evaluations: int
    artefacts: Artefacts


def paint(model: Model, photo: np.ndarray, style: int) -> np.ndarray:
    """Return float32 `[H, W, 3]` in one style alone, by its index, from 1."""
    return model(photo, np.eye(len(model.styles) + 1, dtype="float32")[style])


def score(
    model: Model,
    photo: np.ndarray,
    painting: np.ndarray,
    style: int,
    loss: LossSettings,
    *,
    name: str = "",
    limit: int = 150,
) -> tuple[np.ndarray, Score]:
    """Stylise a photograph and compare the result with L-BFGS.

    Args:
        model: The network.
        photo: float32 `[H, W, 3]`, RGB 0..1, as large as it is to be judged.
        painting: The style image, at the size it was trained with.
        style: Index of the style, from 1.
        loss: The recipe's loss, with the style's own strength in its style weight.
        name: What the score calls the photograph.
        limit: Evaluations after which the comparison ends.

    Returns:
        The picture, float32 `[H, W, 3]`, and its score.
    """
    picture = paint(model, photo, style)
    settings = OptimizeSettings(
        size=max(photo.shape[:2]),
        style_size=max(painting.shape[:2]),
        scales=1,
        schedule="whole",
        steps=limit,
        loss=loss,
    )
    mine = measure_loss(picture, photo, painting, settings)
    reached: list[int] = []

    def observe(step: Step) -> bool:
        if step.loss.total <= mine.total:
            reached.append(step.evaluation)
        return bool(reached)

    optimize_image(photo, painting, settings, observer=observe)
    result = Score(
        name,
        model.styles[style - 1],
        mine,
        reached[0] if reached else limit,
        measure_artefacts(picture, photo),
    )
    return picture, result


def evaluate(
    folder: Path,
    photos: Sequence[Path],
    paintings: Sequence[Path],
    *,
    size: int = 512,
    limit: int = 150,
    observer: Callable[[Score], None] | None = None,
    state: Path | None = None,
    resume: bool = False,
) -> tuple[dict[str, Any], np.ndarray]:
    """Score a model on photographs in all of its styles.

    Args:
        folder: What `train` wrote.
        photos: Photographs it was not trained on.
        paintings: The style images, in the order of the model's styles.
        size: Long side in pixels at which it is judged.
        limit: Evaluations of L-BFGS after which a comparison ends.
        observer: Called after every picture that was scored now.
        state: Keeps the scores, for `resume`; to be deleted by the caller.
        resume: Go on after the last score in `state`.

    Returns:
        The scorecard, JSON-ready, and a contact sheet: a row a photograph, the
        photograph first, then each style.

    Raises:
        InputError: No model, pictures that can't be read or don't fit it, or a state
            of another model, other pictures or settings.
    """
    model = load_model(folder)
    network = choose_network(ExtractorSettings()).network
    if len(paintings) != len(model.styles):
        raise InputError(
            f"{folder} has {len(model.styles)} styles ({', '.join(model.styles)}), but"
            f" {len(paintings)} paintings were given"
        )
    recipe = model.card["recipe"]
    loss = from_dict({"loss": recipe["loss"]}).loss
    art = [
        reduce(load_image(path).pixels, style["size"] or recipe["style_size"])
        for path, style in zip(paintings, recipe["styles"], strict=True)
    ]
    judged = {"size": size, "limit": limit, "network": network}
    identity = _identity(folder, photos, paintings, {**judged, "recipe": recipe})
    known = _read_scores(state, identity) if state and resume else []
    scores: list[Score] = []
    pictures = []
    for path in photos:
        photo = reduce(load_image(path).pixels, size)
        pictures.append(photo)
        for index, painting in enumerate(art, 1):
            strength = recipe["styles"][index - 1]["strength"]
            own = dataclasses.replace(
                loss, style_weight=strength * loss.term_weights["style"]
            )
            if len(scores) < len(known):
                pictures.append(paint(model, photo, index))
                scores.append(known[len(scores)])
                continue
            picture, found = score(
                model, photo, painting, index, own, name=path.name, limit=limit
            )
            scores.append(found)
            pictures.append(picture)
            if state is not None:
                _write_scores(state, identity, scores)
            if observer is not None:
                observer(found)
    cells = [on_square(picture, size // 2, margin=4) for picture in pictures]
    sheet = arrange(cells, columns=1 + len(art))
    return _summary(model, scores, judged), sheet


def _identity(
    folder: Path,
    photos: Sequence[Path],
    paintings: Sequence[Path],
    judged: Mapping[str, Any],
) -> RunIdentity:
    """Return all that decides the scores."""
    facts = {
        "model": sha256(folder / MODEL),
        "photographs": [sha256(path) for path in photos],
        "paintings": [sha256(path) for path in paintings],
        **judged,
    }
    return RunIdentity(
        facts,
        other="another model, other pictures or other settings",
        hint="; start anew without --resume",
    )


def _write_scores(path: Path, identity: RunIdentity, scores: Sequence[Score]) -> None:
    values = {
        "identity": identity.facts,
        "scores": [_entry(found) for found in scores],
    }
    with replacing(path) as part:
        part.write_text(json.dumps(values), "utf-8")


def _read_scores(path: Path, identity: RunIdentity) -> list[Score]:
    try:
        values = json.loads(path.read_text("utf-8"))
        theirs, found = values["identity"], [_score(x) for x in values["scores"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} holds no scores to go on from: {error}") from error
    identity.check(theirs, path)
    return found


def _entry(found: Score) -> dict[str, Any]:
    """Return a score as JSON-ready values."""
    parts = {"loss": found.loss.flat(), "artefacts": found.artefacts._asdict()}
    return {**found._asdict(), **parts}


def _score(entry: dict[str, Any]) -> Score:
    """Return what `_entry` made the values of."""
    loss, artefacts = LossParts.of(entry["loss"]), Artefacts(**entry["artefacts"])
    return Score(**{**entry, "loss": loss, "artefacts": artefacts})


def _summary(
    model: Model, scores: list[Score], judged: Mapping[str, Any]
) -> dict[str, Any]:
    def quartiles(values: list[float]) -> list[float]:
        return [float(q) for q in np.percentile(values, (25, 50, 75))]

    by_style = {
        name: quartiles([s.evaluations for s in scores if s.style == name])
        for name in model.styles
    }
    worst = {
        field: max(getattr(s.artefacts, field) for s in scores)
        for field in Artefacts._fields
    }
    return {
        "model": model.card["name"],
        **judged,
        "evaluations": quartiles([s.evaluations for s in scores]),
        "evaluations_by_style": by_style,
        "worst_artefacts": worst,
        "pictures": [_entry(found) for found in scores],
    }
