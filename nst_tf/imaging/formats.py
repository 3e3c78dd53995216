"""Which image files are read and written, and how large."""

from nst_tf.settings.checks import InputError

MAX_PIXELS = 100_000_000
"""Largest picture that is decoded, in pixels (1.2 GB as float32)."""
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")
"""Formats that are read and written, as Pillow names them."""
SUFFIXES = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
"""File name endings and the format they stand for."""
OPAQUE = ("JPEG", "BMP")
"""Formats that can't hold an alpha channel."""


class FormatError(InputError):
    """The data is no image, or of a format that is not read."""


class SizeError(InputError):
    """The image has too many pixels."""
