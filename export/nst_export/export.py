"""A trained network to files, each compared with it before anyone sees it."""

import functools
import json
import typing
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np

from nst_export.card import FILE, Card, make_card, markdown
from nst_export.formats.table import Source, check_formats, find_format
from nst_export.half import fit_half, half_encoder, map_sizes
from nst_export.runtime.vectors import more_rows, rows_of
from nst_export.samples import Styles, paint_sample, sample_inputs
from nst_export.settings import ExportSettings
from nst_export.single import single_style, style_index
from nst_export.verify import Loss, Sample, unchecked, verify
from nst_tf.files import new_folder, replacing
from nst_tf.imaging.arrays import PictureLike, as_pixels
from nst_tf.imaging.resize import resize
from nst_tf.imaging.seen import seen
from nst_tf.imaging.write import save_image
from nst_tf.network.encoder import StyleEncoder
from nst_tf.network.transform import TransformNetwork
from nst_tf.settings.checks import InputError
from nst_tf.settings.network import Lowering
from nst_tf.style_file import StyleVector, read_style, to_text

Observer = Callable[[Mapping[str, Any]], None]
"""Called with the entry of every file in the card."""


def export_model(
    network: TransformNetwork,
    trained: Mapping[str, Any],
    folder: str | PathLike[str],
    photos: Sequence[PictureLike],
    settings: ExportSettings | None = None,
    *,
    encoder: StyleEncoder | None = None,
    loss: Loss | None = None,
    observer: Observer | None = None,
) -> Card:
    """Write a trained network in every chosen format, and its card.

    All files are made and compared in a folder beside `folder`, which takes its place
    at the end: a file past its limit leaves nothing behind.

    Args:
        network: A trained network, of any lowering.
        trained: Its `model.json`.
        folder: Where the files go; what is there is replaced if it was written by this
            function.
        photos: Photographs that it was not trained on: float32 `[H, W, 3]`, RGB 0..1,
            or what `as_pixels` makes that of.
        settings: Formats and sizes.
        encoder: Of a model for any painting.
        loss: The loss that it was trained with, of a picture, the photograph and the
            weights; the card compares what files and network have of it.
        observer: Called with the entry of every file in the card.

    Returns:
        The card.

    Raises:
        InputError: A file is past its limit, or can't be written, or the network is an
            hourglass.
    """
    settings, folder = settings or ExportSettings(), Path(folder)
    photos = [as_pixels(photo, "a photograph") for photo in photos]
    if not photos:
        raise InputError("give at least one photograph to compare the files on")
    if settings.vectors and encoder is None:
        raise InputError(
            f"{settings.vectors[0]}: files of styles are for a model for any painting,"
            f" and {trained['name']} is none"
        )
    if network.settings.architecture != "johnson":
        raise InputError(
            f"networks of the architecture {network.settings.architecture} can't be"
            " exported yet, only painted with in Python (nst_tf.load_model)"
        )
    check_formats(settings.formats)
    _check_sizes(settings)
    new_folder(folder, mark=FILE)
    with replacing(folder) as part:
        part.mkdir(parents=True)
        return _write(network, trained, part, photos, settings, encoder, loss, observer)


def _check_sizes(settings: ExportSettings) -> None:
    if settings.sizes and not any(find_format(n).sized for n in settings.formats):
        raise InputError(
            f"files of one size are LiteRT's; {', '.join(settings.formats)} take any"
            " size: leave out sizes, or add litert"
        )


