"""A real server on loopback, what to send to it, and its refusals."""

import contextlib
import io
import os
import subprocess
import sys

import numpy as np
from PIL import Image

from nst_export.runtime.mix import mix_weights
from tests.helpers import PYTHONPATH, scene
from tests.image_files import png

GOOD = [0, 1, *[0] * 11]
"""Style weights for the bundled gallery."""
FLAT = [[[[0.5] * 3] * 16] * 16]
"""A grey batch `[1, 16, 16, 3]`."""


@contextlib.contextmanager
def serving(folder, *flags):
    """Run `nst serve` in an empty folder; yield process and address.

    Afterwards the folder must be as empty, and the server must end when asked.
    """
    work = folder / "work"
    work.mkdir()
    log = (folder / "log.txt").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "nst_tf", "serve", "--port", "0", *map(str, flags)],
        cwd=work,
        env={**os.environ, "PYTHONPATH": PYTHONPATH, "TMPDIR": str(work)},
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


def post(http, image=None, *, kind="image/png", **fields):
    """Send a photograph and fields as a form."""
    image = encoded() if image is None else image
    files = {"image": ("../../etc/passwd", image, kind)}
    return http.post("/stylize", files=files, data=fields)


def refused(response, status, *words):
    """Check an error's status and words."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) == {"error"}
    for word in words:
        assert word in response.json()["error"]


def weights_of(stylizer, strength=1.0, **mix):
    """Return the style weights of a mix."""
    return mix_weights(stylizer.styles, mix, strength=strength)


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
    return png(side, side, 1, 0, bytes(side * (side // 8 + 1)))


def psnr(one, other):
    """Return the peak signal-to-noise ratio in dB."""
    error = float(np.mean((np.asarray(one) - np.asarray(other)) ** 2))
    return float("inf") if error == 0 else -10 * np.log10(error)
