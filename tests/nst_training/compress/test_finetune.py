"""Training of a compressed network on the pictures of runs."""

import dataclasses

import numpy as np
import pytest
from keras import ops

from nst_tf.backend.compile import compiled, gradient_and_rest
from nst_tf.imaging.write import save_image
from nst_tf.loss.extractor import build_extractor
from nst_tf.loss.objective import Objective
from nst_tf.loss.weight_files import layer_shapes
from nst_tf.running.identity import RunIdentity
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import ExtractorSettings, LossSettings
from nst_training.compress import matching, pictures
from nst_training.compress.finetune import (
    Finetuning,
    begin,
    moved,
    rate_at,
    rates_of,
    resumed,
)
from nst_training.compress.forward import exact_numbers, numbers_of
from nst_training.compress.pictures import Pictures, variety
from nst_training.compress.regression import compress
from nst_training.compress.runs import Adaptive, Quasi, Runs
from nst_training.compress.settings import CompressSettings
from tests.helpers import random_weights, scene

NAMES = list(layer_shapes("vgg19"))[:3]
TINY = CompressSettings(crop=32, steps=3, batch=2, runs=2, crops=3)


@pytest.fixture
def shallow(monkeypatch):
    """Compare the first three layers alone, which is quick."""
    monkeypatch.setattr(matching, "STYLE", ("block1_conv1", "block2_conv1"))
    monkeypatch.setattr(matching, "CONTENT", "block2_conv1")


@pytest.fixture(scope="module")
def networks():
    """Return the numbers of VGG's first layers, their compressed form and errors."""
    weights = random_weights()
    crops = np.stack([scene(32, 32, seed=k) for k in range(3)])
    made = compress(weights, dict.fromkeys(NAMES[1:], 8), crops)
    return exact_numbers(weights, NAMES), numbers_of(made.layers), made.errors


@pytest.fixture
def folder(tmp_path):
    for k in range(3):
        save_image(tmp_path / f"{k}.png", scene(40, 48, seed=k))
    return Pictures(sorted(tmp_path.glob("*.png")))


def test_pictures_that_memory_does_not_keep_are_decoded_anew(folder, monkeypatch):
    def crops(given):
        draw = np.random.default_rng(0)
        return np.stack([given.crop(draw, 32) for _ in range(12)])

    expected = crops(folder)
    monkeypatch.setattr(pictures, "_KEPT", 2 * 40 * 48 * 3)
    few = Pictures(folder.paths)
    np.testing.assert_array_equal(crops(few), expected)
    assert len(folder._kept) == 3
    assert len(few._kept) == 2


def test_pictures_that_cannot_be_read_are_left_out_and_told(folder):
    folder.paths[1].write_bytes(b"text")
    draw = np.random.default_rng(0)
    assert {folder.crop(draw, 32).shape for _ in range(12)} == {(32, 32, 3)}
    assert list(folder.broken) == [folder.paths[1]]
    for path in folder.paths:
        path.write_bytes(b"text")
    with pytest.raises(InputError, match="no picture can be read; for example"):
        Pictures(folder.paths).crop(draw, 32)


def batch(count=2, side=32):
    parts = {
        "pictures": np.stack([scene(side, side, seed=k) for k in range(count)]),
        "photos": np.stack([scene(side, side, seed=k + 20) for k in range(count)]),
        "style": scene(side, side, seed=11)[None],
        "others": scene(side, side, seed=12)[None],
        "absolute": np.ones(count, "float32"),
        "content": np.ones(count, "float32"),
        "weight": np.full(count, 100.0, "float32"),
    }
    return {key: ops.convert_to_tensor(value) for key, value in parts.items()}


@pytest.mark.parametrize("convention", ["gatys-notebook", "relative"])
def test_the_loss_is_that_of_the_optimiser(shallow, networks, random_vgg, convention):
    parts = batch(1)
    absolute = float(convention == "gatys-notebook")
    parts["absolute"] = ops.convert_to_tensor([absolute])
    goal = matching.goal_of(
        networks[0], parts["photos"], parts["style"], dtype="float32"
    )
    weights = matching.term_weights(goal, parts)
    maps = matching.features(parts["pictures"], networks[0])
    got = matching.style_transfer_loss(maps, goal, weights)
    settings = LossSettings(
        convention=convention,
        style_weight=100.0,
        content_layers=(matching.CONTENT,),
        style_layers=matching.STYLE,
        style_layer_weights=None if convention == "gatys-notebook" else (1 / 2, 1 / 2),
        tv_weight=0.0,
    )
    extractor = build_extractor(
        settings.layers, settings=ExtractorSettings(vgg_weights=random_vgg)
    )
    objective = Objective(extractor, settings)
    targets = objective.targets(parts["photos"], parts["style"])
    wanted = objective(parts["pictures"], targets).total
    np.testing.assert_allclose(got, wanted, rtol=1e-3)


def test_vgg_matches_itself(shallow, networks):
    total, match = matching.mismatch(networks[0], networks[0], batch())
    assert float(total) == pytest.approx(0.0, abs=1e-4)
    np.testing.assert_allclose(match.cosines, 1.0, atol=1e-5)


