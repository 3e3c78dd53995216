"""Several devices: two virtual ones give the losses of one."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.helpers import PYTHONPATH, RECIPE, ROOT, SLOW, write_recipe

PROGRAM = """
import json, os, sys
from pathlib import Path
if os.environ["KERAS_BACKEND"] == "tensorflow":
    import tensorflow as tf
    cpu = tf.config.list_physical_devices("CPU")[0]
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
from nst_training import train as module
from nst_tf.imaging.folder import Folder
from nst_training.settings import read_recipe
folder = Path(sys.argv[1])
for devices in ([], json.loads(sys.argv[2])):
    module.gpus = lambda: devices
    losses = []
    module.train(
        read_recipe(folder / "tiny.toml"), Folder(folder / "photos"),
        folder / f"out{len(devices)}",
        observer=lambda step: losses.append(step.loss.total),
        checkpoint_every=2, preview_every=2,
    )
    print(json.dumps(losses))
"""


# On JAX tests/nst_training/workers spreads a batch too.
@pytest.mark.parametrize("backend", ["tensorflow", pytest.param("jax", marks=SLOW)])
def test_two_devices_train_as_one(backend, random_vgg, tmp_path):
    if backend == "jax":
        pytest.importorskip("jax")
    text = RECIPE.replace("batch = 2", "batch = 4").replace("steps = 6", "steps = 4")
    write_recipe(tmp_path, text, photos=5)
    names = {"tensorflow": ["CPU:0", "CPU:1"], "jax": ["cpu:0", "cpu:1"]}[backend]
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "PYTHONPATH": PYTHONPATH,
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), json.dumps(names)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    one, two = (json.loads(line) for line in done.stdout.splitlines()[-2:])
    np.testing.assert_allclose(two, one, rtol=1e-3)
    assert one[0] != one[-1]
