"""Style losses beyond Gram matrices against numpy's and scipy's own formulas."""

import keras
import numpy as np
import pytest
import scipy.linalg
from keras import ops

from nst_tf import (
    LossSettings,
    Objective,
    build_extractor,
)
from nst_tf.loss.style.matrix_sqrt import FLOOR, square_root, trace_of_root
from nst_tf.loss.style.mean_variance import mean_variance_loss
from nst_tf.loss.style.wasserstein import wasserstein_loss, wasserstein_root
from nst_tf.loss.term import Seen
from tests.helpers import scene
from tests.nst_tf.loss.test_terms import check_gradient, gradient_of

RNG = np.random.default_rng(3)
# Correlated, positive, as features after a ReLU are.
MIX = np.eye(6) + 0.3 * RNG.standard_normal((6, 6))
F, P = (
    np.maximum(RNG.standard_normal((200, 6)) @ MIX + shift, 0).astype("float32")
    for shift in (0.5, 1.0)
)


def moments(features):
    """Return mean, mean square and mean product over positions."""
    return (
        features.mean(0)[None],
        (features**2).mean(0)[None],
        (features.T @ features / len(features))[None],
    )


def tensors(*arrays):
    return [ops.convert_to_tensor(np.asarray(a, "float32")) for a in arrays]


def wasserstein(f, p, floor=0.0):
    """The squared distance of Gaussians, with scipy's matrix root, over C."""
    f, p = f.astype("float64"), p.astype("float64")
    a, b = np.cov(f.T, bias=True), np.cov(p.T, bias=True)
    root = scipy.linalg.sqrtm(a @ b).real
    if floor:
        least = floor * np.linalg.eigvalsh(b).max() * np.eye(len(b))
        root = root @ root @ np.linalg.inv(scipy.linalg.sqrtm(a @ b + least @ least))
    means = ((f.mean(0) - p.mean(0)) ** 2).sum()
    return (means + np.trace(a + b - 2 * root).real) / f.shape[1]


def our_wasserstein(f, p):
    mean, _, second = f
    target_mean, _, target = tensors(*moments(p))
    derived = wasserstein_root(target_mean, target)
    return wasserstein_loss(mean, second, target_mean, target, *derived)


def graph_moments(features):
    count = features.shape[0]
    mean = ops.mean(features, axis=0)[None]
    square = ops.mean(ops.square(features), axis=0)[None]
    return mean, square, ops.matmul(ops.transpose(features), features)[None] / count


def test_mean_variance_is_the_squared_distance_of_means_and_deviations():
    expected = ((F.mean(0) - P.mean(0)) ** 2 + (F.std(0) - P.std(0)) ** 2).mean()
    mine, style = tensors(*moments(F)[:2]), tensors(*moments(P)[:2])
    got = mean_variance_loss(*mine, *style)
    np.testing.assert_allclose(got, [expected], rtol=1e-3)


def test_wasserstein_is_scipys():
    got = our_wasserstein(tensors(*moments(F)), P)
    np.testing.assert_allclose(got, [wasserstein(F, P)], rtol=5e-3)


def test_wasserstein_of_diagonal_covariances_needs_no_matrix_root():
    # Then it is what mean-variance is.
    draw = np.random.default_rng(0).standard_normal((4, 400))
    base = (
        scipy.linalg.orth((draw - draw.mean(1, keepdims=True)).T) * 20
    )  # Uncorrelated
    f, p = base * [1, 2, 3, 4] + 1, base * [2, 2, 1, 3] + 2
    expected = (1 + np.mean([1, 0, 4, 1])).item()
    got = our_wasserstein(tensors(*moments(f)), p)
    np.testing.assert_allclose(got, [expected], rtol=1e-2)


def test_a_style_that_is_matched_costs_nothing():
    scale = float((P**2).mean())
    assert float(our_wasserstein(tensors(*moments(P)), P)[0]) < 2e-3 * scale
    mine = tensors(*moments(P)[:2])
    assert float(mean_variance_loss(*mine, *mine)[0]) < 1e-6 * scale


def test_gradients_agree_with_finite_differences():
    target = tensors(*moments(P))

    def mean_variance(features):
        mine = graph_moments(features)
        return ops.sum(mean_variance_loss(*mine[:2], *target[:2]))

    def w2(features):
        return ops.sum(our_wasserstein(graph_moments(features), P))

    check_gradient(mean_variance, F)
    check_gradient(w2, F)


