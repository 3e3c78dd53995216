"""Benchmark of painting in bulk: processes and Ray against plain `nst stylize`."""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nst_tf.imaging.scene import landscape
from nst_tf.imaging.write import save_image
from scripts.bulk_run import Peak
from scripts.kill_runs import PYTHONPATH, ROOT

LIMIT = 0.15
"""Largest overhead of Ray over plain runs that is wanted."""


class Took(NamedTuple):
    """What a run took.

    Attributes:
        whole: Seconds from start to end.
        steady: Seconds a picture between the first that is there and the last.
        cpu: Seconds of processor of all its processes a picture in that time, which
            hardly depend on what else the machine does.
        peak: Bytes of all its processes.
    """

    whole: float
    steady: float
    cpu: float
    peak: int


def main() -> None:
    """Paint the same pictures in each way, in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="pictures")
    parser.add_argument("--size", type=int, default=512, help="pixels of the long side")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs")
    print(f"{given.count} JPEGs of {given.size} pixels, {given.workers} workers")
    many = ("--workers", str(given.workers), "--threads", "1")
    ways = {
        "plain": ("--jobs", str(given.workers), "--threads", "1"),
        "processes": many,
        "Ray": (*many, "--ray"),
    }
    with tempfile.TemporaryDirectory(prefix="bulk-") as name:
        folder = Path(name)
        photo = landscape(given.size * 3 // 4, given.size)
        (folder / "in").mkdir()
        for index in range(given.count):
            save_image(folder / "in" / f"{index:05d}.jpg", np.roll(photo, index, 1))
        one_core(folder / "in" / "00000.jpg")
        took: dict[str, list[Took]] = {way: [] for way in ways}
        for turn in range(given.rounds):
            for way, flags in ways.items():
                took[way].append(run(folder, f"{way}-{turn}", flags))
    plain = took["plain"]
    for way, runs in took.items():
        whole, steady, cpu, peak = (
            np.median([one[k] for one in runs]) for k in range(4)
        )
        line = f"{way}: {whole:.1f} s, {1 / steady:.2f} pictures a second when it runs,"
        line += f" start and end {whole - steady * given.count:.1f} s,"
        line += f" {cpu:.3f} s of processor a picture, peak {peak / 1e9:.2f} GB"
        if way != "plain":
            pairs = list(zip(runs, plain, strict=True))
            ratio = np.median([mine.steady / other.steady for mine, other in pairs])
            of_all = np.median([mine.whole / other.whole for mine, other in pairs])
            of_cpu = np.median([mine.cpu / other.cpu for mine, other in pairs])
            line += f"; overhead {100 * (ratio - 1):+.0f} % (<= {100 * LIMIT:.0f} %)"
            line += f", of processor {100 * (of_cpu - 1):+.0f} %"
            line += f", of the whole run {100 * (of_all - 1):+.0f} %"
        print(line)


def one_core(path: Path, rounds: int = 15) -> None:
    """Print what a picture takes of a core, whatever else runs there."""
    from nst_export.painting import Manner, painted
    from nst_export.runtime.mix import mix_weights
    from nst_export.runtime.stylizer import Stylizer, bundled

    model = Stylizer.load(bundled(), threads=1)
    weights = mix_weights(model.styles, {"udnie": 1.0})
    data, parts = path.read_bytes(), []
    made = b""
    for paint in (model, lambda photo, _: photo):
        times = []
        for _ in range(rounds):
            start = time.process_time()
            found, _ = painted(paint, data, weights, Manner(), output=path)
            times.append(time.process_time() - start)
            made = made or found
        parts.append(float(np.median(times)))
    print(
        f"one core: {parts[0]:.3f} s a picture, {parts[1]:.3f} of them reading and"
        f" writing; {len(data) / 1e3:.0f} kB in, {len(made) / 1e3:.0f} kB out"
    )


def run(folder: Path, name: str, flags: tuple[str, ...]) -> Took:
    """Paint all pictures into a folder of their own."""
    words = [sys.executable, "-m", "nst_tf", "stylize", str(folder / "in"), *flags]
    words += ["-o", str(folder / name), "--style", "udnie", "--quiet"]
    begun = time.monotonic()
    process = subprocess.Popen(
        words, cwd=ROOT, env={**os.environ, "PYTHONPATH": PYTHONPATH}
    )
    peak = Peak(process.pid)
    if process.wait():
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}")
    whole = time.monotonic() - begun
    made = sorted(path.stat().st_mtime for path in (folder / name).glob("*.jpg"))
    times, seconds = zip(*peak.cpu, strict=True)
    first, last = np.interp([made[0], made[-1]], times, seconds)
    count = len(made) - 1
    took = (made[-1] - made[0]) / count, float(last - first) / count
    return Took(whole, *took, peak.bytes)


if __name__ == "__main__":
    main()
