"""The losses against independent formulas and finite differences."""

import keras
import numpy as np
import pytest
from keras import ops

from nst_tf.loss.content import content_loss
from nst_tf.loss.conventions import default_layer_weights
from nst_tf.loss.style.gram import gram_matrix, style_loss
from nst_tf.loss.variation import total_variation
from tests.helpers import gradient_of, value

RNG = np.random.default_rng(0)
F = RNG.standard_normal((2, 5, 4, 3)).astype("float32")
P = RNG.standard_normal((2, 5, 4, 3)).astype("float32")
STYLE = RNG.standard_normal((2, 6, 3, 3)).astype("float32")
M, C = 20, 3


def raw_gram(features):
    """Undivided, by another route than a matrix product of flattened maps."""
    return np.einsum("bhwc,bhwd->bcd", features, features, dtype="float64")


def test_gram_matrix_is_the_mean_of_outer_products():
    got = value(gram_matrix(ops.convert_to_tensor(F)))
    np.testing.assert_allclose(got, raw_gram(F) / M, rtol=1e-4)


def test_johnsons_gram_matrix_is_divided_by_the_channels_too():
    got = value(gram_matrix(ops.convert_to_tensor(F), convention="johnson"))
    np.testing.assert_allclose(got, raw_gram(F) / (M * C), rtol=1e-4)


def test_gram_matrix_of_bfloat16_features_is_float32_and_does_not_overflow():
    big = np.full((1, 64, 64, 4), 2000.0, "float32")
    got = gram_matrix(ops.cast(ops.convert_to_tensor(big), "bfloat16"))
    assert keras.backend.standardize_dtype(got.dtype) == "float32"
    np.testing.assert_allclose(value(got), 4e6, rtol=2**-8)


# 2 pictures, each of 5 blocks of positions, of 7 smaller ones, and of none that fit.
@pytest.mark.parametrize(("height", "width"), [(70, 80), (77, 79), (47, 43)])
def test_gram_matrix_of_bfloat16_features_errs_less_than_the_features_do(height, width):
    features = np.maximum(RNG.normal(0.3, 1.0, (2, height, width, 12)), 0.0)
    rounded = ops.cast(ops.convert_to_tensor(features), "bfloat16")
    exact = value(gram_matrix(ops.cast(rounded, "float32")))
    error = value(gram_matrix(rounded)) - exact
    assert np.linalg.norm(error) < 1e-3 * np.linalg.norm(exact)
    assert error.any() == ((height, width) != (47, 43))  # Those stay float32.


CONTENT = {
    "gatys-notebook": lambda: ((F - P) ** 2).mean((1, 2, 3)),
    "gatys-2015": lambda: 0.5 * ((F - P) ** 2).sum((1, 2, 3)),
    "ng-course": lambda: ((F - P) ** 2).sum((1, 2, 3)) / (4 * M * C),
    "johnson": lambda: ((F - P) ** 2).sum((1, 2, 3)) / (M * C),
    "relative": lambda: ((F - P) ** 2).sum((1, 2, 3)) / (P**2).sum((1, 2, 3)),
}


@pytest.mark.parametrize("convention", CONTENT)
def test_content_loss_is_the_published_one(convention):
    got = content_loss(
        ops.convert_to_tensor(F), ops.convert_to_tensor(P), convention=convention
    )
    np.testing.assert_allclose(value(got), CONTENT[convention](), rtol=1e-5)


def squared(a, b):
    return ((a - b) ** 2).sum((1, 2))


# With pictures of one size, as the papers have it, with undivided Gram matrices.
G, A = raw_gram(F), raw_gram(P)
STYLES = {
    "gatys-notebook": squared(G / M, A / M) / C**2 / C**2,
    "gatys-2015": squared(G, A) / (4 * C**2 * M**2),
    "ng-course": squared(G, A) / (2 * M * C) ** 2,
    "johnson": squared(G / (M * C), A / (M * C)),
    "relative": squared(G, A) / squared(A, 0),
}


