"""Image files opened after checks: nothing is decoded before it is judged."""

import contextlib
import io
import stat
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, UnidentifiedImageError

from nst_tf.imaging.deep_tiff import DeepTiff, find_deep
from nst_tf.imaging.formats import (
    ADVICE,
    FORMATS,
    MAX_PIXELS,
    FormatError,
    SizeError,
    UnreadableError,
    kind_of,
    reads_heif,
)
from nst_tf.imaging.tiff import Tiff
from nst_tf.settings.checks import MIN_SIDE, InputError

DECODER_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    SyntaxError,
    EOFError,
    MemoryError,
    RuntimeError,
    ArithmeticError,
    AssertionError,
    struct.error,
    zlib.error,
)
"""What Pillow raises on damaged data, depending on the format."""


Opened = Image.Image | DeepTiff
"""A file of Pillow's, or a TIFF that it would misread."""
_OPENING = threading.Lock()
_CHUNKS = 200
"""Chunks of a PNG that may come before its pixels."""


@contextlib.contextmanager
def opened(
    source: Path | bytes, name: Path | str, max_pixels: int | None = MAX_PIXELS
) -> Iterator[Opened]:
    """Open an image after checking it; word what goes wrong inside as InputError.

    Args:
        source: A file, which may be a pipe, or its bytes.
        name: What messages call it.
        max_pixels: Larger pictures are refused before they are decoded; None lets all
            sizes through, for those who decode nothing.

    Raises:
        FormatError: It is no image of a format that is read, or can't be read right.
        SizeError: It has more pixels than `max_pixels`.
        InputError: There is no such file, or it is damaged, animated or too small.
    """
    if isinstance(source, Path):
        check_file(source)
    try:
        with warnings.catch_warnings():
            # The size is judged below; other warnings concern broken metadata.
            warnings.simplefilter("ignore")
            with _stream(source) as stream, _identified(stream, name) as file:
                check_size(file, name, max_pixels)
                yield file
    except UnreadableError as error:
        if str(error) in ADVICE:
            raise FormatError(_unread(name, str(error))) from error
        raise FormatError(f"{name} can't be read: it holds {error}") from error
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
    except DECODER_ERRORS as error:
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
        raise InputError(f"{path} is a folder; give one file")
    if status.st_size == 0 and stat.S_ISREG(status.st_mode):
        raise InputError(f"{path} is empty (0 bytes)")


def kind_of_file(path: Path) -> str | None:
    """Return what kind of picture a file is by its first bytes, as `kind_of` does."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        with path.open("rb") as file:
            return kind_of(file.read(32))
    except (OSError, ValueError):
        return None


def size_of_file(path: Path) -> tuple[int, int]:
    """Return width and height of an image file as it is stored, without decoding it.

    Raises:
        InputError: As `load_image`.
    """
    with opened(path, path, None) as file:
        width, height = file.size
        return width, height


def _stream(source: Path | bytes) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if not stat.S_ISREG(source.stat().st_mode):  # A pipe can be read but once.
        return io.BytesIO(source.read_bytes())
    # Not the path itself: Pillow maps it into memory and then garbles rotated TIFFs.
    return source.open("rb")


@contextlib.contextmanager
def _identified(stream: BinaryIO, name: Path | str) -> Iterator[Opened]:
    """Open a picture of a format that is read."""
    head = stream.read(32)
    if not head:
        raise InputError(f"{name} is empty (0 bytes)")
    kind = kind_of(head)
    first = 0
    if kind in ADVICE and kind != "HEIC":
        raise FormatError(_unread(name, kind))
    if kind == "TIFF":
        tiff = Tiff(stream)
        if (deep := find_deep(tiff)) is not None:
            _check_frames(tiff.pictures, name)
            yield deep
            return
        copies = [tiff.page_is_copy(tags) for tags in tiff.pages]
        first = copies.index(False)
    if kind == "HEIC":
        if not reads_heif():
            raise FormatError(_unread(name, kind))
        import pillow_heif

        pillow_heif.register_heif_opener()
    found = _code_points(stream, kind)
    stream.seek(0)
    with _open(stream, kind, name) as file:
        # A phone's multi-picture JPEG opens as MPO; its first frame is the photograph.
        if file.format not in (*FORMATS, "MPO", "HEIF"):
            raise FormatError(_unread(name, str(file.format)))
        if kind == "TIFF":
            _check_frames(tiff.pictures, name)
            if first:
                file.seek(first)
        elif file.format not in ("MPO", "HEIF"):
            _check_frames(getattr(file, "n_frames", 1), name)
        if nclx := file.info.get("nclx_profile"):
            codes = nclx["color_primaries"], nclx["transfer_characteristics"]
            file.info["nclx"] = (*codes, 1)  # Pillow gets the full range.
        file.info.update(found)
        yield file


def _open(stream: BinaryIO, kind: str | None, name: Path | str) -> Image.Image:
    try:
        return open_any_size(stream)
    except UnidentifiedImageError as error:
        if kind in FORMATS:
            raise FormatError(
                f"{name} is damaged, or a {kind} file of a kind that is not read: not"
                " an image that can be opened"
            ) from error
        if kind is not None:
            raise FormatError(_unread(name, kind)) from error
        raise


def open_any_size(stream: BinaryIO) -> Image.Image:
    """Open an image whose size is judged by the caller, in its own words."""
    with _OPENING:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(stream)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _unread(name: Path | str, kind: str) -> str:
    advice = ADVICE.get(kind, f"convert it to one of {', '.join(FORMATS)}")
    return f"{name} is a {kind} file; {advice}"


def _code_points(
    stream: BinaryIO, kind: str | None
) -> dict[str | tuple[int, int], Any]:
    """Return what a file says of its colours in code points of H.273."""
    stream.seek(8)
    if kind == "PNG":
        for _ in range(_CHUNKS):
            head = stream.read(8)
            if len(head) < 8 or head[4:] in (b"IDAT", b"IEND"):
                break
            length = int.from_bytes(head[:4], "big")
            if head[4:] == b"cICP" and length == 4:
                primaries, transfer, _, full = stream.read(4)
                return {"cicp": (primaries, transfer, full)}
            stream.seek(length + 4, io.SEEK_CUR)
    elif kind == "AVIF":
        _, found, rest = stream.read(1 << 16).partition(b"colrnclx")
        if found and len(rest) >= 7:
            primaries, transfer = struct.unpack(">HH", rest[:4])
            return {"nclx": (primaries, transfer, 1)}  # Pillow gets the full range.
    return {}


def _check_frames(frames: int, name: Path | str) -> None:
    if frames > 1:
        raise InputError(f"{name} holds {frames} frames; give a file with one picture")


def check_size(file: Opened, name: Path | str, max_pixels: int | None) -> None:
    """Refuse a picture that is too large or too small.

    Raises:
        SizeError: It has more pixels than `max_pixels`.
        InputError: It is too small.
    """
    width, height = file.size
    if max_pixels is not None and width * height > max_pixels:
        raise SizeError(
            f"{name} is too large: it has {width}x{height} ="
            f" {width * height / 1e6:.4g} megapixels; at most {max_pixels / 1e6:.4g}"
            " are read. Reduce it first"
        )
    if min(width, height) < MIN_SIDE:
        raise InputError(
            f"{name} has {width}x{height} pixels; the short side must have at least "
            f"{MIN_SIDE}"
        )
