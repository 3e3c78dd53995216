"""A trained network to files, each compared with it before anyone sees it."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np

from nst_export.card import FILE, Card, embed, make_card, markdown
from nst_export.litert import Kind, to_litert
from nst_export.onnx import to_onnx
from nst_export.runtime import MULTIPLE
from nst_export.saved_model import write_saved_model
from nst_export.settings import ExportSettings
from nst_export.verify import Sample, verify
from nst_export.web_export import write_web
from nst_tf.images import resize, save_image
from nst_tf.network import build_network
from nst_tf.settings import InputError, NetworkSettings


def export_model(
    network: keras.Model,
    trained: Mapping[str, Any],
    folder: Path,
    photos: Sequence[np.ndarray],
    settings: ExportSettings | None = None,
    *,
    observer: Callable[[Mapping[str, Any]], None] | None = None,
) -> Card:
    """Write a trained network in every chosen format, and its card.

    All files are made and compared in a folder beside `folder`, which takes its place
    at the end: a file past its limit leaves nothing behind.

    Args:
        network: A trained network, of any lowering.
        trained: Its `model.json`.
        folder: Where the files go; what is there is replaced if it was written by this
            function.
        photos: float32 `[H, W, 3]`, RGB 0..1, that it was not trained on.
        settings: Formats and sizes.
        observer: Called with the entry of every file in the card.

    Returns:
        The card.

    Raises:
        InputError: A file is past its limit, or can't be written.
    """
    settings = settings or ExportSettings()
    if not photos:
        raise InputError("give at least one photograph to compare the files on")
    if folder.exists() and any(folder.iterdir()) and not (folder / FILE).exists():
        raise InputError(f"{folder} holds other things: choose a new folder")
    part = folder.with_name(f".part.{folder.name}")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        card = _write(network, trained, part, photos, settings, observer)
        if folder.exists():
            shutil.rmtree(folder)
        part.replace(folder)
    except OSError as error:
        raise InputError(f"can't write {folder}: {error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return card


def _write(
    network: keras.Model,
    trained: Mapping[str, Any],
    folder: Path,
    photos: Sequence[np.ndarray],
    settings: ExportSettings,
    observer: Callable[[Mapping[str, Any]], None] | None,
) -> Card:
    name, styles = trained["name"], len(trained["styles"])
    native, slices = (_rebuild(network, styles, kind) for kind in ("native", "slices"))
    card = make_card(trained)
    (folder / FILE).write_text(json.dumps(card, ensure_ascii=False), "utf-8")

    def reference(photo: np.ndarray, weights: Sequence[float]) -> np.ndarray:
        inputs = {"image": photo[None], "style": np.asarray([weights], "float32")}
        picture: np.ndarray = keras.ops.convert_to_numpy(native(inputs))[0]
        return picture

    samples = _samples(photos, styles)

    def check(path: Path, kind: str, size: str = "any", **options: Any) -> None:
        chosen = samples
        if size != "any":
            width, height = (int(side) for side in size.split("x"))
            chosen = [
                Sample(resize(sample.photo, width, height), sample.weights)
                for sample in samples
            ]
        entry = verify(path, reference, chosen, kind=kind, size=size, **options)
        card["files"].append(entry)
        if observer is not None:
            observer(entry)

    for chosen in settings.formats:
        if chosen == "saved_model":
            path = folder / "saved_model" / name / "1"
            path.parent.mkdir(parents=True)
            write_saved_model(native, path, styles=styles)
            check(path, "float32")
        elif chosen == "onnx":
            path = folder / f"{name}.onnx"
            path.write_bytes(to_onnx(native, card, styles=styles))
            check(path, "float32", engine="onnxruntime")
        elif chosen == "web":
            path = folder / "web" / "model.tflite"
            path.parent.mkdir()
            data = to_litert(slices, styles=styles)
            path.write_bytes(embed(data, make_card(trained)))
            check(path, "float32")
            write_web(path, path.parent)
        else:
            kind = cast(Kind, chosen.removeprefix("litert").lstrip("-") or "float32")
            suffix = "" if kind == "float32" else f"-{kind}"
            for pair in (None, *settings.pairs):
                size = "any" if pair is None else "x".join(map(str, pair))
                end = suffix if pair is None else f"{suffix}-{size}"
                path = folder / f"{name}{end}.tflite"
                data = to_litert(slices, styles=styles, kind=kind, size=pair)
                path.write_bytes(embed(data, make_card(trained)))
                check(path, kind, size)
    _self_check(folder, card, samples[0], reference)
    text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
    (folder / FILE).write_text(text, "utf-8")
    (folder / "README.md").write_text(markdown(card), "utf-8")
    return card


def _rebuild(network: keras.Model, styles: int, lowering: Any) -> keras.Model:
    """Return the network in float32 with a lowering."""
    width = network.get_layer("down3").filters / 128
    settings = NetworkSettings(styles=styles, width=width, lowering=lowering)
    copy = build_network(settings)
    copy.set_weights(network.get_weights())
    return copy


def _samples(photos: Sequence[np.ndarray], styles: int) -> list[Sample]:
    """Return the photographs, cut to multiples of 4, with weights that use all inputs.

    Each style alone in turn, then halves of two of them and of the photograph.
    """
    weights = [list(row) for row in np.eye(styles + 1)[1:]]
    mixed = np.zeros(styles + 1)
    mixed[0] = 0.25
    mixed[1] += 0.5
    mixed[-1] += 0.25
    weights.append(list(mixed))
    count = max(len(photos), len(weights))
    samples = []
    for index in range(count):
        photo = photos[index % len(photos)]
        height, width = (side - side % MULTIPLE for side in photo.shape[:2])
        samples.append(Sample(photo[:height, :width], weights[index % len(weights)]))
    return samples


def _self_check(folder: Path, card: Card, sample: Sample, reference: Any) -> None:
    """Write a pair of pictures with which an app can check its own code."""
    small = Sample(resize(sample.photo, 128, 96), sample.weights)
    save_image(folder / "sample-photo.png", small.photo)
    # From the 8-bit file, as an app reads it.
    photo = np.round(small.photo * 255.0).astype("float32") / 255.0
    save_image(folder / "sample-picture.png", reference(photo, small.weights))
    card["self_check"] = {
        "photo": "sample-photo.png",
        "style": [float(weight) for weight in small.weights],
        "picture": "sample-picture.png",
    }
