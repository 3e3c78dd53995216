"""TIFF files of 8 or 16 bits with all that EXIF holds, which Pillow can't write.

Reference: TIFF 6.0, https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf
"""

import struct
import zlib

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

_ICC = 34675
_EXIF, _GPS = 0x8769, 0x8825


def encode_tiff(
    values: np.ndarray, *, exif: Image.Exif | None = None, icc: bytes | None = None
) -> bytes:
    """Return a little-endian TIFF file, deflated in one strip.

    Args:
        values: uint8 or uint16 `[H, W, C]`: grey or RGB, with alpha after it or not.
        exif: Its tags go into the file's own directory and those below it.
        icc: A colour profile.

    Raises:
        ValueError: It would have more than 4 GB.
    """
    height, width, channels = values.shape
    differences = values.copy()
    differences[:, 1:] -= values[:, :-1]  # Predictor 2; wraps as it should.
    little = differences.astype(values.dtype.newbyteorder("<"), copy=False)
    data = zlib.compress(little.tobytes(), 6)
    directory = ImageFileDirectory_v2(prefix=b"II")
    for tag, value in (exif or {}).items():
        directory[tag] = value
    tags = {
        256: width,
        257: height,
        258: (8 * values.dtype.itemsize,) * channels,
        259: 8,  # Deflate.
        262: 2 if channels > 2 else 1,
        273: 0,  # Pillow adds where the directory ends.
        277: channels,
        278: height,
        279: len(data),
        284: 1,
        317: 2,
    }
    for tag, value in tags.items():
        directory[tag] = value
    if channels in (2, 4):
        directory[338] = 2  # Alpha that colours are not multiplied by.
    if icc:
        directory.tagtype[_ICC] = 7
        directory[_ICC] = icc
    entries = directory.tobytes(8)
    if 8 + len(entries) + len(data) >= 2**32:
        raise ValueError("it has more than 4 GB, which TIFF can't hold")
    return struct.pack("<2sHL", b"II", 42, 8) + entries + data
