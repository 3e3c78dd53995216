"""Runs in tiles follow those without."""

import dataclasses

import keras
import numpy as np
import pytest

from nst_tf import measure_loss, optimize_image
from nst_tf.loss.tiled import TiledObjective
from nst_tf.painting import measure, run
from nst_tf.painting.memory import MemoryPlan, StageMemory
from tests.helpers import SLOW, SMALL, scene
from tests.nst_tf.backend.test_jax import on_jax


def in_tiles(monkeypatch, tile):
    """Make every stage of a run tiled, whatever its size."""

    def plan(stages, settings, regions):
        found = [StageMemory(stage.picture, tile, 1, 0, 0) for stage in stages]
        return MemoryPlan(tuple(found), settings.history, "float32", metric=True)

    monkeypatch.setattr(run, "memory_plan", plan)
    monkeypatch.setattr(measure, "measuring_tile", lambda *_, **__: tile)


@pytest.mark.parametrize("optimizer", ["lbfgs", pytest.param("adam", marks=SLOW)])
def test_a_run_in_tiles_follows_the_one_without(random_vgg, monkeypatch, optimizer):
    content, style = scene(70, 88, seed=1), scene(48, 48, seed=7)
    settings = dataclasses.replace(
        SMALL, size=88, scales=2, coarse_steps=3, steps=6, optimizer=optimizer
    )
    runs = []
    for tile in (None, 32):
        losses = []
        if tile:
            in_tiles(monkeypatch, tile)
        result = optimize_image(
            content,
            style,
            settings,
            observer=lambda step, losses=losses: losses.append(step.loss.total),
        )
        exact = measure_loss(result.pixels, content, style, settings)
        runs.append((losses, result.pixels, list(exact.flat().values())))
    np.testing.assert_allclose(runs[1][0], runs[0][0], rtol=1e-3)
    np.testing.assert_allclose(runs[1][2], runs[0][2], rtol=1e-3)
    assert np.abs(runs[1][1] - runs[0][1]).mean() < 1e-3


def test_a_resumed_run_in_tiles_has_the_bits_of_an_unbroken_one(
    random_vgg, monkeypatch, tmp_path
):
    in_tiles(monkeypatch, 32)
    content, style = scene(70, 88, seed=1), scene(48, 48, seed=7)
    settings = dataclasses.replace(SMALL, size=88, steps=6)
    whole = optimize_image(content, style, settings)
    path = tmp_path / "state.npz"
    optimize_image(
        content, style, settings, observer=lambda s: s.step == 3, checkpoint=path
    )
    again = optimize_image(content, style, settings, checkpoint=path, resume=True)
    np.testing.assert_array_equal(again.pixels, whole.pixels)


def test_half_precision_targets_stay_so(random_vgg, monkeypatch):
    held = []

    def noted(self, image, targets):
        held.extend(standardize(value.dtype) for value in targets.content.values())
        return evaluate(self, image, targets)

    standardize, evaluate = (
        keras.backend.standardize_dtype,
        TiledObjective.loss_and_gradient,
    )
    in_tiles(monkeypatch, 32)
    monkeypatch.setattr(TiledObjective, "loss_and_gradient", noted)
    content, style = scene(40, 56, seed=1), scene(48, 48, seed=7)
    settings = dataclasses.replace(SMALL, steps=2, precision="bfloat16")
    optimize_image(content, style, settings)
    assert held == ["bfloat16"] * 2


PROGRAM = """
import keras, numpy as np
from nst_tf import *
from nst_tf.painting import run
from tests.nst_tf.loss.test_tiles import SHALLOW, both_gradients, norm
from nst_tf.painting.memory import MemoryPlan, StageMemory
from tests.helpers import SMALL, scene
assert keras.backend.backend() == "jax"
(parts, slope), (tiled_parts, tiled_slope) = both_gradients(SHALLOW, (40, 56), 32)
np.testing.assert_allclose(tiled_parts, parts, rtol=1e-5)
assert norm(tiled_slope - slope) < 1e-5 * norm(slope)
content, style = scene(40, 56, seed=1), scene(48, 48, seed=7)
one = optimize_image(content, style, SMALL)
run.memory_plan = lambda stages, settings, regions: MemoryPlan(
    tuple(StageMemory(s.picture, 32, 1, 0, 0) for s in stages), settings.history,
    "float32", metric=True)
other = optimize_image(content, style, SMALL)
assert np.abs(one.pixels - other.pixels).mean() < 1e-3
print("equal")
"""


def test_tiles_on_jax_equal_the_whole(random_vgg):
    pytest.importorskip("jax")
    assert "equal" in on_jax("-c", PROGRAM)
