"""Image files, sound and broken, that tests make themselves."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 20, 32
"""Of the pictures in them."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")


def noise(*shape, dtype="uint8", seed=0):
    """Return random integers over the whole range of a type."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def chunk(kind, data):
    crc = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + crc


def png(width, height, depth, colour, rows=b""):
    """Return a PNG file: unfiltered `rows` under a header of any size."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def noise_file(kind, **options):
    """Return a file of noise, 64x64."""
    stream = io.BytesIO()
    Image.fromarray(noise(64, 64, 3)).save(stream, kind, **options)
    return stream.getvalue()


def frames(kind):
    """Return a file with three pictures."""
    images = [Image.fromarray(noise(HEIGHT, WIDTH, 3, seed=k)) for k in range(3)]
    stream = io.BytesIO()
    images[0].save(stream, kind, save_all=True, append_images=images[1:])
    return stream.getvalue()


def floats(value):
    """Return a TIFF full of one float."""
    stream = io.BytesIO()
    Image.fromarray(np.full((HEIGHT, WIDTH), value, "float32")).save(stream, "TIFF")
    return stream.getvalue()


def half(data):
    return data[: len(data) // 2]


REFUSED = {
    "empty.jpg": (lambda: b"", "empty"),
    "text.jpg": (lambda: b"This is no picture.\n" * 20, "not an image"),
    "zeros.png": (lambda: bytes(500), "not an image"),
    "cut.jpg": (lambda: half(noise_file("JPEG")), "damaged"),
    "cut.png": (lambda: half(noise_file("PNG")), "damaged"),
    "cut.webp": (lambda: half(noise_file("WEBP")), "damaged"),
    "cut.bmp": (lambda: half(noise_file("BMP")), "damaged"),
    "cut.tif": (lambda: half(noise_file("TIFF")), "not an image|damaged"),
    "header.jpg": (lambda: noise_file("JPEG")[:20], "not an image|damaged"),
    "no-rows.png": (lambda: png(WIDTH, HEIGHT, 8, 2), "damaged"),
    "nan.tif": (lambda: floats(np.nan), "not finite"),
    "infinite.tif": (lambda: floats(np.inf), "not finite"),
    "dot.png": (lambda: png(1, 1, 8, 2, bytes(4)), "1x1 pixels"),
    "thin.png": (lambda: png(15, 600, 8, 0, bytes(16 * 600)), "15x600 pixels"),
    "header-of-20000.png": (lambda: png(20000, 20000, 8, 2), "too large"),
    "header-of-11000.png": (lambda: png(11000, 11000, 8, 2), "121 megapixels"),
    "bomb.png": (lambda: png(12000, 12000, 1, 0, bytes(1501 * 12000)), "144 megapix"),
    "moving.gif": (lambda: frames("GIF"), "GIF"),
    "still.gif": (lambda: noise_file("GIF"), "GIF file; convert it"),
    "moving.webp": (lambda: frames("WEBP"), "3 frames"),
    "moving.png": (lambda: frames("PNG"), "3 frames"),
    "pages.tif": (lambda: frames("TIFF"), "3 frames"),
    "portable.ppm": (lambda: noise_file("PPM"), "PPM file; convert it"),
}
"""File names, their bytes, and what the refusal says."""


def fail_to_decode(*_):
    """Stand for Pillow's `load` where nothing may be decoded."""
    raise AssertionError("the file was decoded")
