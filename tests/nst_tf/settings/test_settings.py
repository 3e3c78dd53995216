"""Settings: validation, recipes, JSON."""

import dataclasses
import json
import math

import numpy as np
import pytest

from nst_tf import RECIPES, InputError, LossSettings, OptimizeSettings
from nst_tf.settings.codec import from_dict, to_dict


@pytest.mark.parametrize("name", RECIPES)
def test_settings_survive_json(name):
    text = json.dumps(to_dict(RECIPES[name]))
    assert from_dict(json.loads(text)) == RECIPES[name]


def test_settings_of_another_version_are_refused():
    values = to_dict(OptimizeSettings()) | {"glitter": 3}
    with pytest.raises(InputError, match="glitter"):
        from_dict(values)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"size": "48"}, "size must be a whole number, got '48'"),
        ({"size": 48.5, "ema": None}, "got 48.5; ema must be a number, got None"),
        ({"steps": np.int64(4)}, r"steps must be a whole number, got np.int64\(4\)"),
        ({"style_size": "48"}, "style_size must be a whole number, got '48'"),
    ],
)
def test_numbers_of_another_kind_are_refused(given, said):
    with pytest.raises(InputError, match=said):
        OptimizeSettings(**given)
    assert OptimizeSettings(learning_rate=1, tolerance=np.float64(0.5))


@pytest.mark.parametrize(
    "bad",
    [
        {"size": 0},
        {"steps": 0},
        {"coarse_steps": -1},
        {"scales": 0},
        {"history": 0},
        {"seed": -1},
        {"ema": 1.0},
        {"learning_rate": 0.0},
        {"tolerance": math.nan},
        {"scale_factor": 1.0},
        {"style_size": 4},
        {"backtracking": -1},
        {"color": "luma"},
        {"optimizer": "sgd"},
        {"precision": "float16"},
    ],
)
def test_impossible_settings_are_refused_by_name(bad):
    with pytest.raises(InputError, match=next(iter(bad))):
        OptimizeSettings(**bad)


@pytest.mark.parametrize(
    "bad",
    [
        {"content_weight": -1.0},
        {"style_weight": math.inf},
        {"tv_weight": math.nan},
        {"style_layer_weights": (1.0,)},
        {"style_layers": ("block1_conv1", "block1_conv1")},
        {"content_layers": (), "style_layers": ()},
        {"convention": "gatys"},
    ],
)
def test_impossible_losses_are_refused_by_name(bad):
    with pytest.raises(InputError, match=next(iter(bad)).split("_")[0]):
        LossSettings(**bad)


def test_all_problems_are_reported_at_once():
    with pytest.raises(InputError, match=r"size.*steps.*history"):
        OptimizeSettings(size=1, steps=0, history=0)


def test_the_gatys_recipe_is_the_notebooks():
    recipe = RECIPES["gatys"]
    assert recipe.side == "short"
    assert recipe.size == 512
    assert recipe.steps == 500
    assert recipe.scales == 1
    assert recipe.history == 100
    assert not recipe.constrained
    assert recipe.loss.convention == "gatys-notebook"
    assert recipe.loss.style_weight == 1000
    assert recipe.loss.content_weight == 1


def test_settings_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        OptimizeSettings().size = 3


def test_without_weights_a_loss_has_the_default_budget():
    assert LossSettings().content_error == pytest.approx(0.45)
    assert LossSettings(strength=0.3).content_error == pytest.approx(0.27)
    assert OptimizeSettings().searches


@pytest.mark.parametrize(
    ("values", "style"),
    [
        ({"style_weight": 7.0}, 7.0),
        ({"convention": "gatys-notebook"}, 100.0),
        ({"convention": "johnson", "style_weight": 5.0}, 5.0),
        ({"content_weight": 0.0}, 100.0),
    ],
)
def test_a_weight_or_a_published_convention_is_no_budget(values, style):
    loss = LossSettings(**values)
    assert loss.content_error is None
    assert loss.term_weights["style"] == style


def test_strength_0_has_no_style_and_1_no_content():
    none, alone = LossSettings(strength=0.0), LossSettings(strength=1.0)
    assert none.content_error is alone.content_error is None
    assert none.term_weights["style"] == 0 == alone.term_weights["content"]
    assert none.term_weights["content"] > 0 < alone.term_weights["style"]


def test_weights_that_were_found_are_not_looked_for_again():
    assert not OptimizeSettings(weight_changes=(0.0, 1.0, 4.0, 0.0)).searches
