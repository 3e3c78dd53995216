"""Pictures for runs in bulk, and the processes of one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from nst_tf.cli import main
from nst_tf.imaging.write import save_image
from scripts.bulk_run import processes
from scripts.bulk_run import title as title_of
from tests.helpers import PYTHONPATH, ROOT, scene

ENDINGS = (".jpg", ".png", ".webp", ".tif", ".bmp")
BROKEN = ("bad.jpg", "empty.png")


def write_mixed(folder, count, height=24, width=32):
    """Write pictures of mixed formats, some with one name, and two broken ones."""
    for k in range(count):
        inside = "deep/er" if k % 3 == 0 else "."
        path = folder / inside / f"{k // 2}{ENDINGS[k % 5]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_image(path, scene(height, width + k, seed=k))
    whole = (folder / "2.jpg").read_bytes()
    (folder / "bad.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "notes.txt").write_text("no picture")
    return folder


def files(folder):
    """Return the bytes of every picture below a folder by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file()
        and not path.name.startswith(".")
        and not path.name.startswith("report.")
    }


def painted_plainly(folder, output):
    """Return what `nst stylize` makes of a folder, by name."""
    words = ["stylize", str(folder), "--style", "udnie", "-o", str(output), "--quiet"]
    assert main(words) == 2  # Two are broken.
    return files(output)


def start(*words):
    """Start `nst stylize` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "nst_tf", "stylize", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_a_worker(process, title, output, count):
    """Kill -9 a process below `process` when so many pictures are there.

    Returns:
        How many there were.
    """
    deadline = time.monotonic() + 180
    while len(files(output)) < count:
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    found = [pid for pid in processes(process.pid)[1:] if title in title_of(pid)]
    os.kill(found[0], signal.SIGKILL)
    return len(files(output))
