"""The layers of the transform network: borders, upsampling, normalisation."""

import keras
import numpy as np
import pytest
from keras import ops

from nst_tf.network.layers import (
    EPSILON,
    ConditionalInstanceNormalization,
    ReflectionPadding,
)
from nst_tf.network.subpixel import PhasedConv2D, UpsamplingConv2D
from tests.helpers import mixes, value

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("lowering", ["native", "slices"])
@pytest.mark.parametrize("width", [1, 4])
def test_reflection_padding_is_numpys(lowering, width):
    x = RNG.standard_normal((2, 7, 9, 3)).astype("float32")
    sides = (width, width)
    expected = np.pad(x, ((0, 0), sides, sides, (0, 0)), mode="reflect")
    layer = ReflectionPadding(width, lowering=lowering)
    np.testing.assert_array_equal(value(layer(x)), expected)
    assert layer.compute_output_shape(x.shape) == expected.shape
    assert layer.compute_output_shape((None, None, 9, 3))[1] is None


def correlate(x, kernel):
    """Return the valid cross-correlation of `[B, H, W, C]`, tap by tap."""
    side = kernel.shape[0]
    height, width = (n - side + 1 for n in x.shape[1:3])
    return sum(
        x[:, i : i + height, j : j + width] @ kernel[i, j]
        for i in range(side)
        for j in range(side)
    )


@pytest.mark.parametrize("lowering", ["native", "multiples", "slices"])
@pytest.mark.parametrize("filters", [3, 5])
def test_a_convolution_by_phases_is_the_convolution(lowering, filters):
    x = RNG.standard_normal((2, 20, 26, 4)).astype("float32")
    layer = PhasedConv2D(filters, 9, lowering=lowering)
    got = value(layer(x))
    np.testing.assert_allclose(
        got, correlate(x, value(layer.kernel)), rtol=1e-4, atol=1e-5
    )
    assert layer.compute_output_shape(x.shape) == got.shape


@pytest.mark.parametrize(
    ("lowering", "height", "width"),
    [
        ("native", 9, 13),
        ("native", 10, 14),
        ("multiples", 10, 14),
        ("slices", 10, 14),
    ],
)
def test_upsampling_repeats_pixels_mirrors_and_convolves(lowering, height, width):
    x = RNG.standard_normal((2, -(-height // 2), -(-width // 2), 4)).astype("float32")
    large = x.repeat(2, axis=1).repeat(2, axis=2)[:, :height, :width]
    sides = ((0, 0), (1, 1), (1, 1), (0, 0))
    layer = UpsamplingConv2D(3, 3, lowering=lowering)
    got = value(layer(x, np.zeros((2, height, width, 1), "float32")))
    expected = correlate(np.pad(large, sides, mode="reflect"), value(layer.kernel))
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_normalisation_mixes_the_styles_gamma_and_beta():
    x = RNG.normal(5.0, 3.0, (2, 6, 7, 4)).astype("float32")
    weights = mixes(RNG, 2)
    layer = ConditionalInstanceNormalization(3)
    layer.build(x.shape)
    gamma, beta = (RNG.standard_normal((3, 4)).astype("float32") for _ in range(2))
    layer.set_weights([gamma, beta])
    for picture, mix, got in zip(x, weights, value(layer(x, weights)), strict=True):
        normal = (picture - picture.mean((0, 1))) / np.sqrt(
            picture.var((0, 1)) + EPSILON
        )
        expected = normal * (mix @ gamma) + mix @ beta
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_statistics_stay_float32_in_half_precision():
    # 1000 + noise: in bfloat16 mean and variance of the values are lost.
    x = np.round(RNG.normal(1000.0, 40.0, (1, 64, 64, 2)) / 8) * 8
    layer = ConditionalInstanceNormalization(1, dtype="mixed_bfloat16")
    x = ops.cast(ops.convert_to_tensor(x), "bfloat16")
    wide = value(ops.cast(x, "float32"))
    got = layer(x, ops.ones((1, 1)))
    assert keras.backend.standardize_dtype(got.dtype) == "bfloat16"
    expected = (wide - wide.mean((1, 2))) / wide.std((1, 2))
    np.testing.assert_allclose(value(ops.cast(got, "float32")), expected, atol=0.02)


@pytest.mark.parametrize("channels", [4, 16])  # 16: TensorFlow's operation.
def test_normalisation_in_training_is_the_same(channels):
    x = RNG.normal(5.0, 3.0, (2, 6, 8, channels)).astype("float32")
    weights = mixes(RNG, 2)
    layer = ConditionalInstanceNormalization(3)
    layer.build(x.shape)
    layer.set_weights([RNG.standard_normal((3, channels)) for _ in range(2)])
    np.testing.assert_allclose(
        value(layer(x, weights, training=True)), value(layer(x, weights)), atol=1e-5
    )


def test_an_unknown_lowering_is_named():
    with pytest.raises(ValueError, match="no lowering 'fast'; there are"):
        ReflectionPadding(1, lowering="fast")
