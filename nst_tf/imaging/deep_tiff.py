"""TIFF pages that Pillow misreads or refuses: 16 and 32 bits, floats, planes of alpha.

Pillow still unpacks LZW, PackBits and Zstandard, as grey bytes.

References:
    TIFF 6.0, https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf
    TIFF Technical Note 3 (predictor 3), http://chriscox.org/TIFFTN3d1.pdf
"""

import io
import struct
import zlib
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from nst_tf.imaging.formats import UnreadableError
from nst_tf.imaging.tiff import Tiff

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_ORIENTATION, _SAMPLES, _ROWS, _PLANAR, _PREDICTOR = 274, 277, 278, 284, 317
_EXTRA, _FORMAT, _ICC, _DNG = 338, 339, 34675, 50706
_STRIPS, _STRIP_BYTES = 273, 279
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES = 322, 323, 324, 325
_DEFLATE = (8, 32946)
_BY_PILLOW = (5, 32773, 34925, 50000)
_MOST_SAMPLES = 16
_RAW = (32803, 34892)
"""Photometric interpretations of sensors."""


class Samples(NamedTuple):
    """What a file holds, in its own colours and the way it is stored.

    Attributes:
        values: float32 `[H, W, 1]` or `[H, W, 3]`, 0..1.
        alpha: float32 `[H, W]` in 0..1, or None.
    """

    values: np.ndarray
    alpha: np.ndarray | None


