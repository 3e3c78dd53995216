"""The same code on the JAX backend, each in a process of its own."""

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from nst_tf import NetworkSettings, build_network, optimize_image
from nst_tf.settings.codec import to_dict
from tests.helpers import ROOT, SLOW, SMALL, scene

pytest.importorskip("jax")
SETTINGS = dataclasses.replace(SMALL, steps=8)
COMPILED_FAST = (
    "--xla_backend_optimization_level=1 --xla_llvm_disable_expensive_passes=true"
)
"""XLA_FLAGS of a test on JAX that runs for seconds what was compiled for a minute."""
PROGRAM = """
import json, sys
import numpy as np
from nst_tf import optimize_image
from nst_tf.settings.codec import from_dict
content, style = np.load(sys.argv[1]).values()
losses = []
result = optimize_image(
    content, style, from_dict(json.loads(sys.argv[2])),
    observer=lambda step: losses.append(step.loss.total),
)
import keras
assert keras.backend.backend() == "jax"
assert "tensorflow" not in sys.modules
np.save(sys.argv[3], result.pixels)
print(json.dumps(losses))
"""


def on_jax(*command):
    return on_backend("jax", *command)


def suite_on_jax(file, *flags):
    return on_jax("-m", "pytest", "-q", f"tests/nst_tf/{file}", *flags)


