"""Which image files are read and written, how large, and how they are told apart."""

import importlib.util

from nst_tf.settings.checks import InputError

MAX_PIXELS = 100_000_000
"""Largest picture that is decoded, in pixels (1.2 GB as float32)."""
MAX_REDUCED = 4 * MAX_PIXELS
"""The same where it is reduced while it has 8 bits, before it becomes float32."""
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF")
"""Formats that are read and written, as Pillow names them."""
SUFFIXES = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".avif": "AVIF",
    ".jfif": "JPEG",
    ".jpe": "JPEG",
}
"""File name endings and the format they stand for."""
HEIF_SUFFIXES = (".heic", ".heif", ".hif")
"""Endings of a phone's HEIF photographs, which the extra heif reads."""
OPAQUE = ("JPEG", "BMP")
"""Formats that can't hold an alpha channel."""
LONGEST = {"JPEG": 65500, "WEBP": 16383, "AVIF": 65536}
"""Pixels of a side that formats hold, where that is a limit."""
DEEP = ("PNG", "TIFF")
"""Formats that are written with 16 bits on request."""
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"GIF8", "GIF"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"8BPS", "Photoshop"),
    (b"%PDF", "PDF"),
    (b"FUJIFILMCCD-RAW", "camera raw"),
    (b"IIRO", "camera raw"),
    (b"IIU\0", "camera raw"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"<svg", "SVG"),
)
"""First bytes of files and what they are."""
ADVICE = {
    "HEIC": "install nst-tf[heif], or convert it, for example with heif-convert",
    "JPEG XL": "convert it, for example with djxl photo.jxl photo.png",
    "camera raw": "develop it to TIFF or JPEG first",
    "video": "nst video paints films",
}
"""What to do with kinds that are known but not read."""


class FormatError(InputError):
    """The data is no image, or of a format that is not read."""


class UnreadableError(FormatError):
    """What a file holds can't be read right; the message names what it holds."""


class SizeError(InputError):
    """The image has too many pixels."""


def kind_of(head: bytes) -> str | None:
    """Return what kind of picture the first 32 bytes of a file announce.

    Pillow's name for those of `FORMATS`; None for what is no known picture.
    """
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand in (b"avif", b"avis") or b"avif" in head[16:]:
            return "AVIF"
        if brand in _HEIF_BRANDS:
            return "HEIC"
        return "camera raw" if brand == b"crx " else "video"
    if head[:4] == b"RIFF":
        return "WEBP" if head[8:12] == b"WEBP" else None
    if head[:4] == b"II*\0" and head[8:10] == b"CR":
        return "camera raw"
    return next((kind for start, kind in _SIGNATURES if head.startswith(start)), None)


def reads_heif() -> bool:
    """Tell whether the extra heif is installed."""
    return importlib.util.find_spec("pillow_heif") is not None


def readable_suffixes() -> tuple[str, ...]:
    """Return the endings of files that are read here."""
    return (*SUFFIXES, *(HEIF_SUFFIXES if reads_heif() else ()))