class DeepTiff:
    """A page whose samples have more than 8 bits, are floats, or planes with alpha.

    Args:
        tiff: The file.
        tags: Of the page.

    Raises:
        UnreadableError: It is of a kind that can't be read right.
        OSError: It is damaged.
    """

    format = "TIFF"

    def __init__(self, tiff: Tiff, tags: dict[int, tuple[Any, ...]]) -> None:
        self.tiff, self.tags = tiff, tags
        self.size = self._one(_WIDTH, 0), self._one(_HEIGHT, 0)
        self.orientation = self._one(_ORIENTATION, 1)
        icc = bytes(x % 256 for x in tags.get(_ICC, ()))
        self.info: dict[Any, Any] = {"icc_profile": icc} if icc else {}
        bits, kind = set(tags[_BITS]), self._one(_FORMAT, 1)
        name = {1: "u", 3: "f", 4: "u"}.get(kind, "")
        width = max(bits) // 8
        if len(bits) != 1 or f"{name}{width}" not in (
            *("u1", "u2", "u4", "u8", "f2", "f4", "f8"),
        ):
            what = {2: "signed integers", 3: "floats"}.get(kind, "numbers")
            raise UnreadableError(f"samples that are {what} of {max(bits)} bits")
        self.dtype = np.dtype(f"{tiff.order}{name}{width}")
        self.colours = 3 if self._one(_PHOTOMETRIC, 1) == 2 else 1
        self.channels = self._one(_SAMPLES, self.colours)
        if not self.colours <= self.channels <= _MOST_SAMPLES:
            raise UnreadableError(f"{self.channels} samples a pixel")
        compression = self._one(_COMPRESSION, 1)
        if compression not in (1, *_DEFLATE, *_BY_PILLOW):
            raise UnreadableError(
                f"samples of {max(bits)} bits in compression {compression}"
            )

    def _one(self, tag: int, default: int) -> int:
        return int(self.tags.get(tag, (default,))[0])

    def getexif(self) -> Image.Exif:
        """Return the tags as Pillow does for the formats that it reads."""
        exif = Image.Exif()
        if not self.tiff.big:
            self.tiff.stream.seek(0)
            exif.load_from_fp(self.tiff.stream)
        return exif

    def load(self) -> None:
        """Do nothing: `samples` reads."""

    def samples(self) -> Samples:
        """Read the page.

        Raises:
            UnreadableError: Its range of values is ambiguous.
            OSError: It is damaged.
        """
        stored = self._stored()
        values = _to_unit(stored[..., : self.colours])
        if self._one(_PHOTOMETRIC, 1) == 0:
            values = 1.0 - values
        extra = self.tags.get(_EXTRA, ())
        if self.channels == self.colours or not extra or extra[0] not in (1, 2):
            return Samples(values, None)
        alpha = _to_unit(stored[..., self.colours])
        if extra[0] == 1:  # Colours are multiplied by it.
            values = np.clip(values / np.maximum(alpha, 1e-6)[..., None], 0.0, 1.0)
        return Samples(values, alpha)

    def _stored(self) -> np.ndarray:
        """Return the numbers of the page, `[H, W, samples]`."""
        width, height = self.size
        planes = self.channels if self._one(_PLANAR, 1) == 2 else 1
        inside = self.channels // planes
        tiled = _TILES in self.tags
        if tiled:
            wide, tall = self._one(_TILE_WIDTH, 0), self._one(_TILE_HEIGHT, 0)
            starts, lengths = self.tags[_TILES], self.tags.get(_TILE_BYTES, ())
        else:
            wide, tall = width, min(self._one(_ROWS, height), height)
            starts, lengths = (
                self.tags.get(_STRIPS, ()),
                self.tags.get(_STRIP_BYTES, ()),
            )
        if not 0 < wide <= 2 * width + 1024 or not 0 < tall <= 2 * height + 1024:
            raise OSError("its tiles have no sensible size")
        across, down = -(-width // wide), -(-height // tall)
        if min(len(starts), len(lengths)) < across * down * planes:
            raise OSError("strips or tiles are missing")
        out = np.empty((height, width, self.channels), self.dtype.newbyteorder("="))
        for number in range(across * down * planes):
            plane, place = divmod(number, across * down)
            top, left = tall * (place // across), wide * (place % across)
            rows = tall if tiled else min(tall, height - top)
            part = self._segment(starts[number], lengths[number], (rows, wide, inside))
            into = out[top : top + rows, left : left + wide]
            channels = slice(plane, plane + 1) if planes > 1 else slice(None)
            into[..., channels] = part[: into.shape[0], : into.shape[1]]
        return out

    def _segment(
        self, start: int, length: int, shape: tuple[int, int, int]
    ) -> np.ndarray:
        """Return a strip or tile, `[rows, columns, samples]`."""
        rows, columns, inside = shape
        row = columns * inside * self.dtype.itemsize
        self.tiff.stream.seek(start)
        data = self.tiff.stream.read(min(length, self.tiff.length))
        compression = self._one(_COMPRESSION, 1)
        if compression in _DEFLATE:
            try:
                data = zlib.decompressobj().decompress(data, rows * row)
            except zlib.error as error:
                raise OSError(f"its data can't be inflated: {error}") from error
        elif compression != 1:
            data = _unpacked(data, compression, row, rows)
        if len(data) < rows * row:
            raise OSError("its data ends too early")
        raw = np.frombuffer(data, "uint8", rows * row)
        predictor = self._one(_PREDICTOR, 1)
        if predictor == 3:
            steps = raw.reshape(rows, -1, inside)
            ordered = np.cumsum(steps, axis=1, dtype="uint8").reshape(
                rows, self.dtype.itemsize, -1
            )
            values = np.ascontiguousarray(ordered.transpose(0, 2, 1))
            return values.view(self.dtype.newbyteorder(">")).reshape(shape)
        stored = (
            raw.view(self.dtype).reshape(shape).astype(self.dtype.newbyteorder("="))
        )
        if predictor == 2 and self.dtype.kind == "u":
            return np.cumsum(stored, axis=1, dtype=stored.dtype)
        return stored


def find_deep(tiff: Tiff) -> DeepTiff | None:
    """Return the page if Pillow would not read it right.

    Raises:
        UnreadableError: Neither of both reads it right.
        OSError: It is damaged.
    """
    if not tiff.pages:
        raise OSError("it has no page")
    tags = next((x for x in tiff.pages if not tiff.page_is_copy(x)), tiff.pages[0])
    photometric = tags.get(_PHOTOMETRIC, (1,))[0]
    if _DNG in tags or photometric in _RAW or tiff.page_is_copy(tags):
        raise UnreadableError("camera raw")
    bits, kind = tags.get(_BITS, (1,)), tags.get(_FORMAT, (1,))[0]
    usual = max(bits) <= 12 and kind in (1, 4)
    # Pillow knows planes of colours, with none of alpha beside them.
    planes = set(bits) == {8} and _EXTRA in tags and tags.get(_PLANAR, (1,))[0] == 2
    if photometric not in (0, 1, 2) or (usual and not planes):
        return None
    return DeepTiff(tiff, tags)


def _unpacked(data: bytes, compression: int, row: int, rows: int) -> bytes:
    """Have Pillow unpack a strip, as if it were a grey picture of bytes."""
    from PIL.TiffImagePlugin import TiffImageFile

    tags = {256: row, 257: rows, 258: 8, 259: compression, 262: 1, 273: 8, 277: 1}
    tags |= {278: rows, 279: len(data)}
    start = 8 + len(data) + len(data) % 2
    entries = b"".join(struct.pack("<HHLL", tag, 4, 1, x) for tag, x in tags.items())
    head = struct.pack("<2sHL", b"II", 42, start)
    file = head + data.ljust(start - 8, b"\0")
    file += struct.pack("<H", len(tags)) + entries + bytes(4)
    # Not by `Image.open`, which counts these bytes as pixels and may find too many.
    with TiffImageFile(io.BytesIO(file)) as image:
        image.load()
        return image.tobytes()


def _to_unit(stored: np.ndarray) -> np.ndarray:
    """Return numbers as float32 in 0..1, by the range of their type.

    Raises:
        UnreadableError: They do not say which range they have.
    """
    if stored.dtype.kind == "u":
        most = np.iinfo(stored.dtype).max
        highest = int(stored.max(initial=0))
        if most > 65535 and 0 < highest <= 65535:
            raise UnreadableError(
                f"integers of {8 * stored.dtype.itemsize} bits that end at {highest}: "
                "save them with as many bits as they need"
            )
        return (stored / np.float64(most)).astype("float32")
    if not np.isfinite(stored).all():
        raise ValueError("it holds values that are not finite")
    low, high = float(stored.min(initial=0.0)), float(stored.max(initial=0.0))
    beyond = np.count_nonzero((stored < 0.0) | (stored > 1.0)) / max(stored.size, 1)
    if (low >= -0.5 and high <= 1.5) or beyond <= 0.01:
        return np.clip(stored, 0.0, 1.0).astype("float32")
    if low >= 0.0 and 32.0 < high <= 255.5 and beyond >= 0.5:
        return np.clip(stored / 255.0, 0.0, 1.0).astype("float32")
    raise UnreadableError(
        f"floats from {low:g} to {high:g}, neither 0 to 1 nor 0 to 255: scale them"
    )
