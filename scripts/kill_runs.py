"""Kill -9 at random moments: no half-written file, and every run goes on.

    .venv/bin/python scripts/kill_runs.py [--count 100] [--seed 0] [--only train ...]

Each command runs once in peace, to see how long it takes; then it is killed at random
moments of that time. After each kill every file under a final name must be whole, and
the same command with --resume (nst export: once more) must end well. It needs no
network: the loss network that ships does. tests/test_kill.py runs a few.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from nst_tf.imaging.formats import SUFFIXES
from nst_tf.imaging.read import load_image
from nst_tf.imaging.scene import landscape
from nst_tf.imaging.write import save_image
from nst_tf.settings.checks import InputError

ROOT = Path(__file__).parents[1]
PYTHONPATH = os.pathsep.join(str(ROOT / name) for name in ("", "training", "export"))
LIMIT = 600
"""Seconds after which a run hangs."""


class Run(NamedTuple):
    """A command to kill.

    Attributes:
        words: The command.
        resume: What is added to go on.
        finished: What must be there at the end.
    """

    words: list[str]
    resume: list[str]
    finished: list[Path]


def runs(folder: Path) -> dict[str, Callable[[Path], Run]]:
    """Return the commands, given the folder that each writes into."""
    photos, painting = folder / "photos", folder / "painting.png"
    model = folder / "model"
    tiny = ["--width", "0.125", "--size", "64", "--batch", "2", "--style-size", "64"]

    def stylize(out: Path) -> Run:
        words = ["stylize", str(photos), "-o", str(out / "painted")]
        pictures = [out / "painted" / path.name for path in sorted(photos.iterdir())]
        return Run([*words, "--style", "udnie", "--jobs", "1"], ["--resume"], pictures)

    def optimize(out: Path) -> Run:
        words = ["optimize", str(photos / "0.png"), str(painting)]
        words += ["-o", str(out / "out.png"), "--size", "64", "--scales", "1"]
        words += ["--steps", "30", "--checkpoint-every", "3", "--preview-every", "4"]
        return Run(words, ["--resume"], [out / "out.png", out / "out.jsonl"])

    def train(out: Path) -> Run:
        words = ["train", str(painting), "--photos", str(photos)]
        words += ["-o", str(out / "model"), "--steps", "12", *tiny]
        words += ["--checkpoint-every", "3", "--preview-every", "5"]
        made = [out / "model" / name for name in ("model.keras", "model.json")]
        return Run(words, ["--resume"], made)

    def export(out: Path) -> Run:
        words = ["export", str(model), "--photos", str(photos)]
        words += ["-o", str(out / "files"), "--formats", "litert"]
        return Run(words, [], [out / "files" / "card.json"])

    return {"stylize": stylize, "optimize": optimize, "train": train, "export": export}


def prepare(folder: Path, *, photos: int = 8) -> None:
    """Draw photographs and a painting."""
    (folder / "photos").mkdir()
    for index in range(photos):
        save_image(folder / "photos" / f"{index}.png", landscape(96, 128 + 4 * index))
    save_image(folder / "painting.png", landscape(80, 80)[::-1].copy())


def start(words: list[str]) -> subprocess.Popen[bytes]:
    """Start `nst` with these words."""
    return subprocess.Popen(
        [sys.executable, "-m", "nst_tf", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def finish(words: list[str]) -> float:
    """Run `nst` to its end; return the seconds that took.

    Raises:
        RuntimeError: It did not end well.
    """
    begun = time.monotonic()
    process = start(words)
    _, said = process.communicate(timeout=LIMIT)
    if process.returncode != 0:
        raise RuntimeError(f"nst {' '.join(words)}: {said.decode('utf-8', 'replace')}")
    return time.monotonic() - begun


def check_whole(folder: Path) -> None:
    """Read every file that is not hidden.

    Raises:
        Exception: One is not whole.
    """
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or not path.is_file():
            continue
        if path.suffix in SUFFIXES:
            _check_picture(path)
        elif path.suffix == ".json":
            json.loads(path.read_text("utf-8"))
        elif path.suffix == ".jsonl":
            *lines, last = path.read_text("utf-8").split("\n")
            [json.loads(line) for line in lines]
            if last:
                raise ValueError(f"{path} ends within a line")
        elif path.suffix in (".keras", ".npz"):
            with zipfile.ZipFile(path) as file:
                if file.testzip() is not None:
                    raise ValueError(f"{path} is not whole")
        if path.name == "card.json":
            for entry in json.loads(path.read_text("utf-8"))["files"]:
                made = path.parent / entry["file"]
                files = made.rglob("*") if made.is_dir() else [made]
                size = sum(file.stat().st_size for file in files if file.is_file())
                if size != entry["bytes"]:
                    raise ValueError(f"{entry['file']} has {size} bytes")


def _check_picture(path: Path) -> None:
    try:
        load_image(path)
    except InputError:
        with Image.open(path) as file:  # A short film may be.
            frames = getattr(file, "n_frames", 1)
            if frames == 1:
                raise
            for frame in range(frames):
                file.seek(frame)
                file.load()


def kill_once(make: Callable[[Path], Run], out: Path, moment: float) -> None:
    """Kill a run at a moment, check what it left, and go on to the end.

    Raises:
        Exception: A file is half-written, or the run can't go on.
    """
    run = make(out)
    process = start(run.words)
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate()
    check_whole(out)
    if process.returncode == 0:  # It was faster than the moment.
        return
    finish([*run.words, *run.resume])
    check_whole(out)
    for path in run.finished:
        if not path.exists():
            raise FileNotFoundError(path)


def main() -> int:
    """Kill so many runs; return 1 if one was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=None)
    given = parser.parse_args()
    draw = random.Random(given.seed)
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        commands = runs(folder)
        chosen = given.only or list(commands)
        if "export" in chosen:  # A model to export.
            finish(commands["train"](folder).words)
        seconds = {}
        for command in chosen:
            (out := folder / f"{command}-whole").mkdir()
            seconds[command] = finish(commands[command](out).words)
            print(f"nst {command}: {seconds[command]:.1f} s in peace", flush=True)
        for number in range(given.count):
            command = chosen[number % len(chosen)]
            (out := folder / f"{command}-{number}").mkdir()
            moment = draw.uniform(0.1, 1.0) * seconds[command]
            try:
                kill_once(commands[command], out, moment)
                said = "nothing lost"
            except Exception as error:
                failed += 1
                said = str(error)
            print(f"{number}: {command} killed at {moment:.2f} s: {said}", flush=True)
    print(f"{given.count} kills, {failed} lost something")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
