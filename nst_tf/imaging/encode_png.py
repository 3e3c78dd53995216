"""PNG files of 16 bits a channel, which Pillow can't write in colour.

Reference: PNG third edition, https://www.w3.org/TR/png-3/
"""

import struct
import zlib

import numpy as np

_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}
"""Colour type by the number of channels."""


def encode_png16(
    values: np.ndarray,
    *,
    text: str = "",
    key: str = "",
    exif: bytes = b"",
    icc: bytes | None = None,
) -> bytes:
    """Return a PNG file of 16 bits a channel.

    Args:
        values: uint16 `[H, W, C]`: grey or RGB, with alpha after it or not.
        text: ASCII, for a tEXt chunk.
        key: Its keyword.
        exif: Of the eXIf chunk: a TIFF structure.
        icc: A colour profile.
    """
    height, width, channels = values.shape
    rows = np.frombuffer(values.astype(">u2").tobytes(), "uint8").reshape(height, -1)
    filtered = np.empty((height, rows.shape[1] + 1), "uint8")
    filtered[:, 0] = 2  # Up: what differs from the row above.
    filtered[0, 1:] = rows[0]
    filtered[1:, 1:] = rows[1:] - rows[:-1]
    header = struct.pack(">IIBBBBB", width, height, 16, _COLOURS[channels], 0, 0, 0)
    parts = [_chunk(b"IHDR", header)]
    if icc:
        parts.append(_chunk(b"iCCP", b"ICC\0\0" + zlib.compress(icc)))
    if text:
        parts.append(_chunk(b"tEXt", key.encode() + b"\0" + text.encode("ascii")))
    if exif:
        parts.append(_chunk(b"eXIf", exif))
    parts.append(_chunk(b"IDAT", zlib.compress(filtered.tobytes(), 6)))
    return b"\x89PNG\r\n\x1a\n" + b"".join([*parts, _chunk(b"IEND", b"")])


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + check