def _write(
    network: TransformNetwork,
    trained: Mapping[str, Any],
    folder: Path,
    photos: Sequence[np.ndarray],
    settings: ExportSettings,
    encoder: StyleEncoder | None,
    loss: Loss | None,
    observer: Observer | None,
) -> Card:
    styles, made = Styles(len(trained["styles"])), None
    views: list[np.ndarray] = []
    if encoder is not None:
        views = [seen(photo) for photo in photos]
        encoder = half_encoder(encoder, views)
        network, trained, made = _for_any(network, trained, settings, encoder)
        styles = _with_guests(trained, made, views)
    only = None
    if settings.style is not None:
        index = style_index(
            [style["name"] for style in trained["styles"]], settings.style
        )
        only = styles.alone(index)
        trained = {**trained, "styles": [trained["styles"][index - 1]]}
        styles = Styles(1)
    card, bare = (  # The second for inside the files: without their list.
        make_card(trained, single=only is not None, licence=settings.license)
        for _ in range(2)
    )
    (folder / FILE).write_text(json.dumps(card, ensure_ascii=False), "utf-8")

    @functools.cache
    def rebuilt(lowering: Lowering, tiles: bool = False) -> TransformNetwork:
        return network.rebuilt(lowering=lowering, tiles=tiles, dtype="float32")

    @functools.cache
    def sizes() -> dict[str, np.ndarray]:
        own = samples[None]
        rows = [only or styles.row(sample.weights) for sample in own]
        return map_sizes(rebuilt("native"), [sample.photo for sample in own], rows)

    @functools.cache
    def copy(lowering: Lowering, tiles: bool = False) -> keras.Model:
        found = rebuilt(lowering, tiles)
        if lowering != "native":  # Files of TensorFlow are no phone's.
            fit_half(found, sizes())
        return found if only is None else single_style(found, only)

    native = copy("native")
    samples = _samples(native, photos, styles, settings.pairs, loss)
    if made is not None and only is None:
        from nst_export.formats.encoder import write_encoders

        for entry in write_encoders(folder, made, bare, views, settings.formats):
            card["files"].append(entry)
            if observer is not None:
                observer(entry)
    for name in settings.formats:
        chosen = find_format(name)
        if chosen.tiles and only is not None:
            continue
        source = Source(
            copy(chosen.lowering, chosen.tiles),
            bare,
            samples[None],
            tiles=functools.partial(copy, chosen.lowering, tiles=True),
        )
        for pair in (None, *settings.pairs) if chosen.sized else (None,):
            path = chosen.path(folder, trained["name"], pair)
            path.parent.mkdir(parents=True, exist_ok=True)
            chosen.write(path, source._replace(size=pair))
            about = {
                "name": _name_in_card(path, folder),
                "kind": chosen.kind,
                "size": "any" if pair is None else "x".join(map(str, pair)),
            }
            if chosen.described is not None:
                entry = unchecked(path, chosen.described(path), **about)
            else:
                opened = functools.partial(chosen.stylizer, path, source)
                entry = verify(path, samples[pair], opened=opened, loss=loss, **about)
            card["files"].append(entry)
            if observer is not None:
                observer(entry)
    _self_check(folder, card, native, samples[None][0], styles)
    text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
    (folder / FILE).write_text(text, "utf-8")
    (folder / "README.md").write_text(markdown(card), "utf-8")
    return card


def _name_in_card(path: Path, folder: Path) -> str:
    """Return a file's path; of a SavedModel that of the folder of its versions."""
    place = path.relative_to(folder)
    return (place.parent if place.name.isdigit() else place).as_posix()


def _samples(
    native: keras.Model,
    photos: Sequence[np.ndarray],
    styles: Styles,
    sizes: Sequence[tuple[int, int]],
    loss: Loss | None,
) -> dict[tuple[int, int] | None, list[Sample]]:
    """Return what the files must paint, by the size they are for (None: any)."""
    inputs = sample_inputs(photos, styles.number)
    own = [paint_sample(native, *given, styles, loss) for given in inputs]
    found: dict[tuple[int, int] | None, list[Sample]] = {None: own}
    for size in sizes:
        found[size] = [
            paint_sample(native, resize(x.photo, *size), x.weights, styles, loss)
            for x in own
        ]
    return found


def _for_any(
    network: TransformNetwork,
    trained: Mapping[str, Any],
    settings: ExportSettings,
    encoder: StyleEncoder,
) -> tuple[TransformNetwork, dict[str, Any], keras.Model]:
    """Return network, card and encoder by vectors, with the styles that are given."""
    from nst_tf.network.vectors import (
        by_vectors,
        kernels_hash,
        own_and_styles,
        vector_encoder,
    )

    own, rows = own_and_styles(network)
    facts: dict[str, Any] = {"any": rows.shape[1], "network": kernels_hash(network)}
    if len(own):
        facts["photograph"] = to_text(own[0])
    trained = {**trained, **facts}
    given = [read_style(path, trained) for path in settings.vectors]
    trained["styles"] = [style.entry() for style in given]
    return by_vectors(network), trained, vector_encoder(encoder, network)


def _with_guests(
    trained: Mapping[str, Any], encoder: keras.Model, views: Sequence[np.ndarray]
) -> Styles:
    """Return a model's styles, and photographs as paintings of their own."""
    guests = []
    for index, view in enumerate(views):
        vector = keras.ops.convert_to_numpy(encoder({"painting": view})["vector"])[0]
        guests.append(StyleVector(f"guest {index}", vector, trained["network"]))
    known = typing.cast(np.ndarray, rows_of(trained))
    rows = more_rows(known, [guest.vector for guest in guests])
    return Styles(len(rows) - 1, rows, tuple(guests))


def _self_check(
    folder: Path, card: Card, native: keras.Model, like: Sample, styles: Styles
) -> None:
    """Write a pair of pictures with which an app can check its own code."""
    # From an 8-bit file, as an app reads it.
    small = np.round(255.0 * resize(like.photo, 128, 96)) / np.float32(255)
    sample = paint_sample(native, small, like.weights, styles)
    save_image(folder / "sample-photo.png", sample.photo)
    save_image(folder / "sample-picture.png", sample.picture)
    card["self_check"] = {
        "photo": "sample-photo.png",
        "style": [float(number) for number in styles.row(sample.weights)],
        "picture": "sample-picture.png",
    }
