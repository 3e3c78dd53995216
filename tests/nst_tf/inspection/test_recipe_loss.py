"""The loss of a recipe is the loss of the optimisation by the same weights."""

import dataclasses

import numpy as np
import pytest

from nst_tf import OptimizeSettings, load_image
from nst_tf.inspection.recipe_loss import recipe_loss
from nst_tf.painting.measure import measure_loss
from nst_tf.settings.train import StyleSettings, TrainSettings
from tests.helpers import scene


def test_a_recipes_loss_is_the_optimisations_with_its_strengths(random_vgg, pair):
    path, painting = pair
    styles = (
        StyleSettings(name="plain", image=painting),
        StyleSettings(name="strong", image=painting, strength=3.0),
    )
    recipe = TrainSettings(styles=styles)
    loss = recipe_loss(recipe)
    photo, picture = load_image(path).pixels, scene(40, 56, seed=5)
    for weights, strength in (([0, 1, 0], 1.0), ([0, 0, 1], 3.0)):
        weight = strength * recipe.loss.style_weight
        settings = OptimizeSettings(
            size=56,
            style_size=48,
            scales=1,
            schedule="whole",
            loss=dataclasses.replace(recipe.loss, style_weight=weight),
        )
        art = load_image(painting).pixels
        expected = measure_loss(picture, photo, art, settings).total
        assert loss(picture, photo, weights) == pytest.approx(expected, rel=1e-4)
    assert np.isfinite(loss(picture, photo, [0.5, 0.25, 0.25]))
