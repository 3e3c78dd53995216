"""Benchmark of exact tiles: one step in a stated memory, and what that costs.

1. Difference between the tiled and the untiled gradient, float32, real weights.
2. Cost of one tiled evaluation of loss and gradient over the untiled one.
3. Peak memory of a run at 4096x3072 under a limit.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from peak import peak_memory

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main() -> None:
    """Run the chosen parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default="gradient,time,memory")
    parser.add_argument("--memory", default="4GiB", help="limit of the third part")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory-child", nargs=2, type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.memory_child:
        memory_child(*given.memory_child, given.memory)
        return
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs")
    parts = given.parts.split(",")
    if "gradient" in parts:
        for tile in (256, 200, 333):
            equality(512, 683, tile)
    if "time" in parts:
        cost(1024, 1365, 512, given.rounds)
    if "memory" in parts:
        memory(3072, 4096, given.memory)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return a picture for which only the size matters, `[1, H, W, 3]`."""
    draw = np.random.default_rng(seed).random((1, height, width, 3))
    return draw.astype("float32")


def equality(height: int, width: int, tile: int) -> None:
    """Compare the gradients of the first step from the photograph."""
    image, photo, style = noise(height, width), noise(height, width, 1), noise(400, 300)
    found = {}
    for name, objective in objectives("float32", tile).items():
        targets = objective.targets(photo, style)
        found[name] = evaluation(objective, image, targets)()
    gap = np.linalg.norm(found["tiled"] - found["whole"])
    gap /= np.linalg.norm(found["whole"])
    worst = np.abs(found["tiled"] - found["whole"]).max()
    worst /= np.abs(found["whole"]).max()
    print(
        f"1. Gradient at {height}x{width} in tiles of {tile}: differs by {gap:.1e} of"
        f" its norm, by {worst:.1e} of its largest value at most  (<= 1e-4)",
        flush=True,
    )


def objectives(dtype: str, tile: int) -> dict[str, Any]:
    """Return the objective, whole and tiled."""
    from nst_tf import LossSettings, Objective, build_extractor
    from nst_tf.loss.tiled import TiledObjective

    settings = LossSettings()
    extractor = build_extractor(settings.layers, dtype=dtype)
    return {
        "whole": Objective(extractor, settings),
        "tiled": TiledObjective(extractor, settings, tile=tile),
    }


def evaluation(objective: Any, image: np.ndarray, targets: Any) -> Callable[[], Any]:
    """Return a function without arguments that gives the gradient."""
    from nst_tf.backend.compile import compiled, gradient
    from nst_tf.loss.tiled import TiledObjective

    if isinstance(objective, TiledObjective):
        return lambda: np.asarray(objective.loss_and_gradient(image, targets)[1])
    run = compiled(lambda x: gradient(lambda y: objective(y, targets).total, x))
    return lambda: np.asarray(run(image))


def cost(height: int, width: int, tile: int, rounds: int) -> None:
    """Time both in turn."""
    from nst_tf.backend.compile import in_graph
    from nst_tf.backend.precision import resolve_precision

    dtype = resolve_precision("auto")
    image, photo, style = noise(height, width), noise(height, width, 1), noise(512, 512)
    runs, times = {}, {}
    for name, objective in objectives(dtype, tile).items():
        targets = objective.targets
        targets = (
            targets(photo, style)
            if name == "tiled"
            else in_graph(targets)(photo, style)
        )
        runs[name] = evaluation(objective, image, targets)
        times[name] = []
    for count in range(rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if count:  # The first one compiles.
                times[name].append(time.perf_counter() - start)
    ratio = np.divide(times["tiled"], times["whole"])
    print(
        f"2. One evaluation at {height}x{width}, {dtype}, in tiles of {tile}: "
        f"{np.median(times['tiled']):.2f} s, whole {np.median(times['whole']):.2f} s;"
        f" ratio {np.median(ratio):.2f} ({min(ratio):.2f} to {max(ratio):.2f})"
        "  (<= 2.2)",
        flush=True,
    )


def memory(height: int, width: int, limit: str) -> None:
    """Measure the peak of a process of its own, and the time of its steps."""
    command = [sys.executable, __file__, "--memory", limit]
    command += ["--memory-child", str(height), str(width)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    print(f"3. {answer.strip()}", flush=True)


def memory_child(height: int, width: int, limit: str) -> None:
    """Make two steps, measure the loss, and print the peak."""
    os.environ["TF_ONEDNN_USE_SYSTEM_ALLOCATOR"] = "1"  # As `nst optimize --memory`.
    from nst_tf import OptimizeSettings, measure_loss, optimize_image

    settings = OptimizeSettings(
        size=max(height, width),
        scales=1,
        steps=2,
        schedule="whole",
        memory=limit,
    )
    image, style = noise(height, width)[0], noise(1000, 1000)[0]
    times = [0.0]
    result = optimize_image(
        image, style, settings, observer=lambda step: times.append(step.seconds)
    )
    measure_loss(result.pixels, image, style, settings)
    peak = peak_memory() / 2**20
    print(
        f"Peak of a run at {width}x{height}, memory {limit}: {peak:.2f} GiB  (< 4);"
        f" {times[2] - times[1]:.0f} s a step"
    )


if __name__ == "__main__":
    main()
