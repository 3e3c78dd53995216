"""float32 RGB 0..1 arrays to bytes, and to image files whole or not at all."""

import io
import math
import struct
import zlib
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

import numpy as np
from PIL import Image, PngImagePlugin

from nst_tf.files import check_writable, replacing
from nst_tf.imaging import metadata
from nst_tf.imaging.arrays import as_alpha, as_written
from nst_tf.imaging.convert import can_hold, values_from_srgb
from nst_tf.imaging.encode_png import encode_png16
from nst_tf.imaging.encode_tiff import encode_tiff
from nst_tf.imaging.formats import DEEP, LONGEST, OPAQUE, SUFFIXES
from nst_tf.settings.checks import InputError

Depth = Literal[8, 16]
"""Bits a channel of a file."""
_ENCODER_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    RuntimeError,
    OverflowError,
    AttributeError,
    struct.error,
)
"""What Pillow raises for metadata that it can't write, depending on the format."""
_FILE: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    # Runs alone: a quarter of the time for 2 % more, since paintings repeat little.
    "PNG": {"compress_level": 1, "compress_type": zlib.Z_RLE},
    "WEBP": {"quality": 95},
    "AVIF": {"quality": 90, "subsampling": "4:4:4"},
}
"""How Pillow writes the formats that offer a choice."""
_SENT: dict[str, dict[str, Any]] = {
    "JPEG": _FILE["JPEG"],
    "PNG": _FILE["PNG"],
    "WEBP": {"quality": 95, "method": 2},
}
"""The same for the network, where time counts more than size."""


def to_bytes(pixels: np.ndarray) -> np.ndarray:
    """Round 0..1 to the uint8 values that a file stores; clip what lies outside."""
    return to_integers(pixels, 255.0, "uint8")


def to_integers(pixels: np.ndarray, white: float, dtype: str) -> np.ndarray:
    """Round 0..1 to integers of which `white` is 1; clip what lies outside."""
    values: np.ndarray = np.clip(pixels, 0.0, 1.0)
    values *= white  # In place: memory that is new takes longer than the numbers.
    np.rint(values, out=values)
    return values.astype(dtype)


def to_jpeg(pixels: np.ndarray) -> bytes:
    """Return a picture, float32 `[H, W, 3]`, RGB 0..1, as a JPEG file to look at."""
    stream = io.BytesIO()
    Image.fromarray(to_bytes(pixels)).save(stream, format="JPEG", quality=90)
    return stream.getvalue()


def encode_image(
    pixels: np.ndarray, kind: str, *, alpha: np.ndarray | None = None
) -> bytes:
    """Return the bytes of an image file, for the network: PNG fast rather than small.

    Args:
        pixels: float32 `[H, W, 3]`, RGB 0..1; clipped and rounded.
        kind: JPEG or WEBP at quality 95, or PNG.
        alpha: float32 `[H, W]` in 0..1; JPEG can't hold it.
    """
    stream = io.BytesIO()
    _image(pixels, alpha, kind).save(stream, kind, **_SENT[kind])
    return stream.getvalue()


def check_output(path: Path, *, depth: Depth = 8) -> None:
    """Make sure, before any work, that a picture can be written to `path`.

    Args:
        path: The file.
        depth: Bits a channel.

    Raises:
        InputError: An unknown ending, one that can't hold so many bits, or a folder
            that is missing or not writable.
    """
    _check_depth(path, depth)
    _kind(path)
    check_writable(path)


def check_sides(path: Path, width: int, height: int) -> None:
    """Make sure that the format of a file holds a picture of a size.

    Raises:
        InputError: It does not.
    """
    most = LONGEST.get(_kind(path), math.inf)
    if max(width, height) > most:
        raise InputError(
            f"can't write {path}: the picture has {width}x{height} pixels, and"
            f" {path.suffix} holds {most} a side; choose .png or .tif, or a smaller"
            " size"
        )


class FileOptions(TypedDict, total=False):
    """What a file holds besides its pixels.

    Attributes:
        alpha: float32 `[H, W]` in 0..1, or uint8 or uint16; JPEG and BMP can't hold it.
        settings: Written into the metadata as JSON, where the format has any.
        exif: From `read_exif`; BMP can't hold it.
        depth: Bits a channel, 8 if not given: 16 for PNG and TIFF alone.
        profile: An ICC profile; the pixels are converted to its colours. BMP can't
            hold it, and one that is no display's or scanner's of RGB can't be used.
    """

    alpha: np.ndarray | None
    settings: dict[str, Any] | None
    exif: bytes
    depth: Depth
    profile: bytes | None


