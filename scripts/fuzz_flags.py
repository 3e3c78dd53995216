"""Random flags of every command on tiny inputs: done, or one clear refusal.

    .venv/bin/python scripts/fuzz_flags.py [--count 500] [--seed 0] [--only stylize ...]

Flags and their kinds are read off each command's own --help; their values are fitting,
extreme and foreign ones. Whatever comes of it must end with 0, or with 2 and a line
that says why, without a traceback, in time, with every input as it was and no
half-written file. tests/test_fuzz_flags.py runs the first of them.
"""

import argparse
import contextlib
import io
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

from nst_tf import cli
from nst_tf.files import sha256
from nst_tf.imaging.scene import landscape
from nst_tf.imaging.write import save_image
from scripts.kill_runs import PYTHONPATH, ROOT, check_whole
from tests.films import moving, write_film

CHUNK = 50
"""Cases of one process."""
REFUSED = "refused"
LIMIT = 10.0
"""Seconds that a refusal may take."""

INPUTS = (
    *("photo.png", "painting.png", "photos", "model", "film.mkv", "recipe.toml"),
    "text.png",
)
PATHS = (
    *INPUTS,
    *("out.png", "out.jpg", "out", "made/deep/out.png", "out.gif", "out.tiff", "-"),
    *("missing.png", "missing", "empty", "photos/0.png", "/dev/null"),
    *("", ".", "..", "%s", "ä ö.webp", "out.mkv", "out.json"),
)
WORDS = ("", "udnie", "night", "night=0.5,wave=0.5", "night=x", "1", "none", "a=b", "é")
NUMBERS = ("0", "1", "2", "-1", "0.5", "1e9", "nan", "inf", "x", "", "1e-9", "3")
SMALL: dict[str, tuple[str, ...]] = {
    "size": ("32", "48", "33", "16", "15", "0", "-1", "x", "64", "1.5"),
    "style-size": ("32", "48", "0", "-3", "17", "x"),
    "steps": ("1", "2", "0", "-1", "x"),
    "coarse-steps": ("1", "2", "0", "-1"),
    "batch": ("1", "2", "0", "-1", "3"),
    "width": ("0.125", "0.17", "0", "-1", "nan"),
    "crops": ("1", "0", "-1"),
    "crop": ("32", "0", "17"),
    "runs": ("1", "0", "-1"),
    "numbers": ("100", "0", "-1"),
    "limit": ("0", "1", "2", "-1"),
    "frames": ("2", "1", "0", "-1", "x"),
    "scales": ("1", "2", "0", "9"),
    "jobs": ("1", "2", "0", "-1"),
    "workers": ("1", "0", "-1"),
    "threads": ("1", "2", "0", "-1"),
    "ray": ("127.0.0.1:1", "x", "ray://127.0.0.1:1", "no:port"),
    "manifest": ("text.csv", "missing.csv", "photo.png", "missing.parquet"),
    "port": ("0", "-1", "70000", "x"),
    "host": ("127.0.0.1", "", "no such host", "256.1.1.1"),
    "sizes": ("32x32", "64x32", "any", "x", "0x0", "32"),
    "strengths": ("0.3", "0.5", "2", "x"),
    "style-scales": ("0.5", "1", "0", "x"),
    "content-layers": ("block1_conv1", "block2_conv2", "block9_conv1", ""),
    "style-layers": ("block1_conv1", "block2_conv1", "block4_pool", "x"),
    "layer": ("block1_conv1", "block3_conv1", "x", ""),
    "formats": ("litert", "web", "saved_model", "tiff", ""),
    "vgg-weights": ("missing.h5", "photo.png", "photos"),
    "codec": ("ffv1", "h264", "av1", "no-such", ""),
    "start": ("0", "0.1", "1:00", "-1", "x"),
    "end": ("0.2", "0.1", "0", "x"),
    "schedule": ("whole", "auto", "shallow-first=1", "deep-last=1,0.5", "x", "deep="),
    "init": ("content", "noise", "style", "photo.png", "missing.png"),
    "photos": ("photos", "photos", "photos", "empty", "missing", "photo.png", "tfds:x"),
}
"""Values of flags that decide how long a run takes, or have a form of their own."""
LEFT_OUT = ("help", "push-to-hub", "data-dir", "tensorboard", "overwrite")
"""Flags that leave the machine, or that allow what is checked here."""