def test_the_mismatch_has_the_gradient_of_finite_differences(shallow, networks):
    exact, numbers, _ = networks
    key = "block2_conv1/mix"
    parts = batch(1, 16)

    def loss(values):
        return matching.mismatch({**numbers, key: values}, exact, parts)[0], None

    at = ops.convert_to_tensor(numbers[key])
    slope = np.asarray(gradient_and_rest(loss, at)[0])
    way = slope / np.linalg.norm(slope)
    step = 1e-2 * np.linalg.norm(numbers[key])
    ends = [float(loss(at + sign * step * way)[0]) for sign in (1, -1)]
    wanted = (ends[0] - ends[1]) / (2 * step)
    assert np.linalg.norm(slope) == pytest.approx(wanted, rel=0.1)


def test_training_lowers_the_mismatch_of_its_batch(shallow, networks):
    exact, numbers, errors = networks
    parts, (state, rates, *_) = batch(), begin(numbers, errors)

    def step(state, count):
        def loss(values):
            total = matching.mismatch(values, exact, parts)[0]
            return total, total

        slopes, total = gradient_and_rest(loss, state["numbers"])
        return moved(state, slopes, rates, 0.005, count), total

    step, totals = compiled(step), []
    for count in range(1, 13):
        state, total = step(state, np.float32(count))
        totals.append(float(total))
    assert totals[-1] < 0.95 * totals[0]
    np.testing.assert_array_equal(
        state["numbers"]["block1_conv1/kernel"], numbers["block1_conv1/kernel"]
    )


def test_rates_rise_and_fall_to_nothing():
    settings = CompressSettings(steps=200, rate=1.0)
    rates = [rate_at(settings, step) for step in range(1, 201)]
    assert rates[0] < rates[14] < rates[29]
    assert rates[99] == pytest.approx(0.5)
    assert rates[-1] == pytest.approx(0.0, abs=1e-9)


def test_a_stopped_training_goes_on_from_its_state(shallow, networks, folder, tmp_path):
    exact, numbers, errors = networks
    path, facts, seen = tmp_path / "state.npz", RunIdentity({"seed": 0}), []

    def training(progress):
        given = TINY, progress, exact, folder, folder
        return Finetuning(*given, identity=facts)

    first = training(begin(numbers, errors, {"closed": 1.5}))
    first(path, observer=lambda step: seen.append(step) or step.step == 1)
    progress = resumed(path, facts)
    assert progress.done == 1
    assert progress.figures == {"closed": 1.5}
    for key, value in rates_of(numbers, errors).items():
        np.testing.assert_array_equal(progress.rates[key], value)
    for part, values in first.state.items():
        for key, value in values.items():
            np.testing.assert_array_equal(progress.state[part][key], value)
    averages = training(progress)(path, observer=seen.append)
    assert [step.step for step in seen] == [1, 2, 3]
    assert all(np.isfinite(step.loss) and -1 <= step.cosine <= 1 for step in seen)
    assert all(np.isfinite(value).all() for value in averages.values())
    with pytest.raises(InputError, match="another"):
        resumed(path, RunIdentity({"seed": 1}))


def test_without_steps_the_closed_form_stays(networks, folder, tmp_path):
    exact, numbers, errors = networks
    none, path = dataclasses.replace(TINY, steps=0), tmp_path / "state.npz"
    given = none, begin(numbers, errors), exact, folder, folder
    found = Finetuning(*given, identity=RunIdentity({}))(path)
    assert found.keys() == numbers.keys()
    for key, value in numbers.items():
        np.testing.assert_array_equal(found[key], value)


def test_an_lbfgs_walker_finds_the_bottom_of_a_bowl():
    draw = np.random.default_rng(0)
    bottom = draw.uniform(0.2, 0.8, (6, 6, 3)).astype("float32")
    steep = draw.uniform(1.0, 40.0, (6, 6, 3)).astype("float32")
    for walker, steps in (
        (Quasi(bottom * 0 + 0.5), 40),
        (Adaptive(bottom * 0 + 0.5, 0.02), 200),
    ):
        for _ in range(steps):
            walker.advance(steep * (walker.picture - bottom))
        np.testing.assert_allclose(walker.picture, bottom, atol=0.02)


def test_pixels_of_walkers_stay_in_range():
    for walker in (Quasi(scene(8, 8)), Adaptive(scene(8, 8), 0.5)):
        for sign in (1.0, -1.0, 1.0):
            walker.advance(np.full((8, 8, 3), sign * 100.0, "float32"))
            assert walker.picture.min() >= 0
            assert walker.picture.max() <= 1


def test_runs_end_and_begin_anew(folder):
    runs = Runs(np.random.default_rng(0), folder, folder, size=32, count=2)
    runs.life = 2
    flat = np.zeros((2, 32, 32, 3), "float32")
    assert [runs.advance(flat) for _ in range(3)] == [False, False, True]
    assert runs.age == 0
    assert runs.advance(np.full_like(flat, np.nan))


def test_every_kind_of_picture_is_in_range(folder):
    draw = np.random.default_rng(0)
    for _ in range(30):
        made = variety(draw, folder, folder, 32)
        assert made.shape == (32, 32, 3)
        assert made.dtype == np.float32
        assert 0 <= made.min() <= made.max() <= 1
