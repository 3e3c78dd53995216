"""Trainings in several processes, as tests start them."""

import json
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from nst_training.workers.rollcall import free_port
from tests.helpers import PYTHONPATH, RECIPE, ROOT, write_recipe

TOGETHER = RECIPE.replace("vgg19", "lite").replace("batch = 2", "batch = 4")
TOGETHER = TOGETHER.replace("[loss]\n", "[loss]\npalette = 0\n")
TOGETHER = TOGETHER.replace(
    "steps = 6",
    "steps = 10\nseed = 1\nwarmup_steps = 2\nlearning_rate = 0.001\nema = 0.5\n"
    "temporal_weight = 0.0",
)
"""Ten steps at rates that matter, small enough that rounding does not grow. With the
palette it does, from the eighth step on (losses are the same to 3e-7 for seven)."""
FREE = [f"res{k}b_norm/beta" for k in range(1, 6)]
"""Weights without a gradient: the next normalisation takes out what they add. Adam's
steps of such are those of rounding errors."""


def prepared(folder, weights):
    """Write recipe and photographs; return the environment of the processes."""
    write_recipe(folder, TOGETHER, photos=9)
    (folder / "photos" / "broken.jpg").write_text("text")
    return {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": PYTHONPATH,
        "NST_VGG19_WEIGHTS": str(weights),
        "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }


def start(folder, out, environment, *flags):
    """Start `nst train`; return the process."""
    words = [str(folder / "tiny.toml"), "--photos", str(folder / "photos"), "-o"]
    words += [str(folder / out), "--preview-every", "0", "--log-every", "1", *flags]
    return subprocess.Popen(
        [sys.executable, "-m", "nst_tf", "train", *words],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_all(folder, out, environment, count, *flags):
    """Start workers; return their processes by rank."""
    port = free_port()
    hosts = ",".join(f"127.0.0.1:{port}" for _ in range(count))
    flags = ("--hosts", hosts, "--wait", "120", *flags)
    return [
        start(folder, out, environment, *flags, "--rank", str(rank))
        for rank in range(count)
    ]


def ended(processes, codes=None):
    """Wait for processes; return what they said, after a look at their exit codes."""
    try:
        said = [process.communicate(timeout=1500)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    found = [process.returncode for process in processes]
    assert found == (codes or [0] * len(processes)), said
    return said


def kill(pid):
    os.kill(pid, signal.SIGKILL)


def wait_for_step(path, step, processes):
    """Return when a log has the line of a step."""
    while not path.exists() or len(path.read_text().splitlines()) < step:
        if any(process.poll() is not None for process in processes):
            pytest.fail(f"a process has ended: {ended(processes)}")
        time.sleep(0.02)


def model(folder):
    """Return a trained network's weights by their names."""
    network = keras.saving.load_model(folder / "model.keras")
    return {weight.path: np.asarray(weight) for weight in network.weights}


def lines(folder):
    return list(map(json.loads, (folder / "log.jsonl").read_text().splitlines()))


def log(folder):
    """Return the lines of steps, without what depends on when photographs are read."""
    found = [line for line in lines(folder) if "loss" in line]
    timed = {"seconds", "broken"}
    return [{k: v for k, v in line.items() if k not in timed} for line in found]


def assert_same_bits(one, other):
    assert one.keys() == other.keys()
    for name, weight in one.items():
        np.testing.assert_array_equal(weight, other[name], err_msg=name)


def assert_close(one, other, within=1e-4):
    """Compare networks, every weight over the largest of its tensor."""
    for name, weight in one.items():
        if not name.endswith(tuple(FREE)):
            gap = np.abs(weight - other[name]).max()
            assert gap <= within * np.abs(other[name]).max(), (name, gap)
