"""Recipes: what they may say, and how they are refused."""

import math
from pathlib import Path

import pytest

from nst_tf import InputError
from nst_tf.settings.loss import LossSettings
from nst_tf.settings.recipe_file import read_recipe
from nst_tf.settings.train import StyleSettings, TrainSettings

GOOD = """
name = "two"
width = 0.5
steps = 100

[[styles]]
name = "night"
image = "night.jpg"
credit = "Vincent van Gogh, 1889"

[[styles]]
name = "wave"
image = "${NST_TEST_PAINTINGS:-elsewhere}/wave.jpg"
strength = 2

[loss]
style_weight = 50
"""


def write(tmp_path, text):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return path


def test_a_recipe_is_read(tmp_path, monkeypatch):
    monkeypatch.delenv("NST_TEST_PAINTINGS", raising=False)
    settings = read_recipe(write(tmp_path, GOOD))
    assert [style.name for style in settings.styles] == ["night", "wave"]
    assert settings.styles[0].image == tmp_path / "night.jpg"
    assert settings.styles[1].image == tmp_path / "elsewhere" / "wave.jpg"
    assert settings.styles[1].strength == 2.0
    assert read_recipe(str(tmp_path / "recipe.toml")) == settings
    assert StyleSettings(name="night", image="night.jpg").image == Path("night.jpg")
    assert settings.loss.style_weight == 50.0
    # What the table does not name is as in training, not as in optimisation.
    assert settings.loss.convention == "relative"
    assert settings.width == 0.5
    assert settings.batch == TrainSettings(styles=settings.styles).batch
    assert settings.network().styles == 2


def test_variables_in_paths_are_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("NST_TEST_PAINTINGS", "/art")
    settings = read_recipe(write(tmp_path, GOOD))
    assert settings.styles[1].image == Path("/art/wave.jpg")


def test_changes_take_the_place_of_the_files_values(tmp_path):
    assert read_recipe(write(tmp_path, GOOD), steps=7).steps == 7


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    bad = GOOD.replace("steps = 100", 'stepz = 100\nbatch = "four"')
    bad = bad.replace('image = "night.jpg"\n', "").replace(
        "style_weight", "style_wight"
    )
    with pytest.raises(InputError) as caught:
        read_recipe(write(tmp_path, bad))
    said = str(caught.value)
    assert "no key stepz; did you mean steps?" in said
    assert "batch must be int, got 'four'" in said
    assert "styles[0].image is missing" in said
    assert "no key loss.style_wight; did you mean style_weight?" in said


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 30}, "size must be at least 32"),
        ({"name": "../other"}, r"becomes a file's name, which '\.\./other' can't be"),
        ({"loss": LossSettings(strength=0.3)}, "in training a content budget says"),
        ({"size": 34}, "multiple of 4"),
        ({"learning_rate": 0.0}, "learning_rate must exceed 0"),
        ({"ema": 1.0}, "ema must be in"),
        ({"mix": 1.4}, "mix must be in"),
        ({"styles": ()}, "at least one"),
        ({"width": 9.0}, "width must be in"),
        ({"clip": -1.0}, "clip must be at least 0"),
        ({"clip": math.inf}, "clip must be a finite number"),
        ({"seed": 2**32}, r"seed must be in 0\.\.4294967295"),
        ({"name": 3}, "name must be text"),
        ({"loss": {}}, "loss must be LossSettings"),
        ({"extractor": "vgg19"}, "extractor must be ExtractorSettings"),
        ({"styles": ("a.jpg",)}, "styles must be a tuple of StyleSettings"),
    ],
)
def test_values_out_of_range_are_refused(values, message):
    style = StyleSettings(name="a", image=Path("a.jpg"))
    with pytest.raises(InputError, match=message):
        TrainSettings(**{"styles": (style,), **values})


def test_style_names_are_checked():
    bad = (
        StyleSettings(name="A b", image=Path("a.jpg")),
        StyleSettings(name="A b", image=Path("b.jpg"), strength=0.0),
    )
    with pytest.raises(InputError, match=r"a-z.*must exceed 0.*one name"):
        TrainSettings(styles=bad)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 0}, "size of a must be at least 16"),
        ({"size": "64"}, "size must be a whole number"),
        ({"strength": "1"}, "strength must be a number"),
        ({"name": 3}, "name must be text"),
        ({"image": None}, "image must be the name of a file"),
    ],
)
def test_styles_that_can_not_be_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        TrainSettings(
            styles=(StyleSettings(**{"name": "a", "image": "a.jpg"} | values),)
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps = ", "can't read the recipe"),
        ('styles = "night"', "styles must be"),
        ("styles = [3]", r"styles\[0\] must be a table"),
    ],
)
def test_files_that_are_no_recipe_are_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_recipe(write(tmp_path, text))


def test_a_missing_recipe_is_named(tmp_path):
    with pytest.raises(InputError, match="there is no recipe"):
        read_recipe(tmp_path / "none.toml")