def test_the_root_is_the_matrix_root_and_its_gradient_that_of_the_trace():
    a = MIX @ MIX.T
    root, largest = square_root(ops.convert_to_tensor(a.astype("float32")))
    np.testing.assert_allclose(root, scipy.linalg.sqrtm(a), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(largest, np.linalg.eigvalsh(a).max(), rtol=1e-4)
    floor = ops.convert_to_tensor(np.float32(0.0))
    gradient = gradient_of(lambda x: trace_of_root(x, floor), a.astype("float32"))
    expected = 0.5 * np.linalg.inv(scipy.linalg.sqrtm(a))
    np.testing.assert_allclose(gradient, expected, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("matrix", ["equal", "zero", "negative"])
def test_the_roots_gradient_is_finite_where_eigenvectors_have_none(matrix):
    a = {"equal": np.eye(5), "zero": np.zeros((5, 5)), "negative": -1e-6 * np.eye(5)}
    floor = ops.convert_to_tensor(np.float32(0.01))
    gradient = gradient_of(
        lambda x: trace_of_root(x, floor), a[matrix].astype("float32")
    )
    assert np.isfinite(gradient).all()
    if matrix == "equal":
        np.testing.assert_allclose(gradient, 0.5 * np.eye(5), atol=1e-3)


def test_an_even_style_has_a_finite_distance_and_gradient():
    even = np.full((1, 6), 0.7, "float32")  # One position, as of a tiny painting.

    def distance(features):
        return our_wasserstein(graph_moments(features), even)[0]

    expected = ((F.mean(0) - even[0]) ** 2 + F.var(0)).mean()
    np.testing.assert_allclose(distance(ops.convert_to_tensor(F)), expected, rtol=1e-4)
    gradient = ops.convert_to_numpy(gradient_of(distance, F))
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0


def test_what_is_not_finite_stays_so_without_failing():
    bad = ops.convert_to_tensor(np.full((1, 3, 3), np.nan, "float32"))
    got = trace_of_root(bad, ops.convert_to_tensor(np.ones(1, "float32")))
    assert np.isnan(ops.convert_to_numpy(got)).all()


def features_of(objective, image):
    maps = objective.features(ops.convert_to_tensor(image))
    return {
        name: ops.convert_to_numpy(value).reshape(-1, value.shape[-1])
        for name, value in maps.items()
    }


@pytest.mark.parametrize("style_loss", ["mean-variance", "wasserstein"])
def test_the_objective_has_these_losses_of_its_sums(random_vgg, style_loss):
    loss = LossSettings(
        convention="gatys-notebook",
        style_loss=style_loss,
        content_layers=(),
        style_layers=("block1_conv1", "block2_conv1"),
        content_weight=0.0,
        style_weight=1.0,
        tv_weight=0.0,
    )
    objective = Objective(build_extractor(loss.layers), loss)
    picture, painting = scene(40, 48, seed=2)[None], scene(56, 40, seed=7)[None]
    got = objective(
        ops.convert_to_tensor(picture),
        objective.targets(ops.convert_to_tensor(picture), painting),
    )
    f, p = features_of(objective, picture), features_of(objective, painting)
    expected = 0.0
    for name in loss.style_layers:
        a, b = f[name].astype("float64"), p[name].astype("float64")
        if style_loss == "wasserstein":
            expected += wasserstein(a, b, FLOOR)
        else:
            expected += ((a.mean(0) - b.mean(0)) ** 2).mean()
            expected += ((a.std(0) - b.std(0)) ** 2).mean()
    assert float(got.total) == pytest.approx(expected, rel=2e-2)


@pytest.mark.parametrize("style_loss", ["mean-variance", "wasserstein"])
def test_half_precision_features_give_float32_statistics(random_vgg, style_loss):
    loss = LossSettings(
        style_loss=style_loss, content_layers=(), style_layers=("block1_conv2",)
    )
    picture, painting = scene(40, 48, seed=2)[None], scene(56, 40, seed=7)[None]
    got = {}
    for dtype in ("float32", "bfloat16"):
        objective = Objective(build_extractor(loss.layers, dtype=dtype), loss)
        image = ops.convert_to_tensor(picture)
        targets = objective.targets(image, painting)
        sums = objective.statistics(Seen(image, objective.features(image)), targets)
        assert {keras.backend.standardize_dtype(v.dtype) for v in sums.values()} == {
            "float32"
        }
        got[dtype] = float(objective(image, targets).total)
    assert got["bfloat16"] == pytest.approx(got["float32"], rel=0.05)
