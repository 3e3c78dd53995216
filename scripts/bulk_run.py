"""Thousands of pictures on a Ray cluster of this machine, a worker killed on the way.

    .venv/bin/python scripts/bulk_run.py [--count 2000] [--workers 2] [--side 800]

Pictures of mixed formats, 1 % of them broken, are painted by `nst stylize --ray`, whose
object store has 300 MB; one actor is killed with -9 in the middle. Then all others must
be there exactly once, with the bytes of plain `nst stylize`, and the report must name
the broken ones. Every picture has about 1.6 MB, so that 2,000 are ten times the object
store, and is reduced to 64 pixels before it is painted, so that the run takes minutes.
Prints times and the peak of memory of all its processes together.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from nst_tf.imaging.write import save_image
from scripts.kill_runs import PYTHONPATH, ROOT

ENDINGS = (".bmp", ".tif", ".png", ".jpg", ".webp")
KINDS = 40
"""Pictures that differ; the others are copies under names of their own."""
SIZE = ("--size", "64", "--style", "udnie", "--quiet")


def main() -> None:
    """Run it; end with an error if anything is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--side", type=int, default=800, help="pixels")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bulk-") as name:
        folder = Path(name)
        broken = write(folder, given.count, given.side)
        size = sum(path.stat().st_size for path in (folder / "in").iterdir())
        print(f"{given.count} pictures, {size / 1e9:.2f} GB, {len(broken)} broken")
        paint(folder / "kinds", folder / "plain")
        run(folder, given.count, given.workers)
        check(folder, broken)


def write(folder: Path, count: int, side: int) -> set[str]:
    """Draw pictures; return the names of the broken ones."""
    rng = np.random.default_rng(0)
    kinds = []
    for index in range(KINDS):
        # Noise, which no format makes much smaller.
        pixels = rng.random((side, side + index, 3), dtype="float32")
        path = folder / "kinds" / f"{index}{ENDINGS[index % len(ENDINGS)]}"
        path.parent.mkdir(exist_ok=True)
        save_image(path, pixels)
        kinds.append(path)
    broken = set()
    (folder / "in").mkdir()
    for index in range(count):
        kind = kinds[index % KINDS]
        path = folder / "in" / f"{index:05d}-{kind.stem}{kind.suffix}"
        data = kind.read_bytes()
        if index % 100 == 37:
            broken.add(path.name)
            data = (data[: len(data) // 3], b"", b"no picture")[index // 100 % 3]
        path.write_bytes(data)
    return broken


def command(*words: object) -> list[str]:
    """Return the words of `nst stylize`."""
    return [sys.executable, "-m", "nst_tf", "stylize", *map(str, words), *SIZE]


def paint(source: Path, output: Path) -> None:
    """Paint a folder by plain `nst stylize`."""
    env = {**os.environ, "PYTHONPATH": PYTHONPATH}
    subprocess.run(command(source, "-o", output), cwd=ROOT, env=env, check=True)


def run(folder: Path, count: int, workers: int) -> None:
    """Paint all on Ray; kill a worker when half of them are painted."""
    begun = time.monotonic()
    words = ((folder / "in").as_uri(), "-o", (folder / "out").as_uri())
    process = subprocess.Popen(
        command(*words, "--ray", "--workers", workers),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        stderr=subprocess.PIPE,
        text=True,
    )
    peak = Peak(process.pid)
    first = killed = 0.0
    while process.poll() is None:
        there = len(list((folder / "out").glob("[0-9]*")))
        if there and not first:
            first = time.monotonic() - begun
        if there > count // 2 and not killed:
            killed = time.monotonic() - begun
            victims = [
                p for p in processes(process.pid) if "ray::MapWorker" in title(p)
            ]
            os.kill(victims[0], signal.SIGKILL)
        time.sleep(0.2)
    took = time.monotonic() - begun
    if process.returncode != 2 or not killed:
        raise SystemExit(f"it ended with {process.returncode}: {process.stderr.read()}")
    print(
        f"{took:.0f} s, the first picture after {first:.0f}, a worker killed after"
        f" {killed:.0f}; {count / (took - first):.1f} pictures a second from then on"
    )
    print(f"peak memory of all processes: {peak.bytes / 1e9:.2f} GB")


def check(folder: Path, broken: set[str]) -> None:
    """Hold the pictures and the report to what they must be."""
    plain = {p.stem: p.read_bytes() for p in (folder / "plain").iterdir()}
    found = {p.stem: p for p in (folder / "out").iterdir() if p.suffix != ".jsonl"}
    found = {stem: path for stem, path in found.items() if stem[0] != "."}
    sound = {p.stem for p in (folder / "in").iterdir() if p.name not in broken}
    assert set(found) == sound, set(found) ^ sound
    for stem, path in found.items():
        assert path.read_bytes() == plain[stem.partition("-")[2]], path
    lines = (folder / "out" / "report.jsonl").read_text().splitlines()
    named = sorted(json.loads(line)["path"].rpartition("/")[2] for line in lines)
    assert named == sorted(broken), set(named) ^ broken
    print(f"{len(found)} pictures, byte for byte; the report names {len(named)}")


class Peak:
    """What a process and all below it take together, seen every half second.

    Attributes:
        bytes: The largest sum of proportional set sizes so far.
        cpu: Times since 1970, and the seconds of processor that all had taken then.
    """

    def __init__(self, top: int) -> None:
        self.bytes = 0
        self.cpu: list[tuple[float, float]] = []
        threading.Thread(target=self._watch, args=(top,), daemon=True).start()

    def _watch(self, top: int) -> None:
        while found := processes(top):
            self.cpu.append((time.time(), sum(map(processor, found))))
            self.bytes = max(self.bytes, sum(map(memory, found)))
            time.sleep(0.5)


def processes(top: int) -> list[int]:
    """Return a process and all below it, oldest first."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(folder.name)] = int(fields[1])
    found, new = [], [top] if top in parents else []
    while new:
        found += new
        new = [pid for pid, parent in parents.items() if parent in new]
    return sorted(found)


def memory(pid: int) -> int:
    """Return the proportional set size of a process in bytes, 0 if it has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    lines = [line.split() for line in text.splitlines() if line.startswith("Pss:")]
    return 1024 * int(lines[0][1]) if lines else 0


def processor(pid: int) -> float:
    """Return the seconds of processor that a process has taken, 0 if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def title(pid: int) -> str:
    """Return the command line of a process, "" if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


if __name__ == "__main__":
    main()
