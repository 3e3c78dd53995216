"""Image files, or their bytes, to float32 RGB 0..1 arrays."""

from os import PathLike
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from nst_tf.imaging.decode import decode, is_deep, source_profile
from nst_tf.imaging.deep_tiff import DeepTiff
from nst_tf.imaging.formats import MAX_PIXELS, MAX_REDUCED, FormatError
from nst_tf.imaging.metadata import exif_of
from nst_tf.imaging.open import Opened, check_size, opened
from nst_tf.imaging.picture import Picture
from nst_tf.imaging.resize import reduced
from nst_tf.settings.checks import InputError


class Photograph(NamedTuple):
    """A picture with what its file carries besides.

    Attributes:
        picture: The pixels.
        exif: What the camera wrote, for `save_image`.
        profile: The ICC profile of its colours, for `save_image`; None where they are
            sRGB.
    """

    picture: Picture
    exif: bytes
    profile: bytes | None


def load_image(
    path: str | PathLike[str],
    *,
    size: int | None = None,
    least: int | None = None,
    max_pixels: int | None = None,
) -> Picture:
    """Read an image file upright, in sRGB, with its alpha channel apart.

    Args:
        path: JPEG, PNG, WebP, TIFF, AVIF or BMP, with the extra heif HEIC; greyscale,
            palette, CMYK, 16-bit and floats too; with any colour profile. A pipe is
            read to its end.
        size: Reduce to this long side; then pictures may be larger.
        least: The short side may come out smaller, but no less than this: a JPEG of 12
            megapixels is decoded in an eighth of the time so.
        max_pixels: Larger pictures are refused before they are decoded; without it
            `MAX_PIXELS`, with `size` `MAX_REDUCED`.

    Raises:
        InputError: No such file, not one of these formats, damaged, animated, too
            small or too large, or of a kind that can't be read right.
    """
    path = Path(path)
    limit = max_pixels or (MAX_REDUCED if size else MAX_PIXELS)
    with opened(path, path, limit) as file:
        _check_deep(file, path, max_pixels)
        return _read(file, size, least)


def load_photograph(
    source: str | PathLike[str] | bytes,
    *,
    size: int | None = None,
    max_pixels: int | None = None,
    name: str = "the image",
) -> Photograph:
    """Read an image file as `load_image` does, with EXIF and colour profile.

    Args:
        source: A file, or its bytes.
        size: As `load_image` takes it.
        max_pixels: As `load_image` takes it.
        name: What messages call bytes.

    Raises:
        InputError: As `load_image`.
    """
    limit = max_pixels or (MAX_REDUCED if size else MAX_PIXELS)
    given = source if isinstance(source, bytes) else Path(source)
    called = name if isinstance(given, bytes) else given
    with opened(given, called, limit) as file:
        _check_deep(file, called, max_pixels)
        picture = _read(file, size)
        return Photograph(picture, exif_of(file), source_profile(file))


def decode_image(
    data: bytes,
    *,
    size: int | None = None,
    least: int | None = None,
    max_pixels: int = MAX_PIXELS,
    name: str = "the image",
) -> Picture:
    """Read an encoded image as `load_image` does, reduced to a long side of `size`.

    Args:
        data: The bytes of a file.
        size: Pixels; smaller pictures keep their size, None keeps every size.
        least: As `load_image` takes it.
        max_pixels: Larger pictures are refused before they are decoded.
        name: What messages call it.

    Raises:
        FormatError: It is no image of a format that is read.
        SizeError: It has more pixels than `max_pixels`.
        InputError: It is damaged, animated or too small.
    """
    if not data:
        raise FormatError(f"{name} is empty (0 bytes)")
    with opened(data, name, max_pixels) as file:
        return _read(file, size, least)


def _check_deep(file: Opened, name: Path | str, max_pixels: int | None) -> None:
    """Refuse more pixels than are read of what is not reduced before it is float32."""
    if max_pixels is None and is_deep(file):
        check_size(file, name, MAX_PIXELS)


def _read(file: Opened, size: int | None, least: int | None = None) -> Picture:
    if size is not None and size < 1:
        raise InputError(f"size must be at least 1 pixel, got {size}")
    # JPEG halves while it decodes; twice the size leaves work for Lanczos.
    least = least if size is None else 2 * size
    if least is not None and not isinstance(file, DeepTiff):
        file.draft(None, (least, least))
    exif = None
    if (
        size is not None
        and file.size[0] * file.size[1] > MAX_PIXELS
        and not isinstance(file, DeepTiff)
        and not is_deep(file)
    ):
        exif = file.getexif()
        file = _halved(file, size)
    picture = decode(file, size, exif)
    return picture if size is None else reduced(picture, size)


def _halved(file: Image.Image, size: int) -> Image.Image:
    """Return a file reduced to at least twice a size, without its EXIF."""
    factor = max(1, max(file.size) // (2 * size))
    info = dict(file.info)
    image: Image.Image = file
    if file.mode not in ("L", "RGB", "RGBA", "LA", "CMYK"):
        mode = "RGBA" if file.has_transparency_data else "RGB"
        image = file.convert("L" if file.mode == "1" else mode)
        info.pop("transparency", None)
    small = image.reduce(factor)
    small.info = info
    return small