def on_backend(backend, *command):
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)}
    environment["XLA_FLAGS"] = COMPILED_FAST
    done = subprocess.run(
        [sys.executable, *command],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_optimisation_on_jax_follows_that_on_tensorflow(tmp_path, random_vgg):
    content, style = scene(40, 56, seed=1), scene(48, 48, seed=7)
    np.savez(tmp_path / "pair.npz", content=content, style=style)
    text = json.dumps(to_dict(SETTINGS))
    out = on_jax(
        "-c", PROGRAM, str(tmp_path / "pair.npz"), text, str(tmp_path / "out.npy")
    )
    losses = []
    result = optimize_image(
        content, style, SETTINGS, observer=lambda s: losses.append(s.loss.total)
    )
    np.testing.assert_allclose(json.loads(out), losses, rtol=0.02)
    assert np.abs(np.load(tmp_path / "out.npy") - result.pixels).mean() < 0.01


CONTROL = """
import json, sys
import numpy as np
from nst_tf import LossSettings, ExtractorSettings, OptimizeSettings, optimize_image
from nst_tf.imaging.guides import from_masks
from tests.helpers import scene
mask = np.zeros((40, 56), "float32")
mask[:, 30:] = 1.0
regions = from_masks((56, 40), [(48, 48), (48, 48)], [mask, 0.5 - 0.5 * mask])
losses = []
settings = OptimizeSettings(
    size=56, scales=1, steps=4, schedule="shallow-first=2", precision="float32",
    extractor=ExtractorSettings(padding="reflect"),
    loss=LossSettings(
        style_weight=4.0, style_loss=sys.argv[1], content_layers=("block2_conv2",),
        style_layers=("block1_conv1", "block2_conv1"),
    ),
)
optimize_image(
    scene(40, 56, seed=1), [scene(48, 48, seed=7), scene(48, 48, seed=8)], settings,
    regions=regions, observer=lambda step: losses.append(step.loss.total),
)
import keras
print(keras.backend.backend(), json.dumps(losses))
"""


@pytest.mark.parametrize(
    "style_loss", ["mean-variance", pytest.param("wasserstein", marks=SLOW)]
)
def test_regions_and_style_losses_on_jax_follow_tensorflow(random_vgg, style_loss):
    found = {}
    for backend in ("jax", "tensorflow"):
        out = on_backend(backend, "-c", CONTROL, style_loss)
        name, text = out.strip().splitlines()[-1].split(" ", 1)
        found[name] = json.loads(text)
    np.testing.assert_allclose(found["jax"], found["tensorflow"], rtol=0.03)
    assert found["jax"][-1] < 0.99 * found["jax"][2]


def test_grey_pictures_masks_films_and_two_networks_pass_their_tests_on_jax():
    parts = ("grey", "budget", "frames", "networks")
    files = [f"tests/nst_tf/painting/test_{part}.py" for part in parts]
    names = "grey or under_a_mask or luminance_alone or nothing_is_trusted"
    names += " or (resumed_in_either and adam)"
    assert "passed" in on_jax("-m", "pytest", "-q", *files, "-k", names)


def test_losses_pass_their_tests_on_jax():
    assert "passed" in suite_on_jax("loss/test_terms.py")
    names = "sums or energy or gradient or one_colour"
    assert "passed" in suite_on_jax("loss/style/test_palette.py", "-k", names)
    names = "scipys or agree or finite or matched or deviations"
    out = suite_on_jax("loss/style/test_style_losses.py", "-k", names)
    assert "passed" in out


@pytest.mark.parametrize(
    "names",
    ["trains_any", pytest.param("configuration or refused or equal_bits", marks=SLOW)],
)
def test_lbfgs_trains_keras_models_on_jax(names):
    # Compiled by fit; step by step without it JAX compiles each operation anew.
    out = suite_on_jax("optimizers/test_lbfgs.py", "-k", names)
    assert "passed" in out


TRAINING = """
import json, sys
import keras, numpy as np
from nst_tf import *
from tests.helpers import scene
photos = np.stack([scene(32, 32, seed=k) for k in range(2)])
styles = [scene(40, 36, seed=7), scene(36, 40, seed=8)]
loss = LossSettings(
    content_layers=("block2_conv2",), style_layers=("block1_conv1", "block2_conv1")
)
network = build_network(NetworkSettings(styles=2, width=0.125))
network.set_weights(list(np.load(sys.argv[1]).values()))
objective = Objective(build_extractor(loss.layers), loss)
model = StyleTransfer(network, objective, MixedTargets(objective, styles, [1.0, 2.0]))
model.compile(optimizer=keras.optimizers.Adam(1e-3), jit_compile="auto")
mixes = np.array([[0, 1, 0], [0, 0.4, 0.6]], "float32")
inputs = {"image": photos, "style": mixes}
losses = [float(model.train_on_batch(inputs, return_dict=True)["total"])
          for _ in range(6)]
print(keras.backend.backend(), json.dumps(losses))
"""


def test_the_training_step_on_jax_agrees_with_that_on_tensorflow(tmp_path, random_vgg):
    network = build_network(NetworkSettings(styles=2, width=0.125))
    np.savez(tmp_path / "weights.npz", *network.get_weights())
    command = ("-c", TRAINING, str(tmp_path / "weights.npz"))
    found = {}
    for backend in ("jax", "tensorflow"):
        words = on_backend(backend, *command).strip().splitlines()[-1].split(" ", 1)
        found[words[0]] = json.loads(words[1])
    np.testing.assert_allclose(found["jax"], found["tensorflow"], rtol=0.01)
    assert found["jax"][-1] < 0.9 * found["jax"][0]


def test_the_network_passes_its_tests_on_jax():
    names = "padding or upsampling or normalisation or lowerings or johnsons"
    for file in ("network/test_layers.py", "network/test_transform.py"):
        assert "passed" in suite_on_jax(file, "-k", names)


def test_compression_passes_its_tests_on_jax():
    folder = "tests/nst_training/compress"
    files = [f"{folder}/test_closed_form.py", f"{folder}/test_finetune.py"]
    names = "greatest or goes_on_from_its_state"
    assert "passed" in on_jax("-m", "pytest", "-q", *files, "-k", names)


def test_weights_change_on_the_way_on_jax_too(tmp_path, random_vgg):
    changes = (0.0, 1.0, 100.0, 5.0, 3.0, 2.0, 10.0, 0.0)
    chosen = dataclasses.replace(SETTINGS, weight_changes=changes, steps=5)
    content, style = scene(40, 56, seed=1), scene(48, 48, seed=7)
    np.savez(tmp_path / "pair.npz", content=content, style=style)
    text = json.dumps(to_dict(chosen))
    pair, out = str(tmp_path / "pair.npz"), str(tmp_path / "out.npy")
    got = json.loads(on_jax("-c", PROGRAM, pair, text, out))
    seen = []
    optimize_image(
        content, style, chosen, observer=lambda step: seen.append(step.loss.total)
    )
    np.testing.assert_allclose(got, seen, rtol=2e-3)
