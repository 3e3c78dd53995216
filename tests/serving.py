"""A real server on loopback, and pictures to send to it."""

import contextlib
import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
from PIL import Image

from tests.helpers import ROOT, scene


@contextlib.contextmanager
def serving(folder, *flags):
    """Run `nst serve` in an empty folder; yield process and address.

    Afterwards the folder must be as empty, and the server must end when asked.
    """
    work = folder / "work"
    work.mkdir()
    path = os.pathsep.join(str(ROOT / name) for name in ("", "training", "export"))
    log = (folder / "log.txt").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "nst_tf.cli", "serve", "--port", "0", *map(str, flags)],
        cwd=work,
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(work)},
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    try:
        line = process.stdout.readline()
        assert line.startswith("http://"), (folder / "log.txt").read_text()
        yield process, line.split()[0].rstrip("/")
    finally:
        process.terminate()
        process.wait(timeout=60)
        process.stdout.close()
        log.close()
    assert "Traceback" not in (folder / "log.txt").read_text()
    assert list(work.iterdir()) == []


def encoded(kind="PNG", height=48, width=64, seed=1, **options):
    """Return an image file's bytes."""
    stream = io.BytesIO()
    pixels = np.uint8(np.rint(255 * scene(height, width, seed)))
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def decoded(data):
    """Return float32 `[H, W, C]` of an image file's bytes."""
    with Image.open(io.BytesIO(data)) as file:
        return np.asarray(file, "float32") / 255.0


def bomb(side=12000):
    """Return a PNG of 17 kB that decodes to `side` x `side`."""

    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(side * (side // 8 + 1)), 9)
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def psnr(one, other):
    """Return the peak signal-to-noise ratio in dB."""
    error = float(np.mean((np.asarray(one) - np.asarray(other)) ** 2))
    return float("inf") if error == 0 else -10 * np.log10(error)
