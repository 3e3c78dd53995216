"""What callers give as a picture: arrays of several kinds, files, Pillow images."""

from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from nst_tf.imaging.picture import Picture
from nst_tf.settings.checks import InputError

PictureLike = Any
"""An array, a path, a `Picture` or a Pillow image, see `as_pixels`."""
_WHOLE = {"uint8": 255, "uint16": 65535}
"""Types of whole numbers whose range is a picture's, and their white."""
_OVER = 0.01
"""How far floats may lie outside 0..1, which resizing and half precision make them."""
_FAR = 9.0
"""The same for a picture that a run made: more is a range that nobody meant."""


def as_pixels(
    value: PictureLike,
    name: str = "the picture",
    *,
    least: int | None = None,
    clipped: bool = True,
) -> np.ndarray:
    """Return what a caller gave as float32 `[H, W, 3]`, RGB 0..1.

    What can be meant in one way alone is converted: uint8 and uint16 by their range,
    grey `[H, W]` and `[H, W, 1]` to three equal channels, a batch of one picture to the
    picture. Everything else is refused, rather than painted in a way that nobody meant.

    Args:
        value: An array, a path of an image file, a `Picture` or a Pillow image (whose
            alpha channel is left out), or what NumPy makes an array of.
        name: What messages call it.
        least: Of a file, as `load_image` takes it.
        clipped: Whether floats must lie in 0..1, which those of an unconstrained run
            leave.

    Raises:
        InputError: Another shape, type or range; says which and what to do.
    """
    if isinstance(value, (str, PathLike)):
        from nst_tf.imaging.read import load_image

        return load_image(Path(fspath(value)), least=least).pixels
    if isinstance(value, Picture):
        return as_pixels(value.pixels, name, clipped=clipped)
    if hasattr(value, "getbands"):
        return _decoded(value, name)
    return _as_floats(value, name, over=_OVER if clipped else _FAR)


def _decoded(image: Any, name: str) -> np.ndarray:
    """Return the pixels of a Pillow image."""
    from nst_tf.imaging.decode import decode
    from nst_tf.imaging.formats import UnreadableError
    from nst_tf.imaging.open import DECODER_ERRORS

    try:
        return decode(image).pixels
    except UnreadableError as error:
        raise InputError(
            f"{name} is a Pillow image of mode {image.mode}, which is not read:"
            ' give image.convert("RGB")'
        ) from error
    except DECODER_ERRORS as error:
        raise InputError(f"{name} can't be decoded: {error}") from error


def as_written(value: Any) -> np.ndarray:
    """Return an array that is to become a file as floats `[H, W, 3]`.

    Floats may leave 0..1, as those of an unconstrained run do: they are clipped.

    Raises:
        InputError: Another shape or type, or floats that are no picture's.
    """
    return _as_floats(value, "the picture", over=_FAR)


def _as_floats(value: Any, name: str, over: float) -> np.ndarray:
    return _in_range(_in_shape(_array(value, name), name), name, over)


def as_alpha(value: Any, pixels: np.ndarray) -> np.ndarray:
    """Return the alpha channel of a picture that is written, `[H, W]`.

    Raises:
        InputError: Another shape or type.
    """
    name = "the alpha channel"
    alpha = _array(value, name)
    if alpha.shape != pixels.shape[:2]:
        raise InputError(
            f"{name} must have the shape {list(pixels.shape[:2])} of its picture, got"
            f" {list(alpha.shape)}"
        )
    return _in_range(alpha, name, over=_FAR)


def _array(value: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is no array: {error}") from error


def _in_shape(array: np.ndarray, name: str) -> np.ndarray:
    """Return `[H, W, 3]` of any type."""
    shape = list(array.shape)
    if not array.size or array.ndim not in (2, 3, 4):
        raise InputError(f"{name} must have the shape [H, W, 3], got {shape}")
    if array.ndim == 4:
        if shape[0] != 1:
            raise InputError(
                f"{name} is a batch of {shape[0]} pictures, {shape}: give them one by"
                " one, as [H, W, 3]"
            )
        array = array[0]
    if array.ndim == 2:
        array = array[..., None]
    channels = array.shape[-1]
    if channels == 4:
        raise InputError(
            f"{name} has four channels, {shape}: give RGB alone, picture[..., :3], and"
            " keep the alpha channel"
        )
    if channels not in (1, 3):
        first = array.shape[0] in (1, 3)
        hint = ": its channels come first; give np.moveaxis(picture, 0, -1)"
        raise InputError(
            f"{name} must have the shape [H, W, 3], got {shape}{hint if first else ''}"
        )
    return np.repeat(array, 3, axis=-1) if channels == 1 else array


def _in_range(array: np.ndarray, name: str, over: float = _OVER) -> np.ndarray:
    """Return float32 in 0..1, or at most so far from it."""
    kind = array.dtype.name
    if kind in _WHOLE:
        return np.divide(array, _WHOLE[kind], dtype="float32")
    if not (array.dtype.kind == "f" or kind == "bfloat16"):
        raise InputError(
            f"{name} is of type {kind}, whose range is not known: give uint8 in 0..255,"
            " uint16 in 0..65535 or floats in 0..1"
        )
    pixels = np.ascontiguousarray(array, "float32")
    low, high = float(pixels.min()), float(pixels.max())
    if not (low >= -over and high <= 1 + over):  # False for NaN, too.
        most = high if np.isfinite(high) and low >= -_OVER else 0
        hint = "; divide by 255, or give uint8" if 1 < most <= 255.5 else ""
        raise InputError(
            f"{name} must be RGB in 0..1, got {low:g}..{high:g} ({kind}){hint}"
        )
    return pixels
