"""Pixels of an opened file: upright, in sRGB, alpha apart."""

import numpy as np
from PIL import Image

from nst_tf.imaging.convert import image_to_srgb, values_to_srgb
from nst_tf.imaging.deep_tiff import DeepTiff, Samples
from nst_tf.imaging.formats import UnreadableError
from nst_tf.imaging.open import Opened, open_any_size
from nst_tf.imaging.picture import Picture
from nst_tf.imaging.profile import profile_of
from nst_tf.imaging.resize import fit_within

_ORIENTATION = 0x0112
_UPRIGHT = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a.swapaxes(0, 1)[::-1],
}
"""What turns `[H, W, ...]` upright, by EXIF orientation."""
_TRANSPOSED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The same for images of Pillow's."""


def decode(
    file: Opened, size: int | None = None, exif: Image.Exif | None = None
) -> Picture:
    """Return what a file shows, composed on white where it is transparent.

    Args:
        file: As it was opened.
        size: Reduce to this long side, in 8 bits before they become floats, where
            that can be done: no alpha and no more bits.
        exif: Of a file with 8 bits a channel, where it has lost its own.

    Raises:
        UnreadableError: It is of a kind that can't be read right.
        ValueError: It holds floats that are not finite.
    """
    if isinstance(file, DeepTiff) or is_deep(file):
        return _decode_deep(file)
    image, mask = decode_bytes(file, size, exif)
    pixels = np.array(image if image.mode == "RGB" else image.convert("RGB"), "float32")
    pixels /= 255.0
    alpha = None if mask is None else np.asarray(mask, "float32") / 255.0
    return _composed(pixels, alpha)


def is_deep(file: Opened) -> bool:
    """Tell whether a file has more than 8 bits a channel."""
    if isinstance(file, DeepTiff) or file.mode in ("I", "F"):
        return True
    return file.mode.startswith("I;16") or _is_deep_png(file)


def decode_bytes(
    file: Image.Image, size: int | None = None, exif: Image.Exif | None = None
) -> tuple[Image.Image, Image.Image | None]:
    """Return colours, RGB or L in sRGB, and alpha of a file with 8 bits a channel.

    Args:
        file: As it was opened.
        size: As `decode` takes it.
        exif: As `decode` takes it.

    Raises:
        UnreadableError: Its colours can't be shown.
    """
    hidden = _scaled_key(file)
    file.load()
    if hidden is not None:
        file.info["transparency"] = hidden
    exif = file.getexif() if exif is None else exif
    image = file
    # Not by exif_transpose, which writes EXIF anew: not all that it reads it can write.
    if (turn := exif.get(_ORIENTATION, 1)) in _TRANSPOSED:
        image = file.transpose(_TRANSPOSED[turn])
    grey = image.mode in ("1", "L", "LA", "La")
    mask = None
    if image.has_transparency_data:
        mask = image.convert("LA" if image.mode == "La" else "RGBA").getchannel("A")
    if image.mode not in ("L", "RGB", "CMYK", "LAB") or mask is not None:
        image = image.convert("LA") if image.mode == "La" else image
        image = image.convert("L" if grey else "RGB")
    profile = profile_of(file.info, exif, grey=grey)
    image = image_to_srgb(image, profile)
    if image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    if size is not None and mask is None:
        image = image.resize(fit_within(*image.size, size), Image.Resampling.LANCZOS)
    return image, mask


def _scaled_key(file: Image.Image) -> int | None:
    """Return the transparent grey of a PNG of 2 or 4 bits as its pixels are read.

    Pillow scales the pixels to 0..255 and leaves the key as it is stored.
    """
    key, tile = file.info.get("transparency"), getattr(file, "tile", None)
    if file.format != "PNG" or not tile or not isinstance(key, int):
        return None
    bits = {"L;2": 2, "L;4": 4}.get(str(tile[0].args))
    return None if bits is None else key * 255 // (2**bits - 1)


