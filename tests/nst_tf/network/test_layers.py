"""The layers of the transform network: borders, upsampling, normalisation."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from nst_tf.network.layers import (
    EPSILON,
    ConditionalInstanceNormalization,
    ReflectionPadding,
)
from nst_tf.network.lowering import ends_of_blocks
from nst_tf.network.subpixel import BlockConv2D, PhasedConv2D, UpsamplingConv2D
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


def blocks_of(x):
    """Return `[B, H, W, C]` as blocks of 2x2 pixels, `[B, H / 2, W / 2, 4 C]`."""
    batch, height, width, channels = x.shape
    parts = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
    return parts.transpose(0, 1, 3, 2, 4, 5).reshape(
        batch, height // 2, width // 2, 4 * channels
    )


def test_a_border_is_mirrored_in_blocks():
    x = RNG.standard_normal((2, 12, 16, 3)).astype("float32")
    for axis, width in itertools.product((1, 2), (2, 4)):
        sides = [(width, width) if k == axis else (0, 0) for k in range(4)]
        expected = blocks_of(np.pad(x, sides, mode="reflect"))
        got = blocks_of(x)
        before, after = ends_of_blocks(got, width, axis)
        joined = np.concatenate([value(before), got, value(after)], axis=axis)
        np.testing.assert_array_equal(joined, expected)


@pytest.mark.parametrize(("side", "stride"), [(9, 1), (3, 2)])
def test_a_convolution_of_blocks_is_that_of_pixels(side, stride):
    x = RNG.standard_normal((2, 20, 28, 4)).astype("float32")
    layer = BlockConv2D(5, side, stride=stride, lowering="slices")
    got = value(layer(blocks_of(x)))
    half = side // 2
    sides = ((0, 0), (half, half), (half, half), (0, 0))
    padded = np.pad(x, sides, mode="reflect")
    expected = correlate(padded, value(layer.kernel))[:, ::stride, ::stride]
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
    assert layer.kernel.shape == (side, side, 4, 5)
    copy = BlockConv2D.from_config(layer.get_config())
    assert copy.compute_output_shape((2, 10, 14, 16)) == got.shape


def test_phases_that_are_kept_are_blocks():
    x = RNG.standard_normal((2, 20, 26, 4)).astype("float32")
    layer = PhasedConv2D(3, 9, lowering="slices", keep=True)
    got = value(layer(x))
    expected = blocks_of(correlate(x, value(layer.kernel)))
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
    assert layer.compute_output_shape(x.shape) == got.shape
    small = RNG.standard_normal((2, 5, 7, 4)).astype("float32")
    enlarging = UpsamplingConv2D(3, 3, lowering="slices")
    pixels = value(enlarging(small, np.zeros((2, 10, 14, 1), "float32")))
    kept = UpsamplingConv2D(3, 3, lowering="slices", keep=True)
    kept.build(small.shape)
    kept.set_weights(enlarging.get_weights())
    got = value(kept(small, np.zeros((2, 5, 7, 12), "float32")))
    np.testing.assert_allclose(got, blocks_of(pixels), rtol=1e-5, atol=1e-6)


def test_blocks_are_normalised_as_their_pixels_are():
    x = RNG.normal(5.0, 3.0, (2, 6, 8, 4)).astype("float32")
    weights = mixes(RNG, 2)
    layer = ConditionalInstanceNormalization(3)
    layer.build(x.shape)
    rows = [RNG.standard_normal((3, 4)).astype("float32") for _ in range(2)]
    layer.set_weights(rows)
    of_blocks = ConditionalInstanceNormalization(3, phases=4)
    of_blocks.build((2, 3, 4, 16))
    of_blocks.set_weights(rows)
    given = RNG.random((2, 3, 1, 4)).astype("float32")
    picture, own = layer(x, weights, given)
    in_blocks, own_too = of_blocks(blocks_of(x), weights, given)
    expected = blocks_of(value(picture))
    np.testing.assert_allclose(value(in_blocks), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(value(own_too), value(own), rtol=1e-5)


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
