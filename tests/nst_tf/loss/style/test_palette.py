"""The palette: how red, green and blue are distributed over the pixels."""

import dataclasses

import numpy as np
import pytest
from keras import ops

from nst_tf import LossSettings, OptimizeSettings, optimize_image
from nst_tf.backend.compile import gradient
from nst_tf.loss.conventions import HARMONICS, with_palette
from nst_tf.loss.style.palette import cosine_sums, palette_loss
from nst_tf.painting.workshop import Workshop
from nst_tf.settings.checks import InputError
from nst_tf.settings.codec import from_dict, to_dict
from tests.helpers import CONTENT, STYLE, changed, scene

RNG = np.random.default_rng(3)
RELATIVE = LossSettings(
    content_layers=("block2_conv2",), style_layers=("block1_conv1", "block2_conv1")
)


def means(image):
    """Return the cosine moments, `[24]`, by their definition."""
    flat = image.reshape(-1, 3).astype("float64")
    rows = [np.cos(np.pi * k * flat).mean(axis=0) for k in range(1, HARMONICS + 1)]
    return np.concatenate(rows).astype("float32")


def apart(one, other):
    """Return the integral of squared gaps of distribution functions, over channels."""
    grid = np.linspace(0, 1, 4001)
    gaps = []
    for a, b in zip(one.reshape(-1, 3).T, other.reshape(-1, 3).T, strict=True):
        f, g = (np.searchsorted(np.sort(x), grid, "right") / x.size for x in (a, b))
        gaps.append((np.trapezoid((f - g) ** 2, grid), np.trapezoid(g * (1 - g), grid)))
    return np.sum(gaps, axis=0)


def test_sums_of_cosines_are_those_of_the_definition_and_of_regions():
    image = scene(21, 34, seed=5)[None]
    found = ops.convert_to_numpy(cosine_sums(ops.convert_to_tensor(image)))
    assert found.shape == (1, 1, 3 * HARMONICS)
    np.testing.assert_allclose(found[0, 0] / (21 * 34), means(image), atol=1e-5)
    left = np.zeros((1, 21, 34, 2), "float32")
    left[:, :, :13, 0] = left[:, :, 13:, 1] = 1
    halves = ops.convert_to_numpy(cosine_sums(image, ops.convert_to_tensor(left)))
    np.testing.assert_allclose(halves.sum(axis=1), found[:, 0], atol=1e-3)
    want = means(image[:, :, :13])
    np.testing.assert_allclose(halves[0, 0] / (21 * 13), want, atol=1e-5)


@pytest.mark.parametrize("shape", [(2.0, 5.0), (0.8, 0.6), (6.0, 6.0)])
def test_the_loss_is_the_energy_distance_of_the_distributions(shape):
    one = RNG.beta(2.0, 2.0, (60, 70, 3))
    other = RNG.beta(*shape, (60, 70, 3)) * (0.9, 0.7, 1.0)
    gap, spread = apart(one, other)
    found = float(palette_loss(means(one), means(other)))
    # Eight cosines leave some of the distance out, four of the spread.
    assert found == pytest.approx(gap / spread, rel=0.05)
    assert float(palette_loss(means(one), means(one))) == 0


def test_the_gradient_leads_to_the_paintings_distribution():
    target = means(0.3 + 0.4 * RNG.beta(0.7, 0.7, (40, 40, 3)))

    def loss(x):
        return ops.sum(palette_loss(cosine_sums(x) / 1600.0, target))

    x = RNG.uniform(0, 1, (1, 40, 40, 3)).astype("float32")
    slope = ops.convert_to_numpy(gradient(loss, ops.convert_to_tensor(x)))
    step = 1e-2 * np.sign(slope)
    ahead, back = (float(loss(ops.convert_to_tensor(x + s))) for s in (step, -step))
    assert (ahead - back) / 2 == pytest.approx(np.vdot(slope, step), rel=0.01)
    first = float(loss(ops.convert_to_tensor(x)))
    for _ in range(200):
        slope = ops.convert_to_numpy(gradient(loss, ops.convert_to_tensor(x)))
        x = x - 100 * slope
    assert float(loss(ops.convert_to_tensor(x))) < 0.01 * first


def test_of_a_painting_of_one_colour_it_is_finite():
    flat = means(np.full((4, 4, 3), 0.4))
    found = float(palette_loss(means(RNG.uniform(size=(9, 9, 3))), flat))
    assert 1 < found < 20


@pytest.mark.parametrize(
    ("values", "palette"),
    [
        ({}, 2.0),
        ({"strength": 0.3}, 2.0),
        ({"strength": 0.3, "convention": "johnson"}, 2.0),
        ({"style_weight": 5.0}, 2.0),
        ({"palette": 0.5}, 0.5),
        ({"convention": "gatys-2015"}, 0.0),
        ({"convention": "johnson", "palette": 0.5}, 0.5),
        ({"style_layers": ()}, None),
    ],
)
def test_it_counts_where_a_picture_is_optimised_by_the_relative_loss(values, palette):
    assert with_palette(LossSettings(**values)).palette == palette


def test_pictures_of_a_version_without_it_are_made_again_without_it():
    values = to_dict(OptimizeSettings())
    assert from_dict(values).loss.palette is None
    del values["loss"]["palette"]
    assert from_dict(values).loss.palette == 0
    assert from_dict({"loss": {"strength": 0.3}}).loss.palette is None


def test_a_negative_palette_is_refused():
    with pytest.raises(InputError, match="palette must be at least 0"):
        LossSettings(palette=-0.1)


def picture_by(palette, **values):
    loss = dataclasses.replace(RELATIVE, palette=palette)
    settings: OptimizeSettings = changed(loss=loss, steps=30, metric="none", **values)
    return optimize_image(CONTENT, STYLE, settings).pixels


@pytest.mark.usefixtures("random_vgg")
def test_pictures_get_the_distribution_of_the_paintings_colours():
    without, by_default = picture_by(0.0), picture_by(None)
    assert apart(by_default, STYLE)[0] < 0.3 * apart(without, STYLE)[0]
    np.testing.assert_array_equal(by_default, picture_by(2.0))


@pytest.mark.usefixtures("random_vgg")
def test_a_workshop_tells_grey_pictures_from_coloured_ones():
    grey = [np.repeat(x.mean(-1, keepdims=True), 3, -1) for x in (CONTENT, STYLE)]
    workshop, settings = Workshop(), changed(steps=3)
    optimize_image(CONTENT, STYLE, settings, workshop=workshop)
    shared = optimize_image(*grey, settings, workshop=workshop).pixels
    np.testing.assert_array_equal(shared, optimize_image(*grey, settings).pixels)
