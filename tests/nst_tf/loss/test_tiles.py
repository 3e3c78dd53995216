"""Exact tiles: the same features, loss, gradient and run as without them."""

import dataclasses

import keras
import numpy as np
import pytest

from nst_tf import (
    ExtractorSettings,
    InputError,
    LossSettings,
    Objective,
    OptimizeSettings,
    build_extractor,
    measure_loss,
    optimize_image,
)
from nst_tf.backend.compile import gradient
from nst_tf.loss.tiled import TiledObjective
from nst_tf.loss.tiles import convolutions, halos, split, tile_features
from nst_tf.painting import measure, run
from nst_tf.painting.memory import (
    MemoryPlan,
    Need,
    StageMemory,
    measuring_tile,
    plan_memory,
)
from nst_tf.settings.checks import parse_memory
from tests.helpers import SMALL, scene
from tests.nst_tf.backend.test_jax import on_jax

DEEP = LossSettings()
SHALLOW = SMALL.loss


def norm(values):
    return float(np.linalg.norm(np.asarray(values, "float64")))


def two_regions(objective, photo, style):
    """Return targets whose left and right follow two parts of a style, softly."""
    ramp = np.linspace(0, 1, photo.shape[2], dtype="float32")
    masks = np.stack([ramp, 1 - ramp], axis=-1)[None, None]
    masks = np.broadcast_to(masks, (*photo.shape[:3], 2)).copy()
    moments = objective.style_moments(style, masks[:, :, ::-1])
    strength = np.array([[0.7, 0.3]], "float32")
    return objective.blended(photo, moments, strength, masks)


def both_gradients(settings, size, tile, *, extractor=None, seed=1, masks=False):
    """Return loss and gradient of a picture, whole and in tiles."""
    extractor = build_extractor(settings.layers, settings=extractor)
    image, photo, style = (scene(*size, seed=seed + k)[None] for k in range(3))
    found = []
    for objective in (
        Objective(extractor, settings),
        TiledObjective(extractor, settings, tile=tile),
    ):
        targets = objective.targets(photo, style[:, :90, :70])
        if masks:
            targets = two_regions(objective, photo, style)

        def loss(x, objective=objective, targets=targets):
            return objective(x, targets).total

        slope = gradient(loss, keras.ops.convert_to_tensor(image))
        parts = [float(x) for x in objective(image, targets).flat().values()]
        found.append((parts, np.asarray(slope)))
    return found


def test_the_halo_is_how_far_the_deepest_layer_sees():
    # VGG-19 to block5_conv1: 1 there, then 2 * below + convolutions of the block.
    names = [f"block{b}_conv{c}" for b, n in ((1, 2), (2, 2)) for c in range(1, n + 1)]
    assert halos(names[:1]) == (1,)
    assert halos(names) == (6, 2)
    # VGG-16 has blocks of three: 3 is odd, the next pooling meets the grid at 4.
    names += [f"block3_conv{c}" for c in (1, 2, 3)] + ["block4_conv1"]
    assert halos(names) == (2 * 14 + 2, 2 * 6 + 2, 6, 1)


def test_the_halo_is_no_wider_than_what_reaches_a_position(random_vgg):
    extractor = build_extractor(["block3_conv1"])
    image = scene(96, 96, seed=1)[None]
    before = np.asarray(extractor(image)["block3_conv1"])
    far = halos(convolutions(extractor))[0]
    changed = image.copy()
    changed[:, : 40 - far] = 0  # Position 10 of the third block begins at pixel 40.
    after = np.asarray(extractor(changed)["block3_conv1"])
    np.testing.assert_allclose(after[:, 10:], before[:, 10:], rtol=1e-5, atol=1e-3)
    changed[:, 40 - far] = 0
    assert norm(np.asarray(extractor(changed)["block3_conv1"])[:, 10] - before[:, 10])


@pytest.mark.parametrize("size", [(101, 133), (64, 96), (37, 250)])
@pytest.mark.parametrize("tile", [16, 48, 77, 300])
def test_tiles_own_every_pixel_once(size, tile):
    owned = np.zeros(size, int)
    for part in split(*size, tile, (70, 34, 16, 6, 1)):
        (top, bottom), (left, right) = part.rows.own, part.columns.own
        owned[top:bottom, left:right] += 1
        # The last of a row may exceed the tile by less than the grid's step.
        assert bottom - top < max(16, tile) + 16
        assert right - left < max(16, tile) + 16
    assert (owned == 1).all()


