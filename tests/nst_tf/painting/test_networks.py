"""Runs that look through lite first, and through VGG-19 for their last fifth."""

import dataclasses

import numpy as np
import pytest

from nst_tf import ExtractorSettings, InputError, measure_loss, optimize_image
from nst_tf.imaging.metadata import read_settings
from nst_tf.painting.schedule import plan_passes
from nst_tf.painting.workshop import Workshop
from tests.helpers import CONTENT, SLOW, STYLE, Steps, changed

LITE, VGG, BOTH = (
    ExtractorSettings(network=name) for name in ("lite", "vgg19", "lite-vgg19")
)
SETTINGS = changed(steps=10, extractor=BOTH)

pytestmark = pytest.mark.usefixtures("random_vgg")


class Pictures(Steps):
    """An observer that keeps the picture after every step, too."""

    def __init__(self, stop=float("inf")):
        super().__init__(stop)
        self.pictures = []

    def __call__(self, step):
        self.pictures.append(step.image())
        return super().__call__(step)


def through(extractor):
    """Return the settings with one network alone."""
    return dataclasses.replace(SETTINGS, extractor=extractor)


@pytest.mark.parametrize("steps", [1, 2, 10, 11, 12])
def test_the_last_fifth_of_the_evaluations_rounded_up_is_vgg(steps):
    settings = changed(steps=steps, extractor=BOTH)
    passes = plan_passes((56, 40), [(48, 48)], settings)
    last = -(-steps // 5)
    expected = [("lite", steps - last, True), ("vgg19", last, False)]
    assert [(x.network, x.steps, x.joined) for x in passes] == [
        part for part in expected if part[1]
    ]


def test_all_but_the_end_of_the_final_size_is_lite():
    settings = changed(
        size=160,
        scales=2,
        steps=20,
        coarse_steps=10,
        schedule="deep-last=6,0.5",
        extractor=BOTH,
    )
    deep = dataclasses.replace(
        settings.loss,
        style_layers=("block1_conv1", "block2_conv1", "block3_conv1"),
    )
    settings = dataclasses.replace(settings, loss=deep)
    passes = plan_passes((160, 128), [(48, 48)], settings)
    assert [(x.picture.width, x.depth, x.network, x.steps) for x in passes] == [
        (80, "shallow", "lite", 6),
        (80, "whole", "lite", 10),
        (160, "shallow", "lite", 6),
        (160, "middle", "lite", 10),
        (160, "whole", "lite", 6),
        (160, "whole", "vgg19", 4),
    ]
    assert [x.joined for x in passes] == [False, False, False, True, True, False]


def test_what_a_resumed_run_leaves_in_a_workshop_is_no_other_run_s(tmp_path):
    state, settings = tmp_path / "state.npz", SETTINGS
    wanted = optimize_image(CONTENT, STYLE, settings)
    stopped = Steps(9)
    optimize_image(CONTENT, STYLE, settings, observer=stopped, checkpoint=state)
    workshop = Workshop()
    for given in ({"checkpoint": state, "resume": True}, {}, {}):
        found = optimize_image(CONTENT, STYLE, settings, workshop=workshop, **given)
        np.testing.assert_array_equal(found.pixels, wanted.pixels)
        assert found.loss == wanted.loss


@pytest.mark.parametrize("extractor", [LITE, VGG])
def test_one_network_alone_has_one_pass(extractor):
    (only,) = plan_passes((56, 40), [(48, 48)], through(extractor))
    assert (only.network, only.steps) == (extractor.network, 10)


def test_every_evaluation_is_the_loss_in_the_network_of_its_pass():
    seen = Pictures()
    optimize_image(CONTENT, STYLE, SETTINGS, observer=seen)
    assert [step.stage for step in seen] == [0] * 8 + [1] * 2
    assert [step.evaluation for step in seen] == list(range(1, 11))
    for step, picture, extractor, other in (
        (seen[1], seen.pictures[0], LITE, VGG),
        (seen[8], seen.pictures[7], VGG, LITE),
    ):
        measured, unlike = (
            measure_loss(picture, CONTENT, STYLE, through(x))
            for x in (extractor, other)
        )
        assert step.loss.total == pytest.approx(measured.total, rel=1e-4)
        assert abs(step.loss.total - unlike.total) > 0.1 * unlike.total


def test_until_the_switch_the_run_is_that_of_lite_and_then_the_loss_of_vgg_falls():
    both, lite = Pictures(), Pictures()
    result = optimize_image(CONTENT, STYLE, SETTINGS, observer=both)
    eight = dataclasses.replace(through(LITE), steps=8)
    optimize_image(CONTENT, STYLE, eight, observer=lite)
    for one, other in zip(both.pictures, lite.pictures, strict=False):
        np.testing.assert_array_equal(one, other)
    before, after = (
        measure_loss(pixels, CONTENT, STYLE, through(VGG)).total
        for pixels in (lite.pictures[-1], result.pixels)
    )
    assert after < before
    assert measure_loss(result.pixels, CONTENT, STYLE, SETTINGS).total == pytest.approx(
        after
    )


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize(
    "stop", [pytest.param(3, marks=SLOW), 8, pytest.param(9, marks=SLOW)]
)
def test_a_run_resumed_in_either_network_has_the_bits_of_an_unbroken_one(
    tmp_path, optimizer, stop
):
    settings = dataclasses.replace(SETTINGS, optimizer=optimizer)
    whole = optimize_image(CONTENT, STYLE, settings)
    path, again = tmp_path / "state.npz", Steps()
    optimize_image(CONTENT, STYLE, settings, observer=Steps(stop), checkpoint=path)
    second = optimize_image(
        CONTENT, STYLE, settings, observer=again, checkpoint=path, resume=True
    )
    assert [step.evaluation for step in again] == list(range(stop + 1, 11))
    np.testing.assert_array_equal(second.pixels, whole.pixels)
    assert second.loss == whole.loss


def test_the_state_of_another_network_is_refused(tmp_path):
    path = tmp_path / "state.npz"
    optimize_image(CONTENT, STYLE, SETTINGS, observer=Steps(2), checkpoint=path)
    with pytest.raises(
        InputError,
        match=r"settings\.extractor\.network \(there lite-vgg19, now vgg19\)",
    ):
        optimize_image(CONTENT, STYLE, through(VGG), checkpoint=path, resume=True)


def test_broken_weights_of_the_last_network_are_an_error_before_the_first_step(
    tmp_path, monkeypatch
):
    path = tmp_path / "vgg19.h5"
    path.write_text("no weights")
    monkeypatch.setenv("NST_VGG19_WEIGHTS", str(path))
    steps = Steps()
    with pytest.raises(InputError, match=r"vgg19\.h5 is not a readable HDF5 file"):
        optimize_image(CONTENT, STYLE, SETTINGS, observer=steps)
    assert not steps


def test_weights_that_lite_was_not_made_from_are_used_alone():
    steps = Steps()
    result = optimize_image(
        CONTENT, STYLE, through(ExtractorSettings()), observer=steps
    )
    assert result.settings.extractor.network == "vgg19"
    assert {step.stage for step in steps} == {0}


def test_the_metadata_names_the_network_and_like_repeats_the_picture(
    bare, pair, tmp_path, capsys
):
    from nst_tf.cli import main
    from nst_tf.imaging.read import load_image

    first, again = tmp_path / "first.png", tmp_path / "again.png"
    command = ["optimize", *map(str, pair), "--scales", "1", "--steps", "3"]
    command += ["--schedule", "whole"]
    assert main([*command, "--size", "56", "-o", str(first)]) == 0
    said = capsys.readouterr().err
    assert "loss network: lite, made from VGG-19, which is not here" in said
    assert read_settings(first)["settings"]["extractor"]["network"] == "lite"
    command = ["optimize", *map(str, pair), "-o", str(again), "--like", str(first)]
    assert main(command) == 0
    assert "loss network" not in capsys.readouterr().err
    np.testing.assert_array_equal(load_image(again).pixels, load_image(first).pixels)
