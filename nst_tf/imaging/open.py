"""Image files opened after checks: nothing is decoded before it is judged."""

import contextlib
import io
import stat
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from nst_tf.imaging.formats import FORMATS, MAX_PIXELS, FormatError, SizeError
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


@contextlib.contextmanager
def opened(
    source: Path | bytes, name: Path | str, max_pixels: int = MAX_PIXELS
) -> Iterator[Image.Image]:
    """Open an image after checking it; word what goes wrong inside as InputError.

    Args:
        source: A file or its bytes.
        name: What messages call it.
        max_pixels: Larger pictures are refused before they are decoded.

    Raises:
        FormatError: It is no image of a format that is read.
        SizeError: It has more pixels than `max_pixels`.
        InputError: There is no such file, or it is damaged, animated or too small.
    """
    if isinstance(source, Path):
        check_file(source)
    try:
        with warnings.catch_warnings():
            # The size is judged below; other warnings concern broken metadata.
            warnings.simplefilter("ignore")
            with _stream(source) as stream, Image.open(stream) as file:
                _check_format(file, name)
                _check_size(file, name, max_pixels)
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
    """Refuse a path that is no file with something in it.

    Raises:
        InputError: It is a folder, empty, or not there.
    """
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


def _stream(source: Path | bytes) -> BinaryIO:
    # Not the path itself: Pillow maps it into memory and then garbles rotated TIFFs.
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _check_format(file: Image.Image, name: Path | str) -> None:
    # A phone's multi-picture JPEG opens as MPO; its first frame is the photograph.
    if file.format not in (*FORMATS, "MPO"):
        raise FormatError(
            f"{name} is a {file.format} file; convert it to one of {', '.join(FORMATS)}"
        )
    frames = getattr(file, "n_frames", 1)
    if frames > 1 and file.format != "MPO":
        raise InputError(f"{name} holds {frames} frames; give a file with one picture")


def _check_size(file: Image.Image, name: Path | str, max_pixels: int) -> None:
    width, height = file.size
    if width * height > max_pixels:
        raise SizeError(
            f"{name} has {width}x{height} = {width * height / 1e6:.0f} megapixels; at "
            f"most {max_pixels / 1e6:.0f} are read. Reduce it first"
        )
    if min(width, height) < MIN_SIDE:
        raise InputError(
            f"{name} has {width}x{height} pixels; the short side must have at least "
            f"{MIN_SIDE}"
        )
