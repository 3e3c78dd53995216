"""Damaged image files through `load_image` and `load_crop`: a picture or a refusal.

    .venv/bin/python scripts/fuzz_images.py [--count 3000] [--seed 0]

Sound files of every format and depth get flipped bits, cut ends, wild bytes in their
headers and foreign pieces. Whatever comes of it must be a finite picture in 0..1 or an
InputError, within seconds. tests/nst_tf/imaging/test_fuzz.py runs a tenth.
"""

import argparse
import io
import sys
import time
from collections import Counter
from collections.abc import Iterator

import numpy as np
from PIL import Image

from nst_tf.imaging.crop import load_crop
from nst_tf.imaging.read import decode_image
from nst_tf.settings.checks import InputError
from tests.image_files import camera, chunks, noise, png, tiff

LIMIT = 10.0
"""Seconds that no file may take."""


def sound_files() -> dict[str, bytes]:
    """Return files of every kind that is read."""
    picture = Image.fromarray(noise(48, 64, 3))
    files = {}
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF"):
        for mode in ("RGB", "L", "RGBA", "P", "CMYK"):
            stream = io.BytesIO()
            try:
                picture.convert(mode).save(stream, kind)
            except (OSError, ValueError):
                continue  # This format has no such pixels.
            files[f"{kind} {mode}"] = stream.getvalue()
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        stream = io.BytesIO()
        picture.save(stream, "TIFF", compression=compression)
        files[compression] = stream.getvalue()
    files["camera"] = camera()
    files["camera png"] = camera("PNG")
    deep = noise(48, 64, 3, dtype="uint16")
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)
    said = (b"cICP", bytes([12, 13, 0, 1])), (b"gAMA", (100000).to_bytes(4, "big"))
    files["png 16"] = chunks(png(64, 48, 16, 2, rows), *said)
    files["tiff 16"] = tiff(deep)
    files["tiff 16 planes"] = tiff(deep, planar=True, compression=8, predictor=2)
    files["tiff tiles"] = tiff(deep, tile=(16, 16), t274=6)
    files["tiff float"] = tiff((deep / 65535).astype("float32"), predictor=3)
    files["tiff pyramid"] = tiff(deep, pages=[(deep[::2, ::2].copy(), {"t254": 1})])
    return files


def damaged(data: bytes, others: list[bytes], draw: np.random.Generator) -> bytes:
    """Return a file with one kind of damage of five."""
    out, kind = bytearray(data), draw.integers(5)
    if kind == 0:
        for place in draw.integers(0, len(out), 1 + draw.integers(8)):
            out[place] ^= 1 << draw.integers(8)
    elif kind == 1:
        del out[draw.integers(1, len(out)) :]
    elif kind == 2:  # The header, where sizes, types and offsets are.
        for place in draw.integers(0, min(len(out), 300), 1 + draw.integers(6)):
            out[place] = draw.choice([0, 1, 2, 127, 128, 254, 255, draw.integers(256)])
    elif kind == 3:  # A field of four bytes at the ends of its range.
        place = draw.integers(0, max(1, len(out) - 4))
        out[place : place + 4] = draw.choice(
            [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\0\x01"]
        )
    else:
        other = others[draw.integers(len(others))]
        place, start = draw.integers(len(out)), draw.integers(len(other))
        out[place : place + 200] = other[start : start + draw.integers(1, 400)]
    return bytes(out)


def cases(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield so many damaged files with what they were made of."""
    files = sound_files()
    names, contents = list(files), list(files.values())
    for number in range(count):
        draw = np.random.default_rng((seed, number))
        name = names[number % len(names)]
        yield (
            f"case {number} of seed {seed} ({name})",
            damaged(files[name], contents, draw),
        )


def check(data: bytes) -> str:
    """Read a file in both ways; return what came of it.

    Raises:
        AssertionError: The picture is none.
        Exception: Anything but a refusal.
    """
    try:
        pixels, alpha = decode_image(data, max_pixels=10**7)
    except InputError as error:
        try:
            load_crop(data, 32, np.random.default_rng(0))
        except InputError:
            return "damaged" if "damaged" in str(error) else "refused"
        return "read in part"
    for part in (pixels, *([] if alpha is None else [alpha])):
        if not (np.isfinite(part).all() and part.min() >= 0 and part.max() <= 1.00001):
            raise AssertionError("what was read is no picture in 0..1")
    crop = load_crop(data, 32, np.random.default_rng(0))
    if crop.shape != (32, 32, 3):
        raise AssertionError(f"the crop has the shape {crop.shape}")
    return "read"


def main() -> int:
    """Run all cases; return 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    found: Counter[str] = Counter()
    slowest = 0.0
    for name, data in cases(given.count, given.seed):
        start = time.monotonic()
        try:
            found[check(data)] += 1
        except Exception as error:
            found["FAILED"] += 1
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
        slowest = max(slowest, time.monotonic() - start)
    print(f"{given.count} files: {dict(found)}; the slowest took {slowest:.2f} s")
    return int(found["FAILED"] > 0 or slowest > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
