"""Benchmark of training: images a second, and what loading photographs costs.

The same step in PyTorch (float32 and bfloat16 autocast) is timed in turn with ours
where an interpreter with torch is at hand.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from peak import peak_memory

from nst_training.settings import LOSS
from scripts.bench_peer import Peer, has_torch

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = Path(__file__).resolve().parent
BATCH, SIZE = 4, 256


def main() -> None:
    """Time the step on one repeated batch, on photographs, and in PyTorch."""
    shared = Path(os.environ.get("NST_SHARED", "../shared"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, default=shared / "photos/train")
    parser.add_argument("--torch-python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=6)
    given = parser.parse_args()
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs; batch"
        f" {BATCH} at {SIZE}x{SIZE}, width 1, one style"
    )
    step, photos = ours(given.photos)
    runs: dict[str, Callable[[], object]] = {"nst-tf": step}
    if photos is not None:
        runs["nst-tf, photographs"] = photos
    peers = {}
    for name in ("float32", "bfloat16"):
        peer = torch_step(given.torch_python, name)
        if peer is not None:
            peers[f"PyTorch {name}"] = runs[f"PyTorch {name}"] = peer
    times: dict[str, list[float]] = {name: [] for name in runs}
    for count in range(given.rounds + 2):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if count >= 2:
                times[name].append(time.perf_counter() - start)
    for name, values in times.items():
        median = float(np.median(values))
        print(f"{name}: {BATCH / median:.2f} images/s ({median:.2f} s a step)")
    for name in peers:
        ratio = float(np.median(np.divide(times[name], times["nst-tf"])))
        limit = 3.5 if name.endswith("float32") else 2.0
        print(f"nst-tf / {name} = {ratio:.2f}  (>= {limit})")
    if photos is not None:
        both = np.divide(times["nst-tf, photographs"], times["nst-tf"])
        print(f"photographs / repeated batch = {float(np.median(both)):.3f}  (<= 1.05)")
    peak = peak_memory() / 2**20
    print(f"peak memory {peak:.2f} GiB  (< 6)")


def ours(folder: Path) -> tuple[Callable[[], object], Callable[[], object] | None]:
    """Return the train step on one batch, and on photographs if there are any."""
    import keras
    import tensorflow as tf

    from nst_tf import (
        MixedTargets,
        NetworkSettings,
        Objective,
        StyleTransfer,
        build_extractor,
        build_network,
    )
    from nst_tf.backend.precision import resolve_precision
    from nst_tf.imaging.folder import Folder
    from nst_training.data import Batches

    dtype = resolve_precision("auto")
    half = "float32" if dtype == "float32" else f"mixed_{dtype}"
    objective = Objective(build_extractor(LOSS.layers, dtype=dtype), LOSS)
    draw = np.random.default_rng(0)
    painting = draw.random((SIZE, SIZE, 3)).astype("float32")
    model = StyleTransfer(
        build_network(NetworkSettings(dtype=half)),
        objective,
        MixedTargets(objective, [painting]),
    )
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3, use_ema=True), jit_compile=False
    )
    batch = {
        "image": draw.random((BATCH, SIZE, SIZE, 3)).astype("float32"),
        "style": np.tile(np.array([[0, 1]], "float32"), (BATCH, 1)),
    }
    model.make_train_function()
    repeated = iter(tf.data.Dataset.from_tensors((batch,)).repeat())

    def run(data: Iterator[object]) -> Callable[[], object]:
        return lambda: np.asarray(model.train_function(data)["total"])

    if not folder.is_dir():
        return run(repeated), None
    stream = Batches(Folder(folder), size=SIZE, batch=BATCH, styles=1).open(0)
    signature = {
        "image": tf.TensorSpec((BATCH, SIZE, SIZE, 3), "float32"),
        "style": tf.TensorSpec((BATCH, 2), "float32"),
    }
    data = tf.data.Dataset.from_generator(lambda: stream, output_signature=signature)
    return run(repeated), run(iter(data.map(lambda x: (x,)).prefetch(2)))


def torch_step(python: str, precision: str) -> Peer | None:
    """Return the step in PyTorch, if it can be made here."""
    weights = os.environ.get("NST_VGG19_WEIGHTS", "")
    if not weights or not has_torch(python):
        print("PyTorch: left out, no torch or no NST_VGG19_WEIGHTS")
        return None
    words = [weights, precision, str(BATCH), str(SIZE), str(os.cpu_count())]
    words += [*LOSS.content_layers, *LOSS.style_layers]
    return Peer(python, HERE / "bench_train_torch.py", *words)


if __name__ == "__main__":
    main()
