"""Image files, or their bytes, to float32 RGB 0..1 arrays."""

from os import PathLike
from pathlib import Path

from nst_tf.imaging.decode import decode
from nst_tf.imaging.formats import MAX_PIXELS, FormatError
from nst_tf.imaging.open import opened
from nst_tf.imaging.picture import Picture, reduced


def load_image(path: str | PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read an image file upright, in sRGB, with its alpha channel apart.

    Args:
        path: JPEG, PNG, WebP, TIFF or BMP; greyscale, palette, CMYK and 16-bit too.
        max_pixels: Larger pictures are refused before they are decoded.

    Raises:
        InputError: No such file, not one of these formats, damaged, animated, too
            small or too large.
    """
    path = Path(path)
    with opened(path, path, max_pixels) as file:
        file.load()
        return decode(file)


def decode_image(
    data: bytes,
    *,
    size: int | None = None,
    max_pixels: int = MAX_PIXELS,
    name: str = "the image",
) -> Picture:
    """Read an encoded image as `load_image` does, reduced to a long side of `size`.

    Args:
        data: The bytes of a file.
        size: Pixels; smaller pictures keep their size, None keeps every size.
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
        if size is not None:
            # JPEG halves while it decodes; twice the size leaves work for Lanczos.
            file.draft(None, (2 * size, 2 * size))
        file.load()
        picture = decode(file)
    return picture if size is None else reduced(picture, size)
