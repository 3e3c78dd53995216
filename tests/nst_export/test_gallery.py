"""The gallery that ships: the file is the trained network, and it paints."""

import functools
import itertools
import json

import numpy as np

from nst_export.formats.litert import open_tiles
from nst_export.runtime.mix import mix_weights
from nst_export.runtime.stylizer import bundled
from nst_export.verify import Sample, verify
from nst_tf.cli import main
from nst_tf.imaging.scene import landscape
from nst_tf.network.trained import load_model
from nst_training.artefacts import measure_artefacts
from nst_training.settings import read_recipe
from tests.helpers import ROOT, scene

MODEL = ROOT / "training" / "models" / "gallery"
RECIPE = ROOT / "training" / "recipes" / "gallery.toml"


def test_the_bundled_file_is_the_trained_network():
    model = load_model(MODEL)
    photo = scene(96, 128, seed=4)
    rows = [list(row) for row in np.eye(len(model.styles) + 1)]
    samples = [Sample(photo, row, model(photo, row)) for row in rows]
    tiles = bundled().with_name("gallery-tiles.tflite")
    opened = functools.partial(open_tiles, tiles)
    for found, least in (
        (verify(bundled(), samples, kind="int8"), 38),  # What eyes don't see.
        (verify(tiles, samples, kind="int8", opened=opened), 38),
    ):
        assert found["psnr"] >= least
        assert found["flex"] == found["not_on_gpu"] == []
        assert found["xnnpack_partitions"] == 1


def test_it_has_the_styles_of_its_recipe_with_credits(stylizer, capsys):
    recipe = read_recipe(RECIPE)
    assert len(stylizer.styles) >= 12
    assert stylizer.styles == [style.name for style in recipe.styles]
    assert stylizer.styles == load_model(MODEL).styles
    for style in stylizer.card["styles"]:
        assert style["credit"]
        assert style["licence"] == "public domain"
    assert main(["styles", "--names"]) == 0
    assert capsys.readouterr().out.split() == stylizer.styles


def test_every_style_is_another_and_leaves_the_photograph_recognisable(stylizer):
    photo = landscape(160, 240)
    pictures = {
        name: stylizer(photo, mix_weights(stylizer.styles, {name: 1.0}))
        for name in stylizer.styles
    }
    for one, other in itertools.combinations(pictures.values(), 2):
        assert np.abs(one - other).mean() > 0.03
    grey = photo.mean(-1)
    for name, picture in pictures.items():
        assert np.abs(picture - photo).mean() > 0.05, name
        likeness = np.corrcoef(grey.ravel(), picture.mean(-1).ravel())[0, 1]
        assert likeness > 0.4, name
        faults = measure_artefacts(picture, photo, photo)
        assert faults.saturated < 0.05, name
        assert faults.dead < 0.05, name


def test_strength_and_blends_lie_between(stylizer):
    photo = scene(96, 128, seed=4)
    one, other = stylizer.styles[:2]

    def paint(mix, strength=1.0):
        return stylizer(photo, mix_weights(stylizer.styles, mix, strength=strength))

    def distance(a, b):
        return float(np.abs(a - b).mean())

    whole, none = paint({one: 1.0}), paint({one: 1.0}, 0.0)
    np.testing.assert_allclose(none, photo, atol=1e-6)
    half = paint({one: 1.0}, 0.5)
    assert 0.2 < distance(half, photo) / distance(whole, photo) < 0.9
    # No double exposure.
    assert distance(half, (photo + whole) / 2) > 0.01
    blend, second = paint({one: 1.0, other: 1.0}), paint({other: 1.0})
    assert distance(blend, whole) < distance(second, whole)
    assert distance(blend, second) < distance(second, whole)


def test_beyond_the_whole_style_the_painting_takes_more_of_the_photograph(stylizer):
    photo = landscape(180, 240)
    grey = photo.mean(-1).ravel()
    for style in stylizer.styles:
        whole, bold = (
            stylizer(photo, mix_weights(stylizer.styles, {style: 1}, strength=strength))
            for strength in (1, 1.5)
        )
        moved, further = (np.abs(x - photo).mean() for x in (whole, bold))
        assert further > 1.1 * moved, style
        assert np.corrcoef(grey, bold.mean(-1).ravel())[0, 1] > 0.3, style


def test_the_scorecard_ships_with_it():
    card = json.loads((MODEL / "scorecard.json").read_text())
    assert set(card["styles"]) == set(load_model(MODEL).styles)
    assert len(card["pictures"]) == 12 * len({p["photo"] for p in card["pictures"]})
