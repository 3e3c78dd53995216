"""The passes of a run: scales, shallow layers first, the deepest last."""

import dataclasses

import numpy as np
import pytest

from nst_tf import (
    RECIPES,
    InputError,
    LossSettings,
    OptimizeSettings,
    measure_loss,
    optimize_image,
)
from nst_tf.painting.schedule import plan_passes
from tests.helpers import CONTENT, SLOW, SMALL, STYLE, Steps, changed, scene

pytestmark = pytest.mark.usefixtures("random_vgg")


def assert_parts(found, expected):
    assert list(found.flat()) == list(expected.flat())
    values = [list(parts.flat().values()) for parts in (found, expected)]
    np.testing.assert_allclose(*values, rtol=1e-4)


def resumed(path, settings, stop):
    """Stop a run after some steps, keep its state in `path`, and end it from there."""
    optimize_image(CONTENT, STYLE, settings, observer=Steps(stop), checkpoint=path)
    return optimize_image(CONTENT, STYLE, settings, checkpoint=path, resume=True)


@pytest.mark.parametrize(
    "stop", [pytest.param(3, marks=SLOW), 6, pytest.param(8, marks=SLOW)]
)
def test_it_resumes_within_the_shallow_stages_too(tmp_path, stop):
    settings = changed(schedule="shallow-first=6", steps=4)
    whole = optimize_image(CONTENT, STYLE, settings)
    second = resumed(tmp_path / "state.npz", settings, stop)
    np.testing.assert_array_equal(second.pixels, whole.pixels)
    assert second.evaluations == 10


def test_the_shallow_layers_come_first_at_every_size():
    loss = dataclasses.replace(
        SMALL.loss, style_layers=("block3_conv1", "block1_conv1", "block2_conv1")
    )
    settings = changed(
        size=160,
        scales=2,
        schedule="shallow-first=3",
        steps=2,
        coarse_steps=2,
        loss=loss,
    )
    steps = Steps()
    optimize_image(scene(128, 160, seed=1), STYLE, settings, observer=steps)
    order = [(step.size.width, step.depth) for step in steps]
    coarse = [(80, "shallow")] * 3 + [(80, "whole")] * 2
    fine = [(160, "shallow")] * 3 + [(160, "whole")] * 2
    assert order == coarse + fine
    for step in steps:
        assert (step.loss.content == 0) == (step.depth == "shallow")


def test_the_shallow_loss_is_that_of_the_shallower_half():
    lambdas = (3.0, 1.0, 2.0)
    layers = ("block3_conv1", "block1_conv1", "block2_conv1")
    loss = dataclasses.replace(
        SMALL.loss, style_layers=layers, style_layer_weights=lambdas
    )
    steps = Steps()
    settings = changed(loss=loss, schedule="shallow-first=1", steps=1)
    optimize_image(CONTENT, STYLE, settings, observer=steps)
    alone = dataclasses.replace(
        SMALL.loss,
        content_weight=0.0,
        style_layers=("block1_conv1",),
        style_layer_weights=(1.0,),
    )
    expected = measure_loss(CONTENT, CONTENT, STYLE, changed(loss=alone))
    np.testing.assert_allclose(steps[0].loss.style, expected.style, rtol=1e-4)


DEEP = dataclasses.replace(
    SMALL.loss, style_layers=("block3_conv1", "block1_conv1", "block2_conv1")
)


@pytest.mark.parametrize(
    "stop", [pytest.param(3, marks=SLOW), 4, pytest.param(6, marks=SLOW)]
)
def test_the_deepest_style_layer_comes_last_and_the_run_resumes(tmp_path, stop):
    settings = changed(loss=DEEP, steps=8, schedule="deep-last=0,0.5", history=3)
    steps = Steps()
    whole = optimize_image(CONTENT, STYLE, settings, observer=steps)
    assert [step.depth for step in steps] == ["middle"] * 4 + ["whole"] * 4
    # The first loss is that of all but the deepest, the fifth all of it.
    lambdas = {"style_layers": DEEP.style_layers[1:], "style_layer_weights": (1.0, 1.0)}
    rest = dataclasses.replace(DEEP, **lambdas)
    expected = measure_loss(CONTENT, CONTENT, STYLE, changed(loss=rest))
    assert_parts(steps[0].loss, expected)
    again = Steps(4)
    four = optimize_image(CONTENT, STYLE, settings, observer=again)
    expected = measure_loss(four.pixels, CONTENT, STYLE, changed(loss=DEEP))
    assert_parts(steps[4].loss, expected)
    second = resumed(tmp_path / "state.npz", settings, stop)
    np.testing.assert_array_equal(second.pixels, whole.pixels)
    assert second.evaluations == 8


def test_the_deepest_layer_waits_only_where_it_makes_little_of_the_loss():
    def depths(settings):
        stages = plan_passes((512, 512), [(512, 512)], settings)
        return [(stage.depth, stage.steps) for stage in stages][-2:]

    notebook = LossSettings(convention="gatys-notebook")
    usual = OptimizeSettings(loss=notebook, steps=100)
    assert depths(usual) == [("middle", 80), ("whole", 20)]
    for loss in (
        dataclasses.replace(usual.loss, convention="ng-course"),
        dataclasses.replace(usual.loss, style_layer_ratio=2.0),
        dataclasses.replace(usual.loss, style_layers=("block1_conv1", "block5_conv1")),
    ):
        settings = dataclasses.replace(usual, loss=loss)
        assert depths(settings) == [("shallow", 30), ("whole", 100)]
    for loss in (LossSettings(), dataclasses.replace(usual.loss, strength=0.5)):
        settings = dataclasses.replace(usual, loss=loss)
        assert depths(settings)[-1:] == [("whole", 100)]
    assert depths(RECIPES["gatys"]) == [("whole", 500)]
    # Where the content layer is as deep, nothing would be saved.
    deep = dataclasses.replace(usual.loss, content_layers=("block5_conv2",))
    settings = dataclasses.replace(usual, loss=deep, schedule="deep-last=30,0.5")
    assert depths(settings) == [("shallow", 30), ("whole", 100)]


@pytest.mark.parametrize("share", ["-0.1", "1.0", "nan"])
def test_a_share_of_all_steps_is_refused(share):
    with pytest.raises(InputError, match="schedule must be"):
        changed(schedule=f"deep-last=30,{share}")


def test_coarse_scales_precede_the_final_one():
    settings = changed(size=512, scales=3, steps=7, coarse_steps=9)
    scales = plan_passes((1000, 500), [(300, 900)], settings)
    assert [tuple(s.picture) for s in scales] == [(128, 64), (256, 128), (512, 256)]
    assert [s.steps for s in scales] == [9, 9, 7]
    assert [max(*s.styles[0]) for s in scales] == [128, 256, 512]


def test_the_style_image_is_never_enlarged():
    settings = OptimizeSettings(size=512, scales=1, steps=1, schedule="whole")
    (scale,) = plan_passes((1000, 500), [(300, 200)], settings)
    assert tuple(scale.styles[0]) == (300, 200)


def test_the_short_side_can_be_chosen():
    settings = OptimizeSettings(
        size=512, side="short", scales=1, steps=1, schedule="whole"
    )
    (scale,) = plan_passes((1024, 768), [(1000, 800)], settings)
    assert tuple(scale.picture) == (683, 512)


def test_a_picture_too_narrow_for_the_network_is_refused():
    with pytest.raises(InputError, match=r"content image would be 64x5"):
        plan_passes((2000, 160), [(64, 64)], changed(size=64))
