"""What an image file carries besides its pixels: the camera's notes, our settings."""

import json
import warnings
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from nst_tf.imaging.formats import FORMATS
from nst_tf.imaging.open import check_file, opened
from nst_tf.settings.checks import InputError

_KEY = "nst-tf"
"""Name under which a PNG holds the settings."""
_ORIENTATION = 0x0112
"""EXIF tag Orientation."""
_DESCRIPTION = 0x010E
"""EXIF and TIFF tag ImageDescription, which holds the settings in other formats."""


def read_exif(path: Path) -> bytes:
    """Return what the camera wrote about a picture, b"" if nothing, for `save_image`.

    Without the orientation: `load_image` turns pictures upright.

    Raises:
        InputError: As `load_image`.
    """
    with opened(path, path) as file:
        exif = file.getexif()
        exif.pop(_ORIENTATION, None)
        return exif.tobytes() if exif else b""


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


def options(kind: str, settings: dict[str, Any] | None, exif: bytes) -> dict[str, Any]:
    """Return what makes Pillow write settings and EXIF, where a format has room.

    Args:
        kind: The format, as Pillow names it.
        settings: JSON-ready.
        exif: From `read_exif`.
    """
    found: dict[str, Any] = {}
    text = json.dumps(settings) if settings else ""
    if text and kind == "PNG":
        found["pnginfo"] = PngImagePlugin.PngInfo()
        found["pnginfo"].add_text(_KEY, text)
    data = Image.Exif()
    if exif:
        data.load(exif)
    if text and kind in ("JPEG", "WEBP", "TIFF"):
        data[_DESCRIPTION] = text
    if data and kind != "BMP":
        found["exif"] = data
    return found


def _read_text(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path, formats=FORMATS) as file:
            # Pillow would decode a PNG before it gave `text` or `getexif`.
            if file.format == "PNG":
                return file.info.get(_KEY)
            return file.getexif().get(_DESCRIPTION)
