"""Pictures from a profile's colours to sRGB and back.

Pictures of 8 bits go through Little CMS. It knows no floats in Pillow, so those with
more go through the curves and the matrix of their profile; where that has tables
instead, through Little CMS with 8 bits.
"""

import io
import struct
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageCms

from nst_tf.imaging.color import to_linear, to_srgb
from nst_tf.imaging.profile import PRIMARIES, to_xyz

_ROWS = 256
"""Rows that are converted at a time: their float64 takes the memory."""
_GRID = np.linspace(0.0, 1.0, 65536)
_FROM_SRGB = to_xyz(PRIMARIES[1])
_TABLES = (b"A2B0", b"B2A0", b"A2B1")


class Space(NamedTuple):
    """The colours of a profile.

    Attributes:
        curves: Amounts of light at 65536 equal steps, one curve a channel.
        matrix: float64 `[3, 3]` from linear RGB to XYZ under D50; None for grey.
    """

    curves: list[np.ndarray]
    matrix: np.ndarray | None


def space_of(icc: bytes) -> str:
    """Return RGB, GRAY, CMYK or another name of a profile's colours, "" if damaged."""
    return (
        icc[16:20].decode("ascii", "replace").strip() if icc[36:40] == b"acsp" else ""
    )


def image_to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """Return an image of 8 bits in sRGB, RGB or L; without a usable profile as it is.

    Args:
        image: Of any mode of 8 bits, without alpha.
        icc: Its profile.
    """
    if image.mode == "LAB":
        return _managed(image, ImageCms.createProfile("LAB"), "RGB") or image
    if not icc:
        return image
    space, one = space_of(icc), image.mode in ("1", "L")
    if space == "RGB":
        given = image.convert("RGB") if one or image.mode != "CMYK" else image
    else:
        given = image.convert("L") if one else image
    fits = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}
    if fits.get(space) != given.mode:
        return image  # A profile of other colours: viewers ignore it too.
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    converted = _managed(given, profile, "RGB")
    if converted is None:
        return image
    return converted.getchannel("G") if one else converted


def _managed(image: Image.Image, profile: Any, mode: str) -> Image.Image | None:
    try:
        return ImageCms.profileToProfile(
            image, profile, ImageCms.createProfile("sRGB"), outputMode=mode
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def values_to_srgb(values: np.ndarray, icc: bytes | None) -> np.ndarray:
    """Return float32 `[H, W, C]`, C 1 or 3, in sRGB; as it is without a usable profile.

    Args:
        values: In the colours of the profile, 0..1.
        icc: The profile.
    """
    if not icc:
        return values
    one, kind = values.shape[-1] == 1, space_of(icc)
    if kind not in ("RGB", "GRAY") or (kind == "GRAY" and not one):
        return values
    space = parse(icc)
    if space is None:
        return _through_bytes(values, icc)
    out = np.empty_like(values)
    for top in range(0, len(values), _ROWS):
        part = values[top : top + _ROWS]
        if kind == "RGB" and one:
            part = np.repeat(part, 3, axis=-1)
        light = np.stack(
            [np.interp(part[..., k], _GRID, c) for k, c in enumerate(space.curves)],
            axis=-1,
        )
        if space.matrix is not None:
            light = light @ np.linalg.solve(_FROM_SRGB, space.matrix).T
        encoded = to_srgb(light)
        out[top : top + _ROWS] = encoded[..., 1:2] if one and kind == "RGB" else encoded
    return out


def can_hold(icc: bytes) -> bool:
    """Tell whether a picture in RGB can be put into the colours of a profile."""
    return space_of(icc) == "RGB" and parse(icc) is not None


def values_from_srgb(pixels: np.ndarray, icc: bytes) -> np.ndarray:
    """Return sRGB in the colours of an RGB profile that `can_hold` them.

    Args:
        pixels: float32 `[H, W, 3]`, RGB 0..1.
        icc: The profile.
    """
    space = parse(icc)
    if space is None or space.matrix is None:
        raise ValueError("the profile has no matrix: see can_hold")
    out = np.empty_like(pixels)
    for top in range(0, len(pixels), _ROWS):
        light = to_linear(np.clip(pixels[top : top + _ROWS], 0.0, 1.0))
        light = np.clip(light @ np.linalg.solve(space.matrix, _FROM_SRGB).T, 0.0, 1.0)
        for k, curve in enumerate(space.curves):
            out[top : top + _ROWS, :, k] = np.interp(light[..., k], curve, _GRID)
    return out


def parse(icc: bytes) -> Space | None:
    """Return curves and matrix of a profile; None if it is none of RGB or grey so."""
    try:
        count = struct.unpack_from(">L", icc, 128)[0]
        tags = {}
        for number in range(min(count, 100)):
            name, start, size = struct.unpack_from(">4sLL", icc, 132 + 12 * number)
            tags[name] = icc[start : start + size]
        if any(name in tags for name in _TABLES):
            return None
        if space_of(icc) == "GRAY":
            return Space([_curve(tags[b"kTRC"])], None)
        curves = [_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")]
        columns = [
            np.array(struct.unpack_from(">3l", tags[name], 8)) / 65536.0
            for name in (b"rXYZ", b"gXYZ", b"bXYZ")
        ]
        matrix = np.stack(columns, axis=1)
        if abs(np.linalg.det(matrix)) < 1e-6:
            return None
        return Space(curves, matrix)
    except (KeyError, struct.error, ValueError, IndexError):
        return None


def _curve(data: bytes) -> np.ndarray:
    """Return a tone curve at 65536 equal steps.

    Raises:
        ValueError: It is of no kind that the ICC knows, or does not rise.
    """
    if data[:4] == b"curv":
        count = struct.unpack_from(">L", data, 8)[0]
        if count == 0:
            return _GRID
        if count == 1:
            return _GRID ** (struct.unpack_from(">H", data, 12)[0] / 256.0)
        table = np.frombuffer(data, ">u2", count, 12) / 65535.0
        curve = np.interp(_GRID, np.linspace(0.0, 1.0, count), table)
    elif data[:4] == b"para":
        kind = struct.unpack_from(">H", data, 8)[0]
        numbers = struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}l", data, 12)
        g, a, b, c, d, e, f = [*(x / 65536.0 for x in numbers), *[0.0] * 7][:7]
        if kind == 0:
            return _GRID**g
        power = np.maximum(a * _GRID + b, 0.0) ** g
        if kind < 3:
            edge, flat = -b / a if a else 0.0, c if kind == 2 else 0.0
            curve = np.where(edge <= _GRID, power + flat, flat)
        else:
            curve = np.where(d <= _GRID, power + e, c * _GRID + f)
    else:
        raise ValueError("no tone curve")
    curve = np.clip(curve, 0.0, 1.0)
    if not np.isfinite(curve).all() or (np.diff(curve) < 0).any() or curve[-1] <= 0:
        raise ValueError("a tone curve that falls")
    return curve


def _through_bytes(values: np.ndarray, icc: bytes) -> np.ndarray:
    """Convert by tables, with 8 bits."""
    rounded = np.rint(255.0 * values).astype("uint8")
    image = Image.fromarray(rounded[..., 0] if values.shape[-1] == 1 else rounded)
    converted = np.asarray(image_to_srgb(image, icc), "float32") / 255.0
    return converted.reshape(values.shape)
