"""Image files to float32 RGB 0..1 arrays and back.

The only room with Pillow. Nothing is decoded before its format and size are known.
"""

import contextlib
import io
import json
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageCms, ImageOps, PngImagePlugin, UnidentifiedImageError

from nst_tf.files import beside, replacing
from nst_tf.settings import MIN_SIDE, InputError, Resample, Side

MAX_PIXELS = 100_000_000
"""Largest picture that is decoded, in pixels (1.2 GB as float32)."""
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")
"""Formats that are read and written, as Pillow names them."""
SUFFIXES = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
"""File name endings and the format they stand for."""
SETTINGS_KEY = "nst-tf"
"""Name under which the settings are written into a picture's metadata."""
_ORIENTATION = 0x0112
_DESCRIPTION = 0x010E
"""EXIF and TIFF tag ImageDescription."""
_OPAQUE = {"JPEG", "BMP"}
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


class FormatError(InputError):
    """The data is no image, or of a format that is not read."""


class SizeError(InputError):
    """The image has too many pixels."""


class Picture(NamedTuple):
    """A decoded image file.

    Attributes:
        pixels: float32 `[H, W, 3]`, RGB 0..1 in sRGB; white where fully transparent.
        alpha: float32 `[H, W]` in 0..1, or None when the file has none.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None


def load_image(path: Path, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read an image file upright, in sRGB, with its alpha channel apart.

    Args:
        path: JPEG, PNG, WebP, TIFF or BMP; greyscale, palette, CMYK and 16-bit too.
        max_pixels: Larger pictures are refused before they are decoded.

    Raises:
        InputError: No such file, not one of these formats, damaged, animated, too
            small or too large.
    """
    with _opened(path, path, max_pixels) as file:
        file.load()
        return _decode(file)


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
    with _opened(data, name, max_pixels) as file:
        if size is not None:
            # JPEG halves while it decodes; twice the size leaves work for Lanczos.
            file.draft(None, (2 * size, 2 * size))
        file.load()
        picture = _decode(file)
    return picture if size is None else reduced(picture, size)


def reduced(picture: Picture, size: int) -> Picture:
    """Return a picture with a long side of at most `size` pixels; enlarge never."""
    pixels, alpha = picture
    height, width = pixels.shape[:2]
    if size >= max(height, width):
        return picture
    width, height = fit(width, height, size, "long")
    alpha = alpha if alpha is None else resize(alpha, width, height)
    return Picture(resize(pixels, width, height), alpha)


def encode_image(
    pixels: np.ndarray, kind: str, *, alpha: np.ndarray | None = None
) -> bytes:
    """Return the bytes of an image file, for the network: PNG fast rather than small.

    Args:
        pixels: float32 `[H, W, 3]`, RGB 0..1; clipped and rounded.
        kind: JPEG or WEBP at quality 95, or PNG.
        alpha: float32 `[H, W]` in 0..1; JPEG can't hold it.
    """
    values = to_bytes(pixels)
    if alpha is not None and kind not in _OPAQUE:
        values = np.concatenate([values, to_bytes(alpha)[..., None]], axis=-1)
    options: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": 95, "subsampling": 0},
        # Huffman alone: half the time, and paintings hold few repetitions.
        "PNG": {"compress_level": 1, "compress_type": zlib.Z_HUFFMAN_ONLY},
        "WEBP": {"quality": 95, "method": 2},
    }
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, kind, **options[kind])
    return stream.getvalue()


def read_exif(path: Path) -> bytes:
    """Return what the camera wrote about a picture, b"" if nothing, for `save_image`.

    Without the orientation: `load_image` turns pictures upright.

    Raises:
        InputError: As `load_image`.
    """
    with _opened(path, path, MAX_PIXELS) as file:
        exif = file.getexif()
        exif.pop(_ORIENTATION, None)
        return exif.tobytes() if exif else b""


def load_crop(
    source: Path | bytes,
    size: int,
    draw: np.random.Generator,
    *,
    least: float = 0.5,
    name: str = "the image",
) -> np.ndarray:
    """Read a random square of an image for training, uint8 `[size, size, 3]`.

    The square's side is `least` to 1 of the short side, but no smaller than `size`
    where the picture is larger; it is mirrored half of the time. Cropping and
    antialiased resizing are one step: half the time of `load_image` and `resize`.

    Args:
        source: A file or its bytes.
        size: Side of the result in pixels.
        draw: Where the numbers come from; four are drawn.
        least: Smallest part of the short side.
        name: What messages call the bytes.

    Raises:
        InputError: As `load_image`.
    """
    if isinstance(source, Path):
        name = str(source)
    part, left, top, mirrored = draw.random(4)
    with _opened(source, name, MAX_PIXELS) as file:
        file.load()
        image: Image.Image = ImageOps.exif_transpose(file)
        if image.mode in ("I", "F") or image.mode.startswith("I;"):
            pixels = to_bytes(_decode(file).pixels)
            image = Image.fromarray(pixels)
        elif image.has_transparency_data:
            ground = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(ground, image.convert("RGBA"))
        image = _to_srgb(image, file.info.get("icc_profile")).convert("RGB")
    short = min(image.size)
    side = max(short * (least + (1.0 - least) * part), min(short, size))
    x, y = left * (image.width - side), top * (image.height - side)
    square = image.resize(
        (size, size), Image.Resampling.BICUBIC, box=(x, y, x + side, y + side)
    )
    pixels = np.asarray(square)
    return np.ascontiguousarray(pixels[:, ::-1] if mirrored < 0.5 else pixels)


