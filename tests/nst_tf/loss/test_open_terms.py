"""The table of terms and that of style losses: complete, and open to more."""

import dataclasses
import typing

import keras
import numpy as np
import pytest
from keras import ops

from nst_tf import LossParts, LossSettings, Objective, build_extractor
from nst_tf.loss import terms
from nst_tf.loss.style import term as style_term
from nst_tf.loss.style.statistic import StyleStatistic
from nst_tf.loss.tiled import TiledObjective
from nst_tf.settings.loss import TERMS, StyleLoss
from tests.helpers import SMALL, scene

PHOTO, PICTURE, PAINTING = (scene(40, 56, seed=k)[None] for k in (1, 2, 7))


def test_every_term_and_every_style_loss_of_the_settings_has_its_class():
    built = terms.build_terms(LossSettings())
    assert tuple(built) == TERMS
    assert [term.name for term in built.values()] == list(TERMS)
    names = typing.get_args(StyleLoss)
    assert set(style_term.STATISTICS) == set(names)


def test_the_total_is_the_sum_of_the_weighted_values_of_the_terms(random_vgg):
    given = {name: 1.0 + index for index, name in enumerate(TERMS)}
    loss = dataclasses.replace(
        SMALL.loss, **{f"{name}_weight": weight for name, weight in given.items()}
    )
    objective = Objective(build_extractor(loss.layers), loss)
    targets = objective.targets(PHOTO, PAINTING)
    parts = objective(ops.convert_to_tensor(PICTURE), targets)
    others = dict.fromkeys(TERMS, 3.0) | {"content": 2.0, "style": 0.5, "tv": 0.0}
    heavy = targets._replace(weights=np.array(list(others.values()), "float32"))
    changed = objective(ops.convert_to_tensor(PICTURE), heavy)
    assert tuple(parts.terms) == TERMS
    assert float(parts.total) == pytest.approx(sum(map(float, parts.terms.values())))
    for name, weight in others.items():
        value = float(parts.terms[name]) / given[name]
        assert value > 0
        assert float(changed.terms[name]) == pytest.approx(weight * value, rel=1e-5)


def test_parts_read_as_a_sum_of_the_terms_that_are_not_0():
    parts = LossParts(3.5, {"content": 1.0, "style": 2.5, "tv": 0.0})
    assert parts.text("{:g}".format) == "3.5 = content 1 + style 2.5"
    nothing = parts.map(lambda value: 0.0 * value)
    assert nothing.text("{:g}".format) == "0"


class Brightest(StyleStatistic):
    """The mean of features, with the largest of a style's channels beside it."""

    kinds = ("sum",)

    def sums(self, maps, mask):
        return {"sum": ops.sum(ops.cast(maps, "float32"), axis=(1, 2))[:, None]}

    def derived(self, moments):
        return {"largest": ops.max(moments["sum"], axis=-1)}

    def gap(self, moments, style):
        gap = ops.mean(ops.square(moments["sum"] - style["sum"]), axis=-1)
        return gap / style["largest"]


@pytest.mark.parametrize("tile", [None, 24])
def test_a_style_loss_is_one_class_and_one_line(random_vgg, monkeypatch, tile):
    monkeypatch.setitem(style_term.STATISTICS, "gram", Brightest)
    layers = ("block1_conv2", "block2_conv1")
    loss = LossSettings(
        convention="relative", content_layers=(), style_layers=layers, style_weight=1.0
    )
    extractor = build_extractor(layers)
    objective = Objective(extractor, loss)
    if tile:
        objective = TiledObjective(extractor, loss, tile=tile)
    targets = objective.targets(PHOTO, PAINTING)
    got = objective(ops.convert_to_tensor(PICTURE), targets).style
    expected = 0.0
    for name in layers:
        mine, style = (
            np.asarray(extractor(image)[name], "float64").mean((1, 2))[0]
            for image in (PICTURE, PAINTING)
        )
        expected += ((mine - style) ** 2).mean() / style.max() / 2
    assert float(got) == pytest.approx(expected, rel=1e-4)
    assert keras.backend.standardize_dtype(got.dtype) == "float32"
