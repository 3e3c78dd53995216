"""Several devices: two virtual ones give the losses of one."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from nst_tf.imaging.write import save_image
from tests.helpers import ROOT, scene

PROGRAM = """
import json, os, sys
from pathlib import Path
devices = json.loads(sys.argv[2])
if os.environ["KERAS_BACKEND"] == "tensorflow":
    import tensorflow as tf
    cpu = tf.config.list_physical_devices("CPU")[0]
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
from nst_training import train as module
from nst_training.data import Folder
from nst_training.settings import read_recipe
module._gpus = lambda: devices
folder = Path(sys.argv[1])
losses = []
def observe(step):
    losses.append(step.loss.total)
out = folder / f"out{len(devices)}"
module.train(
    read_recipe(folder / "recipe.toml"), Folder(folder / "photos"), out,
    observer=observe, checkpoint_every=2, preview_every=2,
)
print(json.dumps(losses))
"""
RECIPE = """
width = 0.125
size = 32
batch = 4
steps = 4
precision = "float32"

[[styles]]
name = "night"
image = "night.png"

[loss]
content_layers = ["block2_conv2"]
style_layers = ["block1_conv1", "block2_conv1"]
"""


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_two_devices_train_as_one(backend, random_vgg, tmp_path):
    if backend == "jax":
        pytest.importorskip("jax")
    save_image(tmp_path / "night.png", scene(48, 48, seed=7))
    (tmp_path / "photos").mkdir()
    for index in range(5):
        save_image(tmp_path / "photos" / f"{index}.png", scene(50, 60, seed=index))
    (tmp_path / "recipe.toml").write_text(RECIPE)
    names = {"tensorflow": ["CPU:0", "CPU:1"], "jax": ["cpu:0", "cpu:1"]}[backend]
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "PYTHONPATH": str(ROOT),
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    }
    losses = []
    for devices in ([], names):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(tmp_path), json.dumps(devices)],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        losses.append(json.loads(done.stdout.splitlines()[-1]))
    one, two = losses
    np.testing.assert_allclose(two, one, rtol=1e-3)
    assert one[0] != one[-1]