@pytest.mark.parametrize("convention", STYLES)
def test_style_loss_is_the_published_one(convention):
    grams = [
        gram_matrix(ops.convert_to_tensor(x), convention=convention) for x in (F, P)
    ]
    got = style_loss(*grams, convention=convention)
    np.testing.assert_allclose(value(got), STYLES[convention], rtol=1e-4)


@pytest.mark.parametrize("convention", STYLES)
def test_style_loss_does_not_depend_on_the_style_images_size(convention):
    tiled = np.tile(STYLE, (1, 2, 3, 1))
    small, large = (
        gram_matrix(ops.convert_to_tensor(x), convention=convention)
        for x in (STYLE, tiled)
    )
    np.testing.assert_allclose(value(small), value(large), rtol=1e-4)


def test_relative_terms_do_not_depend_on_the_scale_of_the_features():
    for factor in (0.01, 100.0):
        features, target = (
            ops.convert_to_tensor((factor * x).astype("float32")) for x in (F, P)
        )
        got = content_loss(features, target, convention="relative")
        np.testing.assert_allclose(value(got), CONTENT["relative"](), rtol=1e-4)
        grams = [gram_matrix(x) for x in (features, target)]
        got = style_loss(*grams, convention="relative")
        np.testing.assert_allclose(value(got), STYLES["relative"], rtol=1e-4)


def test_relative_terms_of_an_empty_target_are_finite():
    zero = ops.zeros((1, 4, 4, 3))
    gram = gram_matrix(zero)
    assert float(content_loss(zero, zero, convention="relative")[0]) == 0
    assert float(style_loss(gram, gram, convention="relative")[0]) == 0


def test_total_variation_is_the_mean_squared_difference_in_255_units():
    image = RNG.random((2, 7, 5, 3)).astype("float32")
    scaled = 255.0 * image.astype("float64")
    expected = (np.diff(scaled, axis=1) ** 2).mean((1, 2, 3)) + (
        np.diff(scaled, axis=2) ** 2
    ).mean((1, 2, 3))
    got = value(total_variation(ops.convert_to_tensor(image)))
    np.testing.assert_allclose(got, expected, rtol=1e-5)


@pytest.mark.parametrize("convention", STYLES)
@pytest.mark.parametrize("batch", [1, 2])
def test_style_gradient_agrees_with_finite_differences(convention, batch):
    x = F[:batch]
    target = gram_matrix(ops.convert_to_tensor(P[:batch]), convention=convention)

    def loss(features):
        gram = gram_matrix(features, convention=convention)
        return ops.sum(style_loss(gram, target, convention=convention))

    check_gradient(loss, x)


@pytest.mark.parametrize("convention", CONTENT)
def test_content_gradient_agrees_with_finite_differences(convention):
    def loss(features):
        return ops.sum(content_loss(features, P, convention=convention))

    check_gradient(loss, F)


def test_total_variation_gradient_agrees_with_finite_differences():
    image = RNG.random((1, 4, 5, 3)).astype("float32")
    check_gradient(lambda x: ops.sum(total_variation(x)), image)


def check_gradient(loss, x):
    """Compare the gradient along random directions with central differences."""
    gradient = gradient_of(loss, x)
    for seed in range(3):
        direction = (
            np.random.default_rng(seed).standard_normal(x.shape).astype("float32")
        )
        step = 1e-2
        ahead, behind = (
            float(value(loss(ops.convert_to_tensor(x + sign * step * direction))))
            for sign in (1, -1)
        )
        expected = (ahead - behind) / (2 * step)
        got = float((gradient * direction).sum())
        assert got == pytest.approx(expected, rel=2e-2, abs=2e-3 * abs(ahead))


def test_default_lambdas_are_those_of_the_conventions():
    assert default_layer_weights("ng-course", 5) == (0.2,) * 5
    assert default_layer_weights("gatys-2015", 4) == (0.25,) * 4
    assert default_layer_weights("gatys-notebook", 5) == (1.0,) * 5
    assert default_layer_weights("johnson", 4) == (1.0,) * 4