BASES: dict[str, tuple[str, ...]] = {
    "optimize": (
        *("photo.png", "painting.png", "-o", "out.png", "--size", "32"),
        *("--steps", "2", "--scales", "1", "--quiet"),
    ),
    "explore": (
        *("photo.png", "painting.png", "-o", "out.png", "--size", "32"),
        *("--steps", "1", "--strengths", "0.5", "--style-scales", "1", "--quiet"),
    ),
    "features": ("photo.png", "--layer", "block1_conv2", "-o", "out", "--size", "64"),
    "fetch-weights": (),
    "train": (
        *("painting.png", "--photos", "photos", "-o", "out", "--steps", "1"),
        *("--size", "32", "--style-size", "32", "--batch", "1", "--width", "0.125"),
    ),
    "evaluate": (
        *("model", "--photos", "photos", "--recipe", "recipe.toml", "-o", "out.json"),
        *("--size", "64", "--limit", "0"),
    ),
    "compress": (
        *("missing.h5", "--photos", "photos", "--paintings", "photos", "-o", "out.npz"),
        *("--numbers", "100", "--crops", "1", "--steps", "1"),
    ),
    "export": (
        *("model", "--photos", "photos", "-o", "out", "--formats"),
        "web" if shutil.which("npm") else "litert",  # It fetches the page's runtime.
    ),
    "stylize": ("photo.png", "-o", "out.png", "--style", "udnie", "--quiet"),
    "video": ("film.mkv", "-o", "out.mkv", "--style", "udnie", "--quiet"),
    "styles": (),
    "serve": ("--port", "0", "--quiet"),
}
WITHOUT = ("compress", "fetch-weights")
"""Commands whose sound line needs weights that are not there, or the net."""
EAGER = ("train", "optimize", "explore", "evaluate", "features", "video")
"""Commands whose cases are mostly the tracing of graphs."""


class Flag(NamedTuple):
    """A flag of a command, as its --help has it.

    Attributes:
        name: Without dashes.
        kind: INT, FLOAT, STR, PATH, a list of choices, or nothing for a switch.
        many: Whether it takes several values.
    """

    name: str
    kind: str
    many: bool