@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("tile", [32, 80])
def test_stitched_tiles_are_the_features_of_the_whole(random_vgg, pooling, tile):
    layers = ["block1_conv1", "block1_conv2", "block3_conv1", "block5_conv1"]
    extractor = build_extractor(layers, settings=ExtractorSettings(pooling=pooling))
    image = scene(101, 133)[None]
    whole = {name: np.asarray(x) for name, x in extractor(image).items()}
    stitched = {name: np.full_like(x, np.nan) for name, x in whole.items()}
    for part in split(101, 133, tile, halos(convolutions(extractor))):
        parts = {name: part.part(name) for name in layers}
        features = tile_features(extractor, part.crop(image), part, parts)
        for name in layers:
            rows, columns = parts[name].there
            assert parts[name].whole == whole[name].shape[1:3]
            stitched[name][:, slice(*rows), slice(*columns)] = features[name]
    for name in layers:
        gap = np.abs(stitched[name] - whole[name]).max() / np.abs(whole[name]).max()
        assert gap < 1e-5, name


@pytest.mark.parametrize("border", ["whole", "inner"])
def test_loss_and_gradient_equal_the_untiled_ones(random_vgg, border):
    settings = dataclasses.replace(SHALLOW, border=border)
    (parts, slope), (tiled_parts, tiled_slope) = both_gradients(settings, (61, 83), 24)
    np.testing.assert_allclose(tiled_parts, parts, rtol=1e-5)
    assert norm(tiled_slope - slope) < 1e-5 * norm(slope)


@pytest.mark.parametrize(
    "values",
    [
        {"convention": "johnson"},
        {"convention": "relative", "tv_weight": 0.0},
        {"style_loss": "mean-variance"},
        {"style_loss": "wasserstein"},
        {"strength": 0.6},
    ],
)
@pytest.mark.parametrize("masks", [False, True])
def test_every_loss_can_be_tiled_masks_included(random_vgg, values, masks):
    settings = dataclasses.replace(SHALLOW, **values)
    (parts, slope), (tiled_parts, tiled_slope) = both_gradients(
        settings, (40, 56), 32, masks=masks
    )
    # Covariances are differences, their roots' slopes steep: rounding shows.
    limit = 1e-3 if settings.style_loss == "wasserstein" else 1e-5
    np.testing.assert_allclose(tiled_parts, parts, rtol=limit)
    assert norm(tiled_slope - slope) < limit * norm(slope)


def test_with_real_weights_all_layers_agree(real_vgg):
    extractor = ExtractorSettings(vgg_weights=real_vgg)
    (parts, slope), (tiled_parts, tiled_slope) = both_gradients(
        DEEP, (117, 133), 80, extractor=extractor
    )
    np.testing.assert_allclose(tiled_parts, parts, rtol=1e-5)
    assert norm(tiled_slope - slope) < 1e-5 * norm(slope)
    assert np.abs(tiled_slope - slope).max() < 1e-4 * np.abs(slope).max()


@pytest.mark.parametrize("padding", ["reflect", "replicate"])
def test_other_paddings_can_be_tiled(random_vgg, padding):
    (parts, slope), (tiled_parts, tiled_slope) = both_gradients(
        SHALLOW, (41, 57), 24, extractor=ExtractorSettings(padding=padding)
    )
    np.testing.assert_allclose(tiled_parts, parts, rtol=1e-5)
    assert norm(tiled_slope - slope) < 1e-5 * norm(slope)


