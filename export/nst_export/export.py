"""A trained network to files, each compared with it before anyone sees it."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np

from nst_export.card import FILE, Card, embed, make_card, markdown
from nst_export.formats.litert import Kind, to_litert
from nst_export.formats.onnx import to_onnx
from nst_export.formats.saved_model import write_saved_model
from nst_export.formats.web import write_web
from nst_export.runtime.engines.session import MULTIPLE
from nst_export.settings import ExportSettings
from nst_export.verify import Loss, Sample, verify
from nst_tf.files import new_folder, replacing
from nst_tf.imaging.resize import resize
from nst_tf.imaging.write import save_image
from nst_tf.settings.checks import InputError
from nst_tf.settings.network import Lowering


def export_model(
    network: keras.Model,
    trained: Mapping[str, Any],
    folder: Path,
    photos: Sequence[np.ndarray],
    settings: ExportSettings | None = None,
    *,
    loss: Loss | None = None,
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
        loss: The loss that it was trained with, of a picture, the photograph and the
            weights; the card compares what files and network have of it.
        observer: Called with the entry of every file in the card.

    Returns:
        The card.

    Raises:
        InputError: A file is past its limit, or can't be written.
    """
    settings = settings or ExportSettings()
    if not photos:
        raise InputError("give at least one photograph to compare the files on")
    new_folder(folder, mark=FILE)
    with replacing(folder) as part:
        part.mkdir(parents=True)
        return _write(network, trained, part, photos, settings, loss, observer)


def _write(
    network: keras.Model,
    trained: Mapping[str, Any],
    folder: Path,
    photos: Sequence[np.ndarray],
    settings: ExportSettings,
    loss: Loss | None,
    observer: Callable[[Mapping[str, Any]], None] | None,
) -> Card:
    name, every = trained["name"], [style["name"] for style in trained["styles"]]
    only = _index(every, settings.style)
    native, multiples, slices = (
        _rebuild(network, len(every), lowering)
        for lowering in ("native", "multiples", "slices")
    )
    if only is not None:
        native, multiples, slices = (
            _single(x, only) for x in (native, multiples, slices)
        )
        trained = {**trained, "styles": [trained["styles"][only - 1]]}
    card = make_card(trained, single=only is not None)
    bare = make_card(trained, single=only is not None)  # For inside: without files.
    (folder / FILE).write_text(json.dumps(card, ensure_ascii=False), "utf-8")

    def sample(photo: np.ndarray, weights: list[float]) -> Sample:
        inputs = {"image": photo[None]}
        if only is None:
            inputs["style"] = np.asarray([weights], "float32")
        picture: np.ndarray = keras.ops.convert_to_numpy(native(inputs))[0]
        if only is not None:
            picture = picture + weights[0] * (photo - picture)
        found = loss(picture, photo, weights) if loss is not None else 0.0
        return Sample(photo, weights, picture, found)

    samples = {"any": [sample(*x) for x in _inputs(photos, len(card["styles"]))]}
    for width, height in settings.pairs:
        samples[f"{width}x{height}"] = [
            sample(resize(x.photo, width, height), x.weights) for x in samples["any"]
        ]

    def check(path: Path, kind: str, size: str = "any", **options: Any) -> None:
        chosen = samples[size]
        entry = verify(path, chosen, kind=kind, size=size, loss=loss, **options)
        card["files"].append(entry)
        if observer is not None:
            observer(entry)

    for chosen in settings.formats:
        if chosen == "saved_model":
            path = folder / "saved_model" / name / "1"
            path.parent.mkdir(parents=True)
            write_saved_model(native, path)
            check(path, "float32")
        elif chosen == "onnx":
            path = folder / f"{name}.onnx"
            path.write_bytes(to_onnx(multiples, bare))
            check(path, "float32", engine="onnxruntime")
        elif chosen == "web":
            if only is not None:
                raise InputError("web shows several styles: leave out --style")
            path = folder / "web" / "model.tflite"
            path.parent.mkdir()
            path.write_bytes(embed(to_litert(slices), bare))
            check(path, "float32")
            write_web(path, path.parent)
        elif chosen == "litert-tiles":
            if only is None:
                path = folder / f"{name}-tiles.tflite"
                tiled = _rebuild(network, len(every), "slices", tiles=True)
                path.write_bytes(embed(to_litert(tiled, kind="float16"), bare))
                check(path, "float16")
        else:
            kind = cast(Kind, chosen.removeprefix("litert").lstrip("-") or "float32")
            suffix = "" if kind == "float32" else f"-{kind}"
            for pair in (None, *settings.pairs):
                size = "any" if pair is None else "x".join(map(str, pair))
                end = suffix if pair is None else f"{suffix}-{size}"
                path = folder / f"{name}{end}.tflite"
                data = to_litert(
                    slices, kind=kind, size=pair, calibration=samples["any"]
                )
                path.write_bytes(embed(data, bare))
                check(path, kind, size)
    # From an 8-bit file, as an app reads it.
    small = np.round(255.0 * resize(samples["any"][0].photo, 128, 96)) / np.float32(255)
    _self_check(folder, card, sample(small, samples["any"][0].weights))
    text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
    (folder / FILE).write_text(text, "utf-8")
    (folder / "README.md").write_text(markdown(card), "utf-8")
    return card