def flags_of(command: str) -> list[Flag]:
    """Read the flags off a command's --help."""
    found: dict[str, Flag] = {}
    for columns in ("100", "400"):  # Narrow lines are cut, wide ones stand abreast.
        said = subprocess.run(
            [sys.executable, "-m", "nst_tf", command, "--help"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": PYTHONPATH, "COLUMNS": columns},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for line in said.splitlines():
            shown = re.split("  |│", line.removeprefix("│ "))[0]
            match = re.match(r"(?:-\w \S+, )?--([a-z-]+)(, --no-| |$)(.*)", shown)
            if match is None or match[1] in LEFT_OUT:
                continue
            shape = "" if match[2] == ", --no-" else match[3].replace("{None}|", "")
            kind = shape.split(" [")[0].strip("{}[]")
            found[match[1]] = Flag(match[1], kind, "..." in shape)
    if not found:
        raise RuntimeError(f"nst {command} --help shows no flags")
    return list(found.values())


def value(draw: random.Random, flag: Flag) -> str:
    """Return a value for a flag: mostly one that fits its kind."""
    if draw.random() < 0.1:
        return draw.choice((*PATHS, *WORDS, *NUMBERS))
    if flag.name in SMALL:
        return draw.choice(SMALL[flag.name])
    if flag.kind in ("PATH", "PATH|URL"):
        return draw.choice(PATHS)
    if flag.kind in ("INT", "FLOAT"):
        return draw.choice(NUMBERS)
    choices = flag.kind.split(",")
    return draw.choice(choices if len(choices) > 1 else WORDS)


def words_of(draw: random.Random, command: str, flags: list[Flag]) -> list[str]:
    """Return a random command line: a sound one, with one to four changes."""
    words = list(BASES[command])
    for _ in range(draw.choice((1, 1, 2, 3, 4))):
        if words and draw.random() < 0.15:
            at = draw.randrange(len(words))
            words[at : at + 1] = draw.choice(((), (draw.choice(PATHS),)))
            continue
        flag = draw.choice(flags)
        if not flag.kind:
            words.append(f"--{draw.choice(('', 'no-'))}{flag.name}")
            continue
        count = draw.choice((1, 1, 2, 3)) if flag.many else 1
        words += [f"--{flag.name}", *(value(draw, flag) for _ in range(count))]
    return words


def prepare(folder: Path) -> None:
    """Draw tiny inputs, and train a model of two styles on them."""
    (folder / "photos").mkdir()
    for index in range(3):
        save_image(folder / "photos" / f"{index}.png", landscape(48, 64 + 4 * index))
    save_image(folder / "photo.png", landscape(48, 64))
    save_image(folder / "painting.png", landscape(48, 48)[::-1].copy())
    (folder / "empty").mkdir()
    (folder / "text.png").write_text("no picture")
    (folder / "recipe.toml").write_text(
        'name = "two"\nsteps = 1\nsize = 32\nbatch = 1\nwidth = 0.125\n'
        "style_size = 32\n"
        '[[styles]]\nname = "night"\nimage = "painting.png"\n'
        '[[styles]]\nname = "wave"\nimage = "photo.png"\n'
    )
    write_film(folder / "film.mkv", moving(4), codec="ffv1")
    words = ["train", "recipe.toml", "--photos", "photos", "-o", "model", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-m", "nst_tf", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the model of two styles was not trained: {done.stderr}")


def contents(folder: Path) -> dict[Path, str]:
    """Return the hash of every file."""
    return {path: sha256(path) for path in folder.rglob("*") if path.is_file()}


def asked_for(words: list[str]) -> set[str]:
    """Return what a command line names as its results alone."""
    pairs = list(zip(["", *words], words, strict=False))
    flags = ("-o", "--output", "--sheet", "--log")
    results = {word for flag, word in pairs if flag in flags}
    return results - {word for flag, word in pairs if flag not in flags}


def check(
    command: str, words: list[str], inputs: Path, limit: float = LIMIT
) -> tuple[str, float]:
    """Run a case in a copy of the inputs; return what is wrong, and the seconds."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        folder = Path(name)
        shutil.copytree(inputs, folder, dirs_exist_ok=True)
        before = contents(folder)
        said, start = io.StringIO(), time.monotonic()
        # A server runs until it is told to end, and so may a page beside a run.
        waits = command == "serve" or "--live" in words
        timer = threading.Timer(5, os.kill, (os.getpid(), signal.SIGINT))
        if waits:
            timer.start()
        try:
            sink = io.TextIOWrapper(io.BytesIO())
            with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(said):
                code: object = cli.main([command, *words])
        except SystemExit as end:
            code = end.code
        except KeyboardInterrupt:
            code = 130
        except BaseException as error:
            return f"{type(error).__name__}: {error}", time.monotonic() - start
        finally:
            timer.cancel()
        seconds = time.monotonic() - start
        if code not in ((0, 2, 130) if waits else (0, 2)):
            return f"exit code {code}", seconds
        if code == 2 and not said.getvalue().strip():
            return "refused without a word", seconds
        if "Traceback" in said.getvalue():
            return "a traceback", seconds
        if code == 2 and seconds > limit:
            return f"{seconds:.0f} s to refuse it", seconds
        after, named = contents(folder), asked_for(words)
        if any(
            after.get(path) != content
            for path, content in before.items()
            if str(path.relative_to(folder)) not in named
        ):
            return "an input is lost or changed", seconds
        for path in before:
            path.unlink()
        try:
            check_whole(folder)
        except Exception as error:
            return f"half-written: {error}", seconds
        if code == 2:
            return f"{REFUSED}: {said.getvalue().strip().splitlines()[-1]}", seconds
        return "", seconds


def run_cases(
    command: str,
    first: int,
    count: int,
    seed: int,
    inputs: Path,
    *,
    limit: float = LIMIT,
    verbose: bool = False,
) -> int:
    """Run some cases in this process; return how many failed.

    The first case of all is the command's sound line itself.
    """
    flags = flags_of(command)
    failed = refused = 0
    slowest = 0.0
    for number in range(first, first + count):
        draw = random.Random(f"{seed} {command} {number}")
        words = words_of(draw, command, flags) if number else list(BASES[command])
        wrong, seconds = check(command, words, inputs, limit)
        slowest = max(slowest, seconds)
        away = wrong.startswith(REFUSED)
        refused += away
        fault = bool(wrong) and not (away and (number or command in WITHOUT))
        failed += fault
        if verbose or fault:
            print(f"{number}: nst {command} {words}: {wrong}", flush=True)
    print(f"{command}: {count} cases, {refused} refused, {failed} failed,", end=" ")
    print(f"the slowest took {slowest:.1f} s", flush=True)
    return failed


def main() -> int:
    """Run all cases; return 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=500, help="cases a command")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=list(BASES))
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--limit", type=float, default=LIMIT, help="of a refusal, s")
    parser.add_argument(
        "--eager", action="store_true", help="trace no graphs: faster on tiny inputs"
    )
    parser.add_argument("--verbose", action="store_true", help="show every case")
    parser.add_argument("--inputs", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inputs:
        (command,) = given.only
        if given.eager and command in EAGER:
            import tensorflow as tf

            tf.config.run_functions_eagerly(True)
        wrong = run_cases(
            command,
            given.first,
            given.count,
            given.seed,
            given.inputs,
            limit=given.limit,
            verbose=given.verbose,
        )
        return int(wrong > 0)
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name))
        for command in given.only:
            for first in range(given.first, given.first + given.count, CHUNK):
                count = min(CHUNK, given.first + given.count - first)
                words = ["--only", command, "--first", str(first), "--inputs", name]
                words += ["--count", str(count), "--seed", str(given.seed)]
                words += ["--limit", str(given.limit)]
                words += ["--verbose"] if given.verbose else []
                words += ["--eager"] if given.eager else []
                done = subprocess.run(
                    [sys.executable, "-m", "scripts.fuzz_flags", *words],
                    cwd=ROOT,
                    env={**os.environ, "PYTHONPATH": PYTHONPATH},
                    stdin=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    check=False,
                )
                failed += done.returncode != 0
    print(f"{failed} of the parts failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
