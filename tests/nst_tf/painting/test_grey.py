"""Pictures without colour."""

import numpy as np
import pytest

from nst_tf import optimize_image
from tests.helpers import changed, scene

pytestmark = pytest.mark.usefixtures("random_vgg")


def grey(picture):
    return np.repeat(picture.mean(axis=-1, keepdims=True), 3, axis=-1)


@pytest.mark.parametrize("constrained", [True, False])
def test_of_a_grey_photograph_and_a_grey_painting_the_picture_is_grey(constrained):
    settings = changed(steps=5, init="noise", constrained=constrained)
    photo, painting = grey(scene(40, 56, seed=1)), grey(scene(48, 48, seed=7))
    losses = []
    result = optimize_image(
        photo, painting, settings, observer=lambda step: losses.append(step.loss.total)
    )
    assert np.ptp(result.pixels, axis=-1).max() < 1e-6
    assert result.pixels.std() > 0.02
    assert losses[-1] < losses[0]


def test_one_picture_in_colour_is_enough_for_colours():
    settings = changed(steps=2)
    result = optimize_image(grey(scene(40, 56)), scene(48, 48, seed=7), settings)
    assert np.ptp(result.pixels, axis=-1).max() > 1 / 255
