"""Pictures, weights, settings and observers that tests share."""

import dataclasses
import math
import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from nst_tf import ExtractorSettings, LossSettings, OptimizeSettings
from nst_tf.imaging.write import save_image
from nst_tf.loss.weight_files import layer_shapes

ROOT = Path(__file__).parents[1]
"""The repository."""
PYTHONPATH = os.pathsep.join(str(ROOT / name) for name in ("", "training", "export"))
"""Where programs that tests start find the packages."""
SLOW = pytest.mark.slow
"""The mark of what runs with NST_SLOW=1 alone."""
SMALL_LOSS = LossSettings(
    convention="gatys-notebook",
    content_layers=("block2_conv2",),
    style_layers=("block1_conv1", "block2_conv1"),
    style_weight=100.0,
    tv_weight=5.0,
)
"""The notebook's loss on two blocks."""
SMALL = OptimizeSettings(
    size=56,
    scales=1,
    steps=12,
    schedule="whole",
    history=5,
    precision="float32",
    loss=SMALL_LOSS,
)
"""A run of a second."""
BOTH_NETWORKS = """
name = "tiny"
width = 0.125
size = 32
batch = 2
steps = 6
precision = "float32"

[[styles]]
name = "night"
image = "night.png"

[loss]
content_layers = ["block2_conv2"]
style_layers = ["block1_conv1", "block2_conv1"]
"""
"""A recipe of a training of seconds, in the loss networks that are the default."""
RECIPE = f"""{BOTH_NETWORKS}
[extractor]
network = "vgg19"
"""
"""The same, whose step is compiled for one network alone, in half the time."""


class Steps(list):
    """An observer that keeps every step, and ends the run after `stop`."""

    def __init__(self, stop=math.inf):
        super().__init__()
        self.stop = stop

    def __call__(self, step):
        self.append(step)
        return len(self) >= self.stop


def changed(**values):
    """Return `SMALL` with other values."""
    return dataclasses.replace(SMALL, **values)


def write_photos(folder, count):
    """Write photographs of noise and waves; return their folder."""
    folder.mkdir()
    for index in range(count):
        save_image(folder / f"{index}.png", scene(50, 60, seed=index))
    return folder


def write_recipe(folder, text=RECIPE, *, photos):
    """Write a recipe, its painting and so many photographs; return the recipe."""
    write_photos(folder / "photos", photos)
    save_image(folder / "night.png", scene(48, 48, seed=7))
    path = folder / "tiny.toml"
    path.write_text(text)
    return path


def random_weights(network="vgg19", seed=0):
    """Return He-scaled weights of every layer, which keep features in a sane range."""
    rng = np.random.default_rng(seed)
    weights = {}
    for name, shape in layer_shapes(network).items():
        scale = np.sqrt(2.0 / (9 * shape[2]))
        kernel = (scale * rng.standard_normal(shape, "float32")).astype("float32")
        weights[name] = (kernel, np.zeros(shape[-1], "float32"))
    return weights


def write_legacy(path, weights):
    """Write the layout of Keras 2 `.h5` files, as the Keras download has it."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in weights]
        for name, (kernel, bias) in weights.items():
            group = file.create_group(name)
            keys = [f"{name}_W_1:0", f"{name}_b_1:0"]
            group.attrs["weight_names"] = [key.encode() for key in keys]
            group[keys[0]], group[keys[1]] = kernel, bias
    return path


def scene(height, width, seed=0):
    """Return a smooth picture with some texture, float32 `[H, W, 3]`."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype("float32")
    waves = [
        0.5 + 0.4 * np.sin(x / (3 + 4 * k) + y / (5 + 3 * k) + seed) for k in range(3)
    ]
    noise = 0.05 * rng.standard_normal((height, width, 3))
    return np.clip(np.stack(waves, axis=-1) + noise, 0, 1).astype("float32")


CONTENT, STYLE = scene(40, 56, seed=1), scene(48, 48, seed=7)
"""A photograph and a painting for runs of a second."""


def value(tensor):
    """Return a tensor of any backend as NumPy's."""
    from keras import ops

    return ops.convert_to_numpy(tensor)


def gradient_of(loss, x):
    """Differentiate with the backend's own machinery."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(loss)(x))
    import tensorflow as tf

    variable = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        result = loss(variable)
    return tape.gradient(result, variable).numpy()


def mixes(rng, batch, rows=3):
    """Return random weights of styles that add up to one, float32 `[batch, rows]`."""
    weights = rng.random((batch, rows)).astype("float32")
    return weights / weights.sum(axis=1, keepdims=True)


def training(folder, names, **values):
    """Return settings of a training of seconds, whose paintings it draws."""
    from nst_training.settings import StyleSettings, TrainSettings

    styles = []
    for index, name in enumerate(names):
        save_image(folder / f"{name}.png", scene(48, 48, seed=7 + index))
        styles.append(StyleSettings(name=name, image=folder / f"{name}.png"))
    small = {"width": 0.125, "size": 32, "batch": 2, "warmup_steps": 2, "ema": 0.5}
    small |= {"precision": "float32", "loss": SMALL_LOSS}
    small |= {"extractor": ExtractorSettings(network="vgg19")}
    return TrainSettings(styles=tuple(styles), **{**small, **values})
