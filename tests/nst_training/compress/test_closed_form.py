"""Ranks, and convolutions fitted in closed form."""

import numpy as np
import pytest

from nst_tf.loss.weight_files import layer_shapes
from nst_tf.settings.checks import InputError
from nst_training.compress import matching
from nst_training.compress.forward import (
    exact_numbers,
    factors_of,
    features,
    max_pool,
    numbers_of,
)
from nst_training.compress.importance import importance
from nst_training.compress.ranks import choose_ranks, size_of
from nst_training.compress.regression import Moments, compress, energies, factored
from tests.helpers import random_weights, scene

NAMES = ("block1_conv2", "block2_conv1")


def low_rank_weights(rank):
    """Return weights whose second convolution answers in a space of few dimensions."""
    weights = random_weights()
    kernel, bias = weights["block1_conv2"]
    axes = np.linalg.qr(np.random.default_rng(5).standard_normal((64, rank)))[0]
    weights["block1_conv2"] = ((kernel @ axes @ axes.T).astype("float32"), bias)
    return weights


def crops(count=4, side=32):
    return np.stack([scene(side, side, seed=k) for k in range(count)])


def test_a_reduced_rank_fit_is_the_best_one_of_its_rank():
    draw = np.random.default_rng(0)
    x = np.concatenate([draw.standard_normal((500, 18)), np.ones((500, 1))], axis=1)
    y = x @ draw.standard_normal((19, 7)) + 0.1 * draw.standard_normal((500, 7))
    # By the singular values of the fitted, centred responses (Eckart and Young).
    fit = x @ np.linalg.lstsq(x, y, rcond=None)[0]
    mean = fit.mean(axis=0)
    left, values, right = np.linalg.svd(fit - mean, full_matrices=False)
    wanted = mean + left[:, :3] * values[:3] @ right[:3]
    exact = np.linalg.lstsq(x, y, rcond=None)[0]  # So that the ridge draws nowhere.
    found = factored(Moments(x.T @ x, x.T @ y), exact, 3)
    got = x[:, :-1] @ found.kernel.reshape(18, 3) @ found.mix + found.bias
    np.testing.assert_allclose(got, wanted, atol=1e-4)


def test_with_importance_it_is_the_best_in_that_measure():
    draw = np.random.default_rng(1)
    x = np.concatenate([draw.standard_normal((400, 18)), np.ones((400, 1))], axis=1)
    y = x @ draw.standard_normal((19, 7)) + 0.1 * draw.standard_normal((400, 7))
    root = np.linalg.cholesky(np.cov(draw.standard_normal((7, 30))))
    exact = np.linalg.lstsq(x, y, rcond=None)[0]
    mean = (x @ exact).mean(axis=0)
    left, values, right = np.linalg.svd((x @ exact - mean) @ root, full_matrices=False)
    wanted = mean + left[:, :3] * values[:3] @ right[:3] @ np.linalg.inv(root)
    found = factored(Moments(x.T @ x, x.T @ y), exact, 3, root @ root.T)
    got = x[:, :-1] @ found.kernel.reshape(18, 3) @ found.mix + found.bias
    np.testing.assert_allclose(got, wanted, atol=1e-4)


def test_importance_is_the_second_moment_of_the_gradient(monkeypatch):
    monkeypatch.setattr(matching, "STYLE", ("block1_conv1",))
    weights, crop, style = random_weights(), scene(16, 16), scene(16, 16, seed=3)
    numbers = exact_numbers(weights, ["block1_conv1"])
    maps, wanted = (
        np.asarray(features(x[None], numbers)["block1_conv1"], "float64").reshape(
            -1, 64
        )
        for x in (crop, style)
    )
    gram = wanted.T @ wanted / len(wanted)
    # d/dF of |F'F/P - A|^2, where the ReLU lets through; its length does not count.
    slope = maps @ (maps.T @ maps / len(maps) - gram) * (maps > 0)
    moment = slope.T @ slope
    moment = moment * 64 / np.trace(moment)
    found = importance(weights, ["block1_conv1"], crop[None], style[None])
    np.testing.assert_allclose(
        found["block1_conv1"], (moment + 0.1 * np.eye(64)) / 1.1, atol=1e-3
    )


def test_responses_of_few_dimensions_are_kept_exactly():
    weights = low_rank_weights(8)
    made = compress(weights, {"block1_conv2": 8}, crops())
    exact = exact_numbers(weights, ["block1_conv1", "block1_conv2"])
    image = scene(24, 24, seed=9)[None]
    wanted = features(image, exact)["block1_conv2"]
    got = features(image, numbers_of(made.layers))["block1_conv2"]
    np.testing.assert_allclose(got, wanted, atol=2e-3 * float(np.max(wanted)))
    assert made.errors["block1_conv2"] < 1e-6
    assert made.layers["block1_conv2"].kernel.shape == (3, 3, 64, 8)


def test_more_channels_err_less():
    weights = random_weights()
    errors = [
        compress(weights, dict.fromkeys(NAMES, rank), crops()).errors["block2_conv1"]
        for rank in (4, 16, 48)
    ]
    assert errors[0] > errors[1] > errors[2]


def test_numbers_and_factors_are_each_others_inverse():
    made = compress(random_weights(), dict.fromkeys(NAMES, 8), crops(2))
    back = factors_of(numbers_of(made.layers))
    assert list(back) == ["block1_conv1", *NAMES]
    for name, factors in made.layers.items():
        for wanted, got in zip(factors, back[name], strict=True):
            assert (wanted is None) == (got is None)
            if wanted is not None:
                np.testing.assert_array_equal(got, wanted)


def test_energies_are_those_of_the_response_and_end_where_it_has_no_dimension():
    found = energies(low_rank_weights(8), ["block1_conv1", "block1_conv2"], crops())
    assert found["block1_conv2"].shape == (64,)
    assert (np.diff(found["block1_conv2"]) <= 1e-6 * found["block1_conv2"][0]).all()
    assert found["block1_conv2"][8:].sum() < 1e-6 * found["block1_conv2"].sum()


def test_ranks_fill_the_size_and_follow_the_energy():
    flat, steep = np.ones(128), np.exp(-np.arange(128) / 4.0)
    shapes = layer_shapes("vgg19")
    numbers = 90_000
    ranks = choose_ranks(
        {"block2_conv2": flat, "block3_conv1": np.repeat(steep, 2)}, numbers=numbers
    )
    used = sum(size_of(shapes[name], rank) for name, rank in ranks.items())
    step = max(size_of(shapes[name], 8) for name in ranks)
    assert numbers - step < used <= numbers
    assert ranks["block2_conv2"] > ranks["block3_conv1"]
    assert all(rank % 8 == 0 for rank in ranks.values())


def test_a_size_below_the_least_ranks_is_refused():
    with pytest.raises(InputError, match="too few"):
        choose_ranks({"block3_conv2": np.ones(256)}, numbers=100)


def test_pooling_takes_the_greatest_and_an_odd_edge_is_left_out():
    x = np.random.default_rng(0).standard_normal((2, 5, 6, 3)).astype("float32")
    wanted = x[:, :4].reshape(2, 2, 2, 3, 2, 3).max(axis=(2, 4))
    np.testing.assert_allclose(max_pool(x), wanted, atol=1e-6)
