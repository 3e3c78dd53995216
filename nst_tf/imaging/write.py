"""float32 RGB 0..1 arrays to bytes, and to image files whole or not at all."""

import io
import zlib
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nst_tf.files import beside, replacing
from nst_tf.imaging import metadata
from nst_tf.imaging.formats import OPAQUE, SUFFIXES
from nst_tf.settings.checks import InputError

_FILE: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95},
    "TIFF": {"compression": "tiff_deflate"},
}
"""How Pillow writes the formats that offer a choice."""
_SENT: dict[str, dict[str, Any]] = {
    "JPEG": _FILE["JPEG"],
    # Huffman alone: half the time, and paintings hold few repetitions.
    "PNG": {"compress_level": 1, "compress_type": zlib.Z_HUFFMAN_ONLY},
    "WEBP": {"quality": 95, "method": 2},
}
"""The same for the network, where time counts more than size."""


def to_bytes(pixels: np.ndarray) -> np.ndarray:
    """Round 0..1 to the uint8 values that a file stores; clip what lies outside."""
    rounded: np.ndarray = np.rint(np.clip(pixels, 0.0, 1.0) * 255.0).astype("uint8")
    return rounded


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


def check_output(path: Path) -> None:
    """Make sure, before any work, that a picture can be written to `path`.

    Raises:
        InputError: An unknown ending, or a folder that is missing or not writable.
    """
    _kind(path)
    try:
        if path.is_dir():
            raise InputError(f"the output {path} is a folder; give a file name")
        path.parent.mkdir(parents=True, exist_ok=True)
        probe = beside(path)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"can't write to the folder of {path}: {error}") from error


def save_image(
    path: str | PathLike[str],
    pixels: np.ndarray,
    *,
    alpha: np.ndarray | None = None,
    settings: dict[str, Any] | None = None,
    exif: bytes = b"",
) -> None:
    """Write a picture whole or not at all, through a temporary file.

    Args:
        path: Its ending chooses the format: JPEG and WebP at quality 95, else lossless.
        pixels: float32 `[H, W, 3]`, RGB 0..1; clipped and rounded.
        alpha: float32 `[H, W]` in 0..1; JPEG and BMP can't hold it.
        settings: Written into the metadata as JSON, where the format has any.
        exif: From `read_exif`; BMP can't hold it.

    Raises:
        InputError: An unknown ending, or the file can't be written.
    """
    path = Path(path)
    kind = _kind(path)
    options = _FILE.get(kind, {}) | metadata.options(kind, settings, exif)
    image = _image(pixels, alpha, kind)
    try:
        with replacing(path) as part:
            image.save(part, format=kind, **options)
    except ValueError as error:  # Too large for WebP.
        raise InputError(f"can't write {path}: {error}") from error


def _image(pixels: np.ndarray, alpha: np.ndarray | None, kind: str) -> Image.Image:
    values = to_bytes(pixels)
    if alpha is not None and kind not in OPAQUE:
        values = np.concatenate([values, to_bytes(alpha)[..., None]], axis=-1)
    return Image.fromarray(values)


def _kind(path: Path) -> str:
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"the output {path} must end in one of {', '.join(SUFFIXES)}")
    return SUFFIXES[path.suffix.lower()]