def source_profile(file: Opened) -> bytes | None:
    """Return the profile of a decoded file's colours, None where they are sRGB.

    Raises:
        UnreadableError: Its colours can't be shown.
    """
    if isinstance(file, DeepTiff):
        return profile_of(file.info, file.getexif(), grey=file.colours == 1)
    grey = file.mode in ("1", "L", "LA", "La") or file.mode.startswith("I")
    return profile_of(file.info, file.getexif(), grey=grey)


def _decode_deep(file: Opened) -> Picture:
    if isinstance(file, DeepTiff):
        exif, turn = file.getexif(), file.orientation
        values, alpha = file.samples()
    else:
        if file.format != "PNG":  # Which would be decoded for it, to 8 bits.
            file.getexif()
        values, alpha = _deep_samples(file)
        exif = file.getexif()
        turn = exif.get(_ORIENTATION, 1)
    profile = profile_of(file.info, exif, grey=values.shape[-1] == 1)
    values = values_to_srgb(values, profile)
    if values.shape[-1] == 1:
        values = np.repeat(values, 3, axis=-1)
    if turn in _UPRIGHT:
        values = np.ascontiguousarray(_UPRIGHT[turn](values))
        alpha = None if alpha is None else np.ascontiguousarray(_UPRIGHT[turn](alpha))
    return _composed(values, alpha)


def _composed(pixels: np.ndarray, alpha: np.ndarray | None) -> Picture:
    if alpha is not None:
        # What transparency hides may be any garbage, which a style would amplify.
        pixels = pixels * alpha[..., None] + (1.0 - alpha[..., None])
    return Picture(pixels, alpha)


def _is_deep_png(file: Image.Image) -> bool:
    tile = getattr(file, "tile", None)
    if file.format != "PNG" or not tile:
        return False
    return str(tile[0].args).endswith(";16B")


def _deep_samples(file: Image.Image) -> Samples:
    """Return what a PNG of 16 bits holds, or a TIFF of 12 bits of grey."""
    key = file.info.get("transparency")
    if file.mode.startswith("I;16"):
        bits = 16
        if file.format == "TIFF":
            bits = int(file.tag_v2.get(258, (16,))[0])  # type: ignore[attr-defined]
        file.load()
        stored = np.asarray(file)[..., None]
        hidden = None if key is None else (stored[..., 0] != key).astype("float32")
        return Samples((stored / np.float32(2**bits - 1)).astype("float32"), hidden)
    if not _is_deep_png(file):
        raise UnreadableError(f"a {file.format} file with pixels of kind {file.mode}")
    stored = _sixteen_bits(file)
    values = stored / np.float32(65535.0)
    if stored.shape[-1] in (2, 4):
        return Samples(values[..., :-1], values[..., -1])
    if isinstance(key, tuple):
        shown = (stored != np.array(key, "uint16")).any(axis=-1)
        return Samples(values, shown.astype("float32"))
    return Samples(values, None)


def _sixteen_bits(file: Image.Image) -> np.ndarray:
    """Return the numbers of a PNG, uint16 `[H, W, C]`.

    Pillow unpacks to the upper byte of each number; told that the bytes are in the
    other order, to the lower one.
    """
    stream, raw = file.fp, str(file.tile[0].args)  # type: ignore[attr-defined]
    if raw == "LA;16B":  # As large as RGBA, whose four bytes are these.
        halves = _load_as(file, "RGBA")
        return halves.view(">u2").astype("uint16")
    high = _load_as(file, raw)
    stream.seek(0)
    with open_any_size(stream) as again:
        low = _load_as(again, raw.replace("16B", "16L"))
    return (high.astype("uint16") << 8) | low


def _load_as(file: Image.Image, raw: str) -> np.ndarray:
    """Return the bytes of a file unpacked in one way, `[H, W, C]`."""
    file.tile = [tile._replace(args=raw) for tile in file.tile]  # type: ignore[attr-defined]
    file.load()
    return np.asarray(file)
