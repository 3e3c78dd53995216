"""What an image file carries besides its pixels."""

import json
import warnings
from pathlib import Path
from typing import Any

from PIL import Image

from nst_tf.imaging.formats import (
    DESCRIPTION,
    FORMATS,
    MAX_PIXELS,
    ORIENTATION,
    SETTINGS_KEY,
)
from nst_tf.imaging.read import check_file, opened
from nst_tf.settings.checks import InputError


def read_exif(path: Path) -> bytes:
    """Return what the camera wrote about a picture, b"" if nothing, for `save_image`.

    Without the orientation: `load_image` turns pictures upright.

    Raises:
        InputError: As `load_image`.
    """
    with opened(path, path, MAX_PIXELS) as file:
        exif = file.getexif()
        exif.pop(ORIENTATION, None)
        return exif.tobytes() if exif else b""


def read_settings(path: Path) -> dict[str, Any]:
    """Return the settings that `save_image` wrote into a picture.

    Raises:
        InputError: The file is no image, or none that this program made.
    """
    check_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as file:
                # Pillow would decode a PNG before it gave `text` or `getexif`.
                if file.format == "PNG":
                    text = file.info.get(SETTINGS_KEY)
                else:
                    text = file.getexif().get(DESCRIPTION)
        settings = json.loads(text or "")
    except Image.DecompressionBombError as error:
        raise InputError(f"{path} is too large: {error}") from error
    except (OSError, TypeError, ValueError, SyntaxError, RecursionError) as error:
        raise InputError(f"{path} carries no settings of nst-tf") from error
    if not isinstance(settings, dict):
        raise InputError(f"{path} carries no settings of nst-tf")
    return settings