@contextlib.contextmanager
def _opened(
    source: Path | bytes, name: Path | str, max_pixels: int
) -> Iterator[Image.Image]:
    """Open an image after checking it; word what goes wrong inside as InputError."""
    if isinstance(source, Path):
        _check_file(source)
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


def _check_file(path: Path) -> None:
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


def _decode(file: Image.Image) -> Picture:
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
        upright = _to_srgb(upright.convert("RGB"), icc)
    else:
        upright = _to_srgb(upright, icc)
    pixels = np.asarray(upright.convert("RGB"), "float32") / 255.0
    if alpha is not None:
        # What transparency hides may be any garbage, which a style would amplify.
        pixels = pixels * alpha[..., None] + (1.0 - alpha[..., None])
    return Picture(pixels, alpha)


def _to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
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


def fit(width: int, height: int, size: int, side: Side) -> tuple[int, int]:
    """Return width and height with `size` pixels on the long or the short side."""
    measure = max(width, height) if side == "long" else min(width, height)
    ratio = size / measure
    return max(1, round(width * ratio)), max(1, round(height * ratio))


def resize(
    pixels: np.ndarray, width: int, height: int, *, resample: Resample = "lanczos"
) -> np.ndarray:
    """Resize float32 `[H, W, 3]` or `[H, W]` in float, without rounding to 8 bits.

    Args:
        pixels: The image; values are kept within 0..1.
        width: Pixels of the result.
        height: Pixels of the result.
        resample: Antialiased filter.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    method = Image.Resampling[resample.upper()]
    planes = pixels[..., None] if pixels.ndim == 2 else pixels
    resized = [
        np.asarray(Image.fromarray(planes[..., k]).resize((width, height), method))
        for k in range(planes.shape[-1])
    ]
    result = np.clip(np.stack(resized, axis=-1), 0.0, 1.0).astype("float32")
    return result[..., 0] if pixels.ndim == 2 else result


def to_bytes(pixels: np.ndarray) -> np.ndarray:
    """Round 0..1 to the uint8 values that a file stores; clip what lies outside."""
    rounded: np.ndarray = np.rint(np.clip(pixels, 0.0, 1.0) * 255.0).astype("uint8")
    return rounded


def to_jpeg(pixels: np.ndarray) -> bytes:
    """Return a picture, float32 `[H, W, 3]`, RGB 0..1, as a JPEG file to look at."""
    stream = io.BytesIO()
    Image.fromarray(to_bytes(pixels)).save(stream, format="JPEG", quality=90)
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


def _kind(path: Path) -> str:
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"the output {path} must end in one of {', '.join(SUFFIXES)}")
    return SUFFIXES[path.suffix.lower()]


def save_image(
    path: Path,
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
    kind = _kind(path)
    values = to_bytes(pixels)
    if alpha is not None and kind not in _OPAQUE:
        values = np.concatenate([values, to_bytes(alpha)[..., None]], axis=-1)
    image = Image.fromarray(values)
    options: dict[str, Any] = {}
    text = json.dumps(settings) if settings else ""
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        if text:
            info.add_text(SETTINGS_KEY, text)
        options["pnginfo"] = info
    elif kind in ("JPEG", "WEBP"):
        options["quality"] = 95
        if kind == "JPEG":
            options["subsampling"] = 0
    elif kind == "TIFF":
        options["compression"] = "tiff_deflate"
    data = Image.Exif()
    if exif:
        data.load(exif)
    if text and kind in ("JPEG", "WEBP", "TIFF"):
        data[_DESCRIPTION] = text
    if data and kind != "BMP":
        options["exif"] = data
    try:
        with replacing(path) as part:
            image.save(part, format=kind, **options)
    except ValueError as error:  # Too large for WebP.
        raise InputError(f"can't write {path}: {error}") from error


def read_settings(path: Path) -> dict[str, Any]:
    """Return the settings that `save_image` wrote into a picture.

    Raises:
        InputError: The file is no image, or none that this program made.
    """
    _check_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as file:
                # Pillow would decode a PNG before it gave `text` or `getexif`.
                if file.format == "PNG":
                    text = file.info.get(SETTINGS_KEY)
                else:
                    text = file.getexif().get(_DESCRIPTION)
        settings = json.loads(text or "")
    except Image.DecompressionBombError as error:
        raise InputError(f"{path} is too large: {error}") from error
    except (OSError, TypeError, ValueError, SyntaxError, RecursionError) as error:
        raise InputError(f"{path} carries no settings of nst-tf") from error
    if not isinstance(settings, dict):
        raise InputError(f"{path} carries no settings of nst-tf")
    return settings