def save_image(
    path: str | PathLike[str], pixels: np.ndarray, **options: Unpack[FileOptions]
) -> tuple[str, ...]:
    """Write a picture whole or not at all, through a temporary file.

    Args:
        path: Its ending chooses the format: JPEG and WebP at quality 95, AVIF at 90,
            else lossless.
        pixels: float32 `[H, W, 3]`, RGB 0..1, clipped and rounded; uint8 and uint16
            by their range, grey `[H, W]` too.
        **options: What the file holds besides, `FileOptions`: `alpha`, `settings`,
            `exif`, `depth`, `profile`.

    Returns:
        Names of what the file has no room for: the picture is never lost to them.

    Raises:
        InputError: An unknown ending, an array that is no picture, or the file can't
            be written.
    """
    path = Path(path)
    pixels = as_written(pixels)
    if (alpha := options.get("alpha")) is not None:
        options["alpha"] = as_alpha(alpha, pixels)
    data, lost = encode_file(path, pixels, **options)
    write_file(path, data)
    return lost


def write_file(path: Path, data: bytes) -> None:
    """Write what `encode_file` returned whole or not at all.

    Raises:
        InputError: The file can't be written.
    """
    with replacing(path) as part:
        # Not by Pillow: it overlooks that a full disk takes only a part of a JPEG.
        part.write_bytes(data)


def encode_file(
    path: Path,
    pixels: np.ndarray,
    *,
    alpha: np.ndarray | None = None,
    settings: dict[str, Any] | None = None,
    exif: bytes = b"",
    depth: Depth = 8,
    profile: bytes | None = None,
) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes that `save_image` writes, and what they have no room for."""
    kind = _kind(path)
    _check_depth(path, depth)
    check_sides(path, pixels.shape[1], pixels.shape[0])
    lost: list[str] = []
    if profile is not None:
        if kind == "BMP" or not can_hold(profile):
            lost.append("the colour profile (the picture is in sRGB)")
            profile = None
        else:
            pixels = values_from_srgb(pixels, profile)
    notes, text, missing = metadata.notes_for(
        kind, settings, exif, srgb=profile is None
    )
    values = _values(pixels, alpha, kind, depth)
    try:
        return _encoded(kind, values, notes, text, profile), (*lost, *missing)
    except _ENCODER_ERRORS as error:
        if not notes:
            raise InputError(f"can't write {path}: {error}") from error
    notes, text, _ = metadata.notes_for(kind, settings, b"")
    lost += ["what the camera wrote"] if exif else []
    try:
        return _encoded(kind, values, notes, text, profile), (*lost, *missing)
    except _ENCODER_ERRORS as error:
        raise InputError(f"can't write {path}: {error}") from error


def _encoded(
    kind: str, values: np.ndarray, notes: Image.Exif, text: str, icc: bytes | None
) -> bytes:
    """Return the bytes of a file of any format."""
    if kind == "TIFF":
        return encode_tiff(values, exif=notes, icc=icc)
    if values.dtype == "uint16":
        exif = notes.tobytes().removeprefix(b"Exif\0\0") if notes else b""
        return encode_png16(values, text=text, key=metadata.KEY, exif=exif, icc=icc)
    options = dict(_FILE.get(kind, {}))
    if text:
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_text(metadata.KEY, text)
    if notes:
        options["exif"] = notes.tobytes()
    if icc:
        options["icc_profile"] = icc
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, format=kind, **options)
    return stream.getvalue()


def _check_depth(path: Path, depth: Depth) -> None:
    if depth == 16 and _kind(path) not in DEEP:
        endings = [ending for ending, kind in SUFFIXES.items() if kind in DEEP]
        raise InputError(
            f"16 bits are written to {', '.join(endings)}, not to {path.name}"
        )


def _values(
    pixels: np.ndarray, alpha: np.ndarray | None, kind: str, depth: Depth
) -> np.ndarray:
    """Return the integers of a file, `[H, W, C]`."""
    if alpha is not None and kind not in OPAQUE:
        pixels = np.concatenate([pixels, alpha[..., None]], axis=-1)
    if depth == 8:
        return to_bytes(pixels)
    return to_integers(pixels, 65535.0, "uint16")


def _image(pixels: np.ndarray, alpha: np.ndarray | None, kind: str) -> Image.Image:
    return Image.fromarray(_values(pixels, alpha, kind, 8))


def _kind(path: Path) -> str:
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"the output {path} must end in one of {', '.join(SUFFIXES)}")
    return SUFFIXES[path.suffix.lower()]
