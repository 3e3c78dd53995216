"""What an image file carries besides its pixels: the camera's notes, our settings."""

import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from nst_tf.imaging.formats import FORMATS
from nst_tf.imaging.open import Opened, check_file, opened
from nst_tf.settings.checks import InputError

KEY = "nst-tf"
"""Name under which a PNG holds the settings."""
_DESCRIPTION = 0x010E
"""EXIF and TIFF tag ImageDescription, which holds the settings in other formats."""
_EXIF, _GPS, _INTEROP = 0x8769, 0x8825, 0xA005
_COLOR_SPACE = 0xA001
_SRGB, _UNCALIBRATED = 1, 65535
_OF_THE_FILE = frozenset(
    {
        *(0x0100, 0x0101, 0x0102, 0x0103, 0x0106, 0x010A, 0x0111, 0x0112, 0x0115),
        *(0x0116, 0x0117, 0x0118, 0x0119, 0x011C, 0x0120, 0x0121, 0x0122, 0x0123),
        *(0x0124, 0x0125, 0x012D, 0x013D, 0x013E, 0x013F, 0x0140, 0x0142, 0x0143),
        *(0x0144, 0x0145, 0x014A, 0x014C, 0x0152, 0x0153, 0x0154, 0x0155, 0x015B),
        *(0x0200, 0x0201, 0x0202, 0x0203, 0x0205, 0x0211, 0x0212, 0x0213, 0x0214),
        *(0x00FE, 0x00FF, 0x02BC, 0x8773, 0x83BB, 0x8649, 0x935C, 0xC4A5),
    }
)
"""Tags that say how the file they came from was stored: size, layout, orientation,
thumbnail, colours."""
_OF_THE_PIXELS = frozenset({0xA002, 0xA003, 0xA500, _COLOR_SPACE, _INTEROP})
"""Tags of the Exif directory that say what the pixels were: size, gamma, colours."""
_MOST = 65_500
"""Bytes of EXIF that a JPEG has room for."""


def read_exif(path: Path) -> bytes:
    """Return what the camera wrote about a picture, b"" if nothing, for `save_image`.

    Without what a painting of it would contradict: orientation (`load_image` turns
    pictures upright), size, thumbnail, colour space.

    Raises:
        InputError: As `load_image`.
    """
    with opened(path, path, max_pixels=None) as file:
        return exif_of(file)


def exif_of(file: Opened) -> bytes:
    """Return what the camera wrote about an opened picture, as `read_exif` does."""
    try:
        exif = _kept(file.getexif())
        return exif.tobytes() if exif else b""
    except Exception:  # Whatever damaged EXIF makes of Pillow.
        return b""


def read_settings(path: Path) -> dict[str, Any]:
    """Return the settings that `save_image` wrote into a picture.

    Raises:
        InputError: The file is no image, or none that this program made.
    """
    check_file(path)
    try:
        settings = json.loads(_read_text(path) or "")
    except Image.DecompressionBombError as error:
        raise InputError(f"{path} is too large: {error}") from error
    except (OSError, TypeError, ValueError, SyntaxError, RecursionError) as error:
        raise InputError(f"{path} carries no settings of nst-tf") from error
    if not isinstance(settings, dict):
        raise InputError(f"{path} carries no settings of nst-tf")
    return settings


def notes_for(
    kind: str, settings: dict[str, Any] | None, exif: bytes, *, srgb: bool = True
) -> tuple[Image.Exif, str, list[str]]:
    """Return what a format has room for of settings and EXIF.

    Args:
        kind: The format, as Pillow names it.
        settings: JSON-ready.
        exif: From `read_exif`.
        srgb: Whether the pixels are sRGB; else a profile says what they are.

    Returns:
        The EXIF; the text of the settings where it is not in it; names of what there
        is no room for.
    """
    text = json.dumps(settings) if settings else ""
    data = Image.Exif()
    lost: list[str] = []
    if exif:
        try:
            given = Image.Exif()
            given.load(exif)
            data = _kept(given)
        except Exception:  # Whatever damaged EXIF makes of Pillow.
            lost.append("what the camera wrote")
    if _EXIF in data:
        data[_EXIF] = {**data[_EXIF], _COLOR_SPACE: _SRGB if srgb else _UNCALIBRATED}
    if kind == "BMP":
        return Image.Exif(), "", lost + (["what the camera wrote"] if data else [])
    if text and kind != "PNG":
        data[_DESCRIPTION], text = text, ""
    while kind == "JPEG" and len(data.tobytes()) > _MOST:
        lost.append(_drop_largest(data))
    return data, text, lost


def _drop_largest(data: Image.Exif) -> str:
    """Take the longest value out of EXIF; return its name."""
    sizes = {
        (directory, tag): len(value)
        for directory, tag, value in _entries(data)
        if isinstance(value, str | bytes | tuple)
    }
    directory, tag = max(sizes, key=lambda place: sizes[place])
    if directory is None:
        del data[tag]
    else:
        data[directory] = {k: v for k, v in data[directory].items() if k != tag}
    if directory is None and tag == _DESCRIPTION:
        return "its description"
    return str(ExifTags.TAGS.get(tag, f"EXIF tag {tag}"))


def _entries(data: Image.Exif) -> Iterator[tuple[int | None, int, Any]]:
    """Yield directory (None for the first), tag and value of all but directories."""
    for tag, value in data.items():
        if isinstance(value, dict):
            for inner, deep in value.items():
                yield tag, inner, deep
        else:
            yield None, tag, value


def _kept(exif: Image.Exif) -> Image.Exif:
    """Return EXIF whose directories are dicts, without what belongs to the file."""
    kept = _rebuilt(exif, lambda place, tag, value: not isinstance(value, dict))
    if _is_writable(kept):
        return kept
    return _rebuilt(exif, _is_writable_tag)


def _rebuilt(
    exif: Image.Exif, keep: Callable[[int | None, int, Any], bool]
) -> Image.Exif:
    """Return what is not the file's own, and kept by directory, tag and value."""
    kept = Image.Exif()
    for tag in exif:
        if tag not in (_EXIF, _GPS) and tag not in _OF_THE_FILE:
            value = exif[tag]
            if keep(None, tag, value):
                kept[tag] = value
    for tag, dropped in ((_EXIF, _OF_THE_PIXELS), (_GPS, frozenset[int]())):
        given = exif.get(tag)
        inside = given if isinstance(given, dict) else exif.get_ifd(tag)
        found = {
            key: value
            for key, value in inside.items()
            if key not in dropped and keep(tag, key, value)
        }
        if found:
            kept[tag] = found
    return kept


def _is_writable_tag(directory: int | None, tag: int, value: Any) -> bool:
    """Tell whether Pillow can write a tag: not all that it reads."""
    if isinstance(value, dict):
        return False
    probe = Image.Exif()
    probe[tag if directory is None else directory] = (
        value if directory is None else {tag: value}
    )
    return _is_writable(probe)


def _is_writable(exif: Image.Exif) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exif.tobytes()
    except Exception:  # Whatever a damaged value makes of Pillow.
        return False
    return True


def _read_text(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path, formats=FORMATS) as file:
            # Pillow would decode a PNG before it gave `text` or `getexif`.
            if file.format == "PNG":
                return file.info.get(KEY)
            return file.getexif().get(_DESCRIPTION)
