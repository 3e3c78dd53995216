"""Benchmark of per-image optimisation: three figures, each a ratio inside one run.

1. Cost of one evaluation (loss, gradient, optimizer) over the bare extractor's
   forward and backward in the same precision.
2. Time to the loss that Gatys' notebook publishes for 500 evaluations (368,494),
   against its recipe in PyTorch float32, if an interpreter with torch is at hand.
3. Peak memory of a larger picture.
"""

import argparse
import collections
import dataclasses
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from peak import peak_memory

from nst_tf.settings.loss import Network

if TYPE_CHECKING:
    from nst_tf import OptimizeSettings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

PUBLISHED = 368_494
HERE = Path(__file__).resolve().parent


def main() -> None:
    """Run the chosen parts."""
    shared = Path(os.environ.get("NST_SHARED", "../shared")) / "reference"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--content", type=Path, default=shared / "Tuebingen_Neckarfront.jpg"
    )
    parser.add_argument(
        "--style", type=Path, default=shared / "vangogh_starry_night.jpg"
    )
    parser.add_argument("--size", type=int, default=512, help="short side in pixels")
    parser.add_argument("--torch-python", default=sys.executable)
    parser.add_argument("--parts", default="step,loss,memory")
    parser.add_argument("--memory-child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.memory_child:
        height, width, network = given.memory_child
        memory_child(int(height), int(width), network)
        return
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs")
    parts = given.parts.split(",")
    if "step" in parts:
        step(512, 683)
    if "memory" in parts:
        memory(1024, 1365)
    if "loss" in parts:
        time_to_loss(given)
    if "lite" in parts:
        lite(given)


def noise(height: int, width: int) -> np.ndarray:
    """Return a picture for which only the size matters."""
    draw = np.random.default_rng(0).random((height, width, 3))
    return draw.astype("float32")


def step(height: int, width: int, rounds: int = 12) -> None:
    """Time one evaluation against the bare extractor, in turn."""
    import keras
    import tensorflow as tf

    from nst_tf import (
        LBFGS,
        RECIPES,
        Objective,
        OptimizeSettings,
        PixelImage,
        StyleTransfer,
        build_extractor,
    )
    from nst_tf.backend.precision import resolve_precision

    dtype = resolve_precision("auto")
    settings = RECIPES["gatys"].loss
    image = noise(height, width)
    extractor = build_extractor(settings.layers, dtype=dtype)
    objective = Objective(extractor, settings)
    targets = objective.targets(image[None], noise(256, 256)[None])
    model = StyleTransfer(PixelImage(image), objective, targets)
    history = OptimizeSettings().history
    model.compile(
        optimizer=LBFGS(history=history, first_change=0.01), jit_compile=False
    )

    policy = "float32" if dtype == "float32" else f"mixed_{dtype}"
    keras.config.set_dtype_policy(policy)
    stock = keras.applications.VGG19(include_top=False, weights=None)
    keras.config.set_dtype_policy("float32")
    outputs = [stock.get_layer(name).output for name in settings.layers]
    stock = keras.Model(stock.input, outputs)
    stock.trainable = False
    pixels = tf.Variable(image[None] * 255)

    def bare(network: keras.Model) -> Callable[[], object]:
        @tf.function
        def run() -> object:
            with tf.GradientTape() as tape:
                features = tf.nest.flatten(network(pixels))
                total = tf.add_n(
                    [tf.cast(tf.reduce_sum(f), "float32") for f in features]
                )
            return tape.gradient(total, pixels)[0, 0, 0]

        return lambda: np.asarray(run())

    rows = np.zeros((1, 1), "float32")
    model.make_train_function()
    data = iter(tf.data.Dataset.from_tensors(rows).repeat())
    runs = {
        "Keras VGG-19": bare(stock),
        "our extractor": bare(extractor),
        "one evaluation": lambda: np.asarray(model.train_function(data)["total"]),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for count in range(history + rounds):  # Until the history is full.
        names = runs if count >= history else ["one evaluation"]
        for name in names:
            start = time.perf_counter()
            runs[name]()
            if count > history:
                times[name].append(time.perf_counter() - start)
    median = {name: float(np.median(values)) for name, values in times.items()}
    print(
        f"\n1. One evaluation at {height}x{width}, {dtype}, history {history}, medians:"
    )
    for name, value in median.items():
        print(f"   {name}: {value:.3f} s (least {min(times[name]):.3f})")
    for name in ("Keras VGG-19", "our extractor"):
        # Round by round: a neighbour's load falls on both.
        ratio = float(np.median(np.divide(times["one evaluation"], times[name])))
        print(f"   one evaluation / {name} forward+backward = {ratio:.3f}  (<= 1.10)")


def memory(height: int, width: int) -> None:
    """Measure the peak of a process of its own."""
    peak = peak_of(height, width, "vgg19")
    print(f"\n3. Peak memory at {height}x{width}: {peak:.2f} GiB  (< 5)", flush=True)


def peak_of(height: int, width: int, network: str) -> float:
    """Return the peak in GiB of a run of a few steps."""
    command = [sys.executable, __file__, "--memory-child", str(height), str(width)]
    done = subprocess.run([*command, network], check=True, capture_output=True)
    return int(done.stdout) / 2**20


def memory_child(height: int, width: int, network: Network) -> None:
    """Optimise a few steps and print the peak in KiB."""
    from nst_tf import ExtractorSettings, OptimizeSettings, measure_loss, optimize_image

    settings = OptimizeSettings(
        size=max(height, width),
        steps=24,
        coarse_steps=3,
        extractor=ExtractorSettings(network=network),
    )
    image, style = noise(height, width), noise(height, height)
    result = optimize_image(image, style, settings)
    measure_loss(result.pixels, image, style, settings)
    print(peak_memory())


def time_to_loss(given: argparse.Namespace) -> None:
    """Time both programs to the published loss, each with its own method."""
    from nst_tf import RECIPES, ExtractorSettings, load_image

    for path in (given.content, given.style):
        if not path.is_file():
            print(f"\n2. Left out: no {path}; set NST_SHARED or --content, --style")
            return
    pair = [load_image(path).pixels for path in (given.content, given.style)]
    settings = dataclasses.replace(
        RECIPES["gatys"],
        size=given.size,
        schedule="deep-last=15,0.7",
        history=50,
        constrained=True,
    )
    print(f"\n2. To the loss {PUBLISHED:,} at short side {given.size}:")
    for network, steps in (("vgg19", 200), ("lite-vgg19", 180)):
        seconds = ours(
            pair,
            dataclasses.replace(
                settings, steps=steps, extractor=ExtractorSettings(network=network)
            ),
        )

    weights = os.environ.get("NST_VGG19_WEIGHTS")
    if weights is None:
        print("   PyTorch: left out, it needs NST_VGG19_WEIGHTS")
        return
    if subprocess.run(
        [given.torch_python, "-c", "import torch"], capture_output=True
    ).returncode:
        print("   PyTorch: left out, it is not installed (see --torch-python)")
        return
    command = [given.torch_python, str(HERE / "bench_torch.py")]
    command += [str(given.content), str(given.style), weights]
    command += ["--size", str(given.size), "--loss", str(PUBLISHED)]
    command += ["--seconds", str(9 * seconds), "--threads", str(os.cpu_count())]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    torch = json.loads(answer)
    verb = "reached" if torch["reached"] else "not reached, stopped"
    print(
        f"   PyTorch float32, notebook recipe: {verb} after {torch['seconds']:.0f} s, "
        f"{torch['evaluations']} evaluations, loss {torch['loss']:,.0f}"
    )
    sign = "=" if torch["reached"] else ">"
    print(f"   ratio {sign} {torch['seconds'] / seconds:.2f}  (>= 8)")


def ours(pair: list[np.ndarray], settings: "OptimizeSettings") -> float:
    """Optimise until VGG-19 sees the published loss; return the seconds."""
    from nst_tf import ExtractorSettings, Step, measure_loss, optimize_image
    from nst_tf.painting.schedule import plan_passes

    (content, style), seen = pair, []
    sizes = [image.shape[1::-1] for image in pair]
    last = len(plan_passes(sizes[0], sizes[1:], settings)) - 1

    def observe(now: Step) -> bool:
        seen.append(now)
        return now.stage == last and now.loss.total <= PUBLISHED

    start = time.monotonic()
    result = optimize_image(content, style, settings, observer=observe)
    seconds = time.monotonic() - start
    counts = collections.Counter(step.depth for step in seen)
    exact = dataclasses.replace(settings, extractor=ExtractorSettings(network="vgg19"))
    loss = measure_loss(result.pixels, content, style, exact).total
    print(
        f"   nst-tf, {settings.extractor.network}: {seconds:.0f} s,"
        f" {result.evaluations} evaluations"
        f" ({' + '.join(f'{n} {depth}' for depth, n in counts.items())}),"
        f" loss in float32 {loss:,.0f}",
        flush=True,
    )
    return seconds


def lite(given: argparse.Namespace) -> None:
    """Compare lite with VGG-19: an evaluation, memory, runs of the default recipe."""
    from nst_tf import (
        ExtractorSettings,
        OptimizeSettings,
        load_image,
        measure_loss,
        optimize_image,
    )

    vgg19, lite = (evaluation(512, 683, name) for name in ("vgg19", "lite"))
    times: list[tuple[float, float]] = []
    for count in range(14):
        pair = timed(vgg19), timed(lite)
        times += [pair] if count > 2 else []
    medians = np.median(times, axis=0)
    ratio = float(np.median([b / a for a, b in times]))
    print(f"\n4. One evaluation at 512x683: VGG-19 {medians[0]:.3f} s,")
    print(f"   lite {medians[1]:.3f} s, lite / VGG-19 = {ratio:.3f}  (<= 0.42)")
    peaks = [peak_of(512, 683, name) for name in ("vgg19", "lite")]
    print(
        f"   peak memory {peaks[0]:.2f} and {peaks[1]:.2f} GiB, lite / VGG-19 ="
        f" {peaks[1] / peaks[0]:.2f}  (<= 0.8)",
        flush=True,
    )
    images = [load_image(path).pixels for path in (given.content, given.style)]
    found = {}
    for name in ("vgg19", "lite-vgg19", "lite"):
        settings = OptimizeSettings(
            size=given.size, extractor=ExtractorSettings(network=name)
        )
        start = time.monotonic()
        result = optimize_image(*images, settings)
        seconds = time.monotonic() - start
        exact = dataclasses.replace(
            settings, extractor=ExtractorSettings(network="vgg19")
        )
        loss = measure_loss(result.pixels, *images, exact).total
        found[name] = seconds, loss
        base = found["vgg19"]
        print(
            f"   default recipe with {name}: {seconds:.0f} s, true loss {loss:,.0f};"
            f" {seconds / base[0]:.2f} of the time, {loss / base[1]:.3f} of the loss",
            flush=True,
        )


def evaluation(height: int, width: int, network: Network) -> Callable[[], object]:
    """Return one evaluation of the default loss on a picture of noise."""
    import tensorflow as tf

    from nst_tf import (
        LBFGS,
        ExtractorSettings,
        Objective,
        OptimizeSettings,
        PixelImage,
        StyleTransfer,
        build_extractor,
    )
    from nst_tf.backend.precision import resolve_precision

    settings = OptimizeSettings()
    image = noise(height, width)
    extractor = build_extractor(
        settings.loss.layers,
        settings=ExtractorSettings(network=network),
        dtype=resolve_precision("auto"),
    )
    objective = Objective(extractor, settings.loss)
    targets = objective.targets(image[None], noise(512, 512)[None])
    model = StyleTransfer(PixelImage(image), objective, targets)
    model.compile(
        optimizer=LBFGS(history=settings.history, first_change=0.01), jit_compile=False
    )
    model.make_train_function()
    data = iter(tf.data.Dataset.from_tensors(np.zeros((1, 1), "float32")).repeat())
    return lambda: np.asarray(model.train_function(data)["total"])


def timed(run: Callable[[], object]) -> float:
    """Return the seconds of a call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
