"""Image files to float32 RGB 0..1 arrays and back.

The only room with Pillow. Nothing is decoded before its format and size are known.
"""

import contextlib
import io
import stat
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from nst_tf.imaging.formats import FORMATS, MAX_PIXELS, FormatError, SizeError
from nst_tf.imaging.picture import Picture, reduced
from nst_tf.settings.checks import MIN_SIDE, InputError

_DECODER_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    SyntaxError,
    EOFError,
    MemoryError,
    struct.error,
)
"""What Pillow raises on damaged data, depending on the format."""


def load_image(path: Path, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read an image file upright, in sRGB, with its alpha channel apart.

    Args:
        path: JPEG, PNG, WebP, TIFF or BMP; greyscale, palette, CMYK and 16-bit too.
        max_pixels: Larger pictures are refused before they are decoded.

    Raises:
        InputError: No such file, not one of these formats, damaged, animated, too
            small or too large.
    """
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


@contextlib.contextmanager
def opened(
    source: Path | bytes, name: Path | str, max_pixels: int
) -> Iterator[Image.Image]:
    """Open an image after checking it; word what goes wrong inside as InputError."""
    if isinstance(source, Path):
        check_file(source)
    try:
        with warnings.catch_warnings():
            # The size is judged below; other warnings concern broken metadata.
            warnings.simplefilter("ignore")
            # Pillow maps a path into memory and then garbles rotated TIFFs.
            with (
                (
                    io.BytesIO(source)
                    if isinstance(source, bytes)
                    else source.open("rb")
                ) as stream,
                Image.open(stream) as file,
            ):
                _check(name, file, max_pixels)
                yield file
    except InputError:
        raise
    except PermissionError as error:
        raise InputError(f"can't read {name}: {error}") from error
    except Image.DecompressionBombError as error:
        raise SizeError(f"{name} is too large: {error}") from error
    except UnidentifiedImageError as error:
        raise FormatError(
            f"{name} is not an image of a format that is read: {', '.join(FORMATS)}"
        ) from error
    except _DECODER_ERRORS as error:
        raise InputError(f"{name} is damaged and can't be decoded: {error}") from error


def check_file(path: Path) -> None:
    """Refuse a path that is no file with something in it."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"there is no file {path}") from error
    except (OSError, ValueError) as error:  # A name too long, a null character.
        raise InputError(f"can't read {path}: {error}") from error
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{path} is a folder; give one image file")
    if status.st_size == 0:
        raise InputError(f"{path} is empty (0 bytes)")


def _check(path: Path | str, file: Image.Image, max_pixels: int) -> None:
    # A phone's multi-picture JPEG opens as MPO; its first frame is the photograph.
    if file.format not in (*FORMATS, "MPO"):
        raise FormatError(
            f"{path} is a {file.format} file; convert it to one of {', '.join(FORMATS)}"
        )
    frames = getattr(file, "n_frames", 1)
    if frames > 1 and file.format != "MPO":
        raise InputError(f"{path} holds {frames} frames; give a file with one picture")
    width, height = file.size
    if width * height > max_pixels:
        raise SizeError(
            f"{path} has {width}x{height} = {width * height / 1e6:.0f} megapixels; at "
            f"most {max_pixels / 1e6:.0f} are read. Reduce it first"
        )
    if min(width, height) < MIN_SIDE:
        raise InputError(
            f"{path} has {width}x{height} pixels; the short side must have at least "
            f"{MIN_SIDE}"
        )


def decode(file: Image.Image) -> Picture:
    """Return what a loaded file shows: upright, in sRGB, its alpha apart."""
    icc = file.info.get("icc_profile")
    upright: Image.Image = ImageOps.exif_transpose(file)
    if upright.mode.startswith("I") or upright.mode == "F":
        grey = np.asarray(upright, "float32")
        # Pillow gives 16-bit grey as 0..65535, whatever integer mode it chose.
        grey = grey / 65535.0 if upright.mode.startswith("I") else grey
        if not np.isfinite(grey).all():
            raise ValueError("it holds values that are not finite")
        grey = np.clip(grey, 0.0, 1.0)
        return Picture(np.repeat(grey[..., None], 3, axis=-1), None)
    alpha = None
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        alpha = np.asarray(upright.getchannel("A"), "float32") / 255.0
        upright = convert_to_srgb(upright.convert("RGB"), icc)
    else:
        upright = convert_to_srgb(upright, icc)
    pixels = np.asarray(upright.convert("RGB"), "float32") / 255.0
    if alpha is not None:
        # What transparency hides may be any garbage, which a style would amplify.
        pixels = pixels * alpha[..., None] + (1.0 - alpha[..., None])
    return Picture(pixels, alpha)


def convert_to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """Return the image in sRGB by its ICC profile, as it is without a usable one."""
    if image.mode in ("1", "P", "LA", "PA"):
        image = image.convert("RGB" if image.mode != "1" else "L")
    if not icc:
        return image
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        converted = ImageCms.profileToProfile(
            image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # A profile that does not fit the pixels: viewers ignore it too.
    return converted if converted is not None else image