def _rebuild(
    network: keras.Model, styles: int, lowering: Lowering, *, tiles: bool = False
) -> keras.Model:
    """Return the network in float32 with a lowering."""
    return network.rebuilt(lowering=lowering, tiles=tiles, dtype="float32")


def _index(styles: Sequence[str], chosen: str | None) -> int | None:
    """Return the index of the only style, from 1, None if all are exported."""
    if chosen is None:
        return None
    if chosen not in styles:
        raise InputError(f"there is no style {chosen} (there are {', '.join(styles)})")
    return styles.index(chosen) + 1


class FixedStyle(keras.layers.Layer):
    """The weights of one style alone, whatever the input.

    Args:
        index: Of the style, from 1.
        count: Of the styles.
    """

    def __init__(self, index: int, count: int) -> None:
        super().__init__(dtype="float32")
        self.index, self.count = index, count

    def call(self, image: Any) -> Any:
        """Return float32 `[1, N + 1]`."""
        return keras.ops.one_hot([self.index], self.count + 1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return one row of weights."""
        return (1, self.count + 1)


def _single(network: keras.Model, index: int) -> keras.Model:
    """Return a network whose only input is the photograph."""
    image = keras.Input((None, None, 3), dtype="float32", name="image")
    style = FixedStyle(index, network.input["style"].shape[-1] - 1)(image)
    picture = network({"image": image, "style": style})
    return keras.Model({"image": image}, picture)


def _inputs(
    photos: Sequence[np.ndarray], styles: int
) -> list[tuple[np.ndarray, list[float]]]:
    """Return the photographs, cut to multiples of 4, with weights that use all inputs.

    Each style alone in turn, then halves of two of them and of the photograph.
    """
    weights = [list(row) for row in np.eye(styles + 1)[1:]]
    mixed = np.zeros(styles + 1)
    mixed[0] = 0.25
    mixed[1] += 0.5
    mixed[-1] += 0.25
    weights.append(list(mixed))
    found = []
    for index in range(max(len(photos), len(weights))):
        photo = photos[index % len(photos)]
        height, width = (side - side % MULTIPLE for side in photo.shape[:2])
        found.append((photo[:height, :width], weights[index % len(weights)]))
    return found


def _self_check(folder: Path, card: Card, sample: Sample) -> None:
    """Write a pair of pictures with which an app can check its own code."""
    save_image(folder / "sample-photo.png", sample.photo)
    save_image(folder / "sample-picture.png", sample.picture)
    card["self_check"] = {
        "photo": "sample-photo.png",
        "style": [float(weight) for weight in sample.weights],
        "picture": "sample-picture.png",
    }