def in_tiles(monkeypatch, tile):
    """Make every stage of a run tiled, whatever its size."""

    def plan(stages, settings, regions):
        found = [StageMemory(stage.picture, tile, 1, 0, 0) for stage in stages]
        return MemoryPlan(tuple(found), settings.history, "float32")

    monkeypatch.setattr(run, "memory_plan", plan)
    monkeypatch.setattr(measure, "measuring_tile", lambda *_: tile)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
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
        runs.append((losses, result.pixels, exact))
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
from nst_tf import optimize
from tests.nst_tf.loss.test_tiles import SHALLOW, both_gradients, norm
from nst_tf.planner import MemoryPlan, StageMemory
from tests.helpers import SMALL, scene
assert keras.backend.backend() == "jax"
(parts, slope), (tiled_parts, tiled_slope) = both_gradients(SHALLOW, (40, 56), 32)
np.testing.assert_allclose(tiled_parts, parts, rtol=1e-5)
assert norm(tiled_slope - slope) < 1e-5 * norm(slope)
content, style = scene(40, 56, seed=1), scene(48, 48, seed=7)
one = optimize_image(content, style, SMALL)
optimize.memory_plan = lambda stages, settings, regions: MemoryPlan(
    tuple(StageMemory(s.picture, 32, 1, 0, 0) for s in stages), settings.history,
    "float32")
other = optimize_image(content, style, SMALL)
assert np.abs(one.pixels - other.pixels).mean() < 1e-3
print("equal")
"""


def test_tiles_on_jax_equal_the_whole(random_vgg):
    pytest.importorskip("jax")
    assert "equal" in on_jax("-c", PROGRAM)


def test_memory_is_a_number_and_a_unit():
    assert parse_memory("4GB") == 4_000_000_000
    assert parse_memory("3.5 GiB") == 3758096384
    assert parse_memory("800mb") == 800_000_000
    for text in ("4", "GB", "-1GB", "0GB", "4 TB"):
        with pytest.raises(InputError, match="number and a unit"):
            OptimizeSettings(memory=text)


def plan(size, memory, **values):
    settings = OptimizeSettings(memory=memory, **values)
    return plan_memory([Need(size, [(512, 512)], settings.loss)], settings, "bfloat16")


def test_without_a_limit_nothing_is_tiled():
    found = plan((4096, 3072), None)
    assert found.stages[0].tile is None
    assert (found.history, found.history_dtype) == (20, "float32")


def test_a_plan_stays_below_its_limit_and_uses_it():
    for memory in ("4GB", "6GB", "12GB"):
        found = plan((4096, 3072), memory).stages[0]
        assert 0.85 * parse_memory(memory) < found.peak <= parse_memory(memory)
        assert found.tiles >= (4096 / found.tile) * (3072 / found.tile) - 1


def test_history_shrinks_before_tiles_become_inefficient():
    assert plan((4096, 3072), "16GB").history == 20
    small = plan((4096, 3072), "4GB")
    assert small.history < 20
    assert small.history_dtype == "bfloat16"
    assert small.stages[0].tile >= 384


def test_the_colours_of_a_photograph_of_which_luminance_is_painted_count():
    grey, both = (
        plan((4096, 3072), None, color=color).stages[0].peak
        for color in ("luminance", "off")
    )
    held = 4096 * 3072 * 4 * (3 + 2)  # Red, green, blue; least and most luminance.
    assert held <= grey - both < 1.5 * held


def least_limit(size, **values):
    """Return the limit that the refusal of a smaller one names."""
    with pytest.raises(InputError, match="the least that works is") as caught:
        plan(size, "1GB", **values)
    return str(caught.value).rsplit(" ", 1)[1]


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("size", [(4096, 3072), (1024, 768), (320, 240)])
def test_a_finished_run_is_measured_in_whatever_memory_it_took(size, optimizer):
    least = least_limit(size, optimizer=optimizer)
    settings = OptimizeSettings(memory=least, optimizer=optimizer)
    need = Need(size, [(512, 512)], settings.loss)
    # In float32, where the run itself was planned in bfloat16.
    assert measuring_tile(need, settings, "float32") >= 64
    free = dataclasses.replace(settings, memory=None)
    assert measuring_tile(need, free, "float32") is None


def test_the_least_limit_that_is_named_works_and_less_does_not():
    least = least_limit((4096, 3072))
    assert plan((4096, 3072), least).stages[0].peak <= parse_memory(least)
    with pytest.raises(InputError):
        plan((4096, 3072), f"{parse_memory(least) / 1e9 - 0.1:.1f}GB")
