"""Image files, sound and broken, that tests make themselves."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 20, 32
"""Of the pictures in them."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".avif")


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


def chunks(data, *more):
    """Return a PNG with chunks put in behind its header."""
    return data[:33] + b"".join(chunk(*each) for each in more) + data[33:]


_LETTERS = {3: "H", 4: "L", 7: "B"}
_KINDS = {"u": 1, "i": 2, "f": 3}


def tiff(
    values,
    *,
    order="<",
    photometric=None,
    planar=False,
    tile=None,
    compression=1,
    predictor=1,
    pages=(),
    **tags,
):
    """Return a TIFF of any type of numbers, `[H, W, C]`, written by TIFF 6.0.

    Args:
        values: The numbers, stored as their type says.
        order: `<` or `>`.
        photometric: 2 for three channels and more, else 1.
        planar: One plane a channel instead of one pixel after another.
        tile: Width and height of tiles, else strips of 7 rows.
        compression: 1 or 8.
        predictor: 1, 2 or 3.
        pages: `(values, tags)` of pages behind it, which are plain.
        tags: `t254=1` is tag 254; shorts.
    """
    out = bytearray(
        struct.pack(f"{order}2sHL", b"II" if order == "<" else b"MM", 42, 0)
    )
    link = 4
    first = {
        "photometric": photometric,
        "planar": planar,
        "tile": tile,
        "compression": compression,
        "predictor": predictor,
        "tags": tags,
    }
    plain = {
        "photometric": None,
        "planar": False,
        "tile": None,
        "compression": 1,
        "predictor": 1,
    }
    for page, given in [
        (values, first),
        *((v, {**plain, "tags": t}) for v, t in pages),
    ]:
        entries = _tiff_page(out, page, order, **given)
        struct.pack_into(f"{order}L", out, link, len(out))
        out += struct.pack(f"{order}H", len(entries))
        link_after = len(out) + 12 * len(entries)
        extra = bytearray()
        for tag, kind, numbers in sorted(entries):
            data = struct.pack(f"{order}{len(numbers)}{_LETTERS[kind]}", *numbers)
            if len(data) <= 4:
                place = data.ljust(4, b"\0")
            else:
                place = struct.pack(f"{order}L", link_after + 4 + len(extra))
                extra += data
            out += struct.pack(f"{order}HHL", tag, kind, len(numbers)) + place
        link = len(out)
        out += bytes(4) + extra
    return bytes(out)


def _tiff_page(
    out, values, order, *, photometric, planar, tile, compression, predictor, tags
):
    """Append the numbers of a page; return its tags."""
    height, width, channels = values.shape
    wide, tall = tile or (width, 7)
    planes = [values[..., k : k + 1] for k in range(channels)] if planar else [values]
    starts, lengths = [], []
    for plane in planes:
        for top in range(0, height, tall):
            for left in range(0, width, wide):
                part = plane[top : top + tall, left : left + wide]
                if tile:
                    rest = (0, tall - part.shape[0]), (0, wide - part.shape[1]), (0, 0)
                    part = np.pad(part, rest)
                data = _predicted(part, predictor).astype(
                    part.dtype.newbyteorder(order)
                )
                data = data.tobytes() if predictor != 3 else _float_predicted(part)
                starts.append(len(out))
                data = zlib.compress(data) if compression == 8 else data
                lengths.append(len(data))
                out += data
    out += b"\0" * (len(out) % 2)
    if photometric is None:
        photometric = 2 if channels > 2 else 1
    entries = [
        (256, 4, [width]),
        (257, 4, [height]),
        (259, 3, [compression]),
        (258, 3, [8 * values.dtype.itemsize] * channels),
        (262, 3, [photometric]),
        (277, 3, [channels]),
        (284, 3, [2 if planar else 1]),
        (339, 3, [_KINDS[values.dtype.kind]] * channels),
        *([(317, 3, [predictor])] if predictor > 1 else []),
    ]
    if tile:
        entries += [
            (322, 3, [wide]),
            (323, 3, [tall]),
            (324, 4, starts),
            (325, 4, lengths),
        ]
    else:
        entries += [(278, 3, [tall]), (273, 4, starts), (279, 4, lengths)]
    for name, value in tags.items():
        data = list(value) if isinstance(value, bytes) else [value]
        entries.append(
            (int(name[1:]), 2 + 1 if not isinstance(value, bytes) else 7, data)
        )
    return entries


def _predicted(part, predictor):
    """Return differences along rows, for integers (TIFF 6.0, section 14)."""
    if predictor != 2:
        return part
    out = part.copy()
    for column in range(part.shape[1] - 1, 0, -1):
        out[:, column] = part[:, column] - part[:, column - 1]
    return out


def _float_predicted(part):
    """Return differences of bytes by significance (TIFF technical note 3)."""
    rows, columns, channels = part.shape
    size = part.dtype.itemsize
    data = part.astype(part.dtype.newbyteorder(">")).tobytes()
    stored = np.frombuffer(data, "uint8").reshape(rows, columns * channels, size)
    flat = stored.transpose(0, 2, 1).reshape(rows, -1).astype("int64")
    out = flat.copy()
    out[:, channels:] = flat[:, channels:] - flat[:, :-channels]
    return (out % 256).astype("uint8").tobytes()


def camera(kind="JPEG", *, space=1, interop="R98", size=(WIDTH, HEIGHT), icc=None):
    """Return a photograph with all directories that a phone writes."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "Maker", "Camera 7", 6
    exif[0x8769] = {
        0x829A: (1, 125),
        0x8827: 200,
        0x9003: "2024:05:01 10:11:12",
        0xA001: space,
        0xA002: 4000,
        0xA003: 3000,
        0x927C: b"made by Maker" * 20,
        0xA005: {1: interop},
    }
    exif[0x8825] = {1: "N", 2: (47.0, 22.0, 30.0), 3: "E", 4: (8.0, 32.0, 10.0)}
    stream = io.BytesIO()
    image = Image.fromarray(noise(size[1], size[0], 3))
    image.save(stream, kind, exif=exif, **({"icc_profile": icc} if icc else {}))
    return stream.getvalue()


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
    "phone.jxl": (lambda: b"\xff\x0a" + bytes(300), "JPEG XL file; convert it.*djxl"),
    "box.jxl": (
        lambda: b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(300),
        "JPEG XL file; convert it",
    ),
    "raw.cr2": (lambda: b"II*\0\x10\0\0\0CR\x02\0" + bytes(99), "camera raw|damaged"),
    "film.mp4": (lambda: b"\0\0\0\x18ftypisom" + bytes(99), "video file; nst video"),
    "letter.pdf": (lambda: b"%PDF-1.7" + bytes(99), "PDF file"),
    "portable.ppm": (lambda: noise_file("PPM"), "PPM file; convert it"),
}
"""File names, their bytes, and what the refusal says."""


def fail_to_decode(*_):
    """Stand for Pillow's `load` where nothing may be decoded."""
    raise AssertionError("the file was decoded")
