"""A strength as a content budget, in whole runs on the network that ships."""

import dataclasses

import numpy as np
import pytest
from keras import ops

from nst_tf import (
    ExtractorSettings,
    LossSettings,
    build_extractor,
    optimize_image,
)
from nst_tf.imaging.guides import from_masks
from nst_tf.imaging.resize import resize
from nst_tf.painting.workshop import Workshop
from nst_tf.settings.budget import content_target
from tests.helpers import SLOW, Steps, changed, scene

LITE = ExtractorSettings(network="lite")
CONTENT = scene(48, 64, seed=1)
STYLE = np.random.default_rng(5).random((12, 12, 3)).repeat(4, 0).repeat(4, 1)
STYLE = STYLE.astype("float32")  # Patches of any colour: a bold painting.
LAYERS = ("block1_conv1", "block2_conv1", "block3_conv1")


def lossy(strength, **values):
    loss = LossSettings(strength=strength, style_layers=LAYERS, **values)
    return changed(size=64, steps=50, history=8, loss=loss, extractor=LITE)


def error_of(pixels, photo):
    """Return the content error by its formula."""
    network = build_extractor(("block4_conv2",), settings=LITE)
    seen, target = (
        ops.convert_to_numpy(network(x[None])["block4_conv2"]).astype("float64")
        for x in (pixels, photo)
    )
    return np.square(seen - target).sum() / np.square(target).sum()


def test_two_strengths_end_at_their_content_errors_and_more_is_nearer_the_style():
    styles = []
    for strength in (0.3, 0.6):
        steps = Steps()
        result = optimize_image(CONTENT, STYLE, lossy(strength), observer=steps)
        goal = content_target(strength)
        assert error_of(result.pixels, CONTENT) == pytest.approx(goal, rel=0.25)
        weights = [step.weights[1] for step in steps]
        assert len(set(weights)) > 1
        assert len(set(weights[34:])) == 1  # It stays for the last third.
        styles.append(result.loss.style / weights[-1])
    assert styles[1] < 0.8 * styles[0]


@pytest.mark.parametrize(
    "values",
    [
        {"content_layers": ("block2_conv2",)},
        {"style_loss": "mean-variance"},
        {"style_loss": "wasserstein"},
    ],
)
def test_the_error_is_that_of_block_4_whatever_the_layers_and_the_style_loss(values):
    settings = dataclasses.replace(lossy(0.5, **values), steps=50)
    result = optimize_image(CONTENT, STYLE, settings)
    assert error_of(result.pixels, CONTENT) == pytest.approx(0.45, rel=0.25)


def test_under_a_mask_the_error_is_that_of_the_part():
    mask = np.zeros((48, 64), "float32")
    mask[:, 32:] = 1.0
    regions = from_masks((64, 48), [(48, 48)], [mask])
    result = optimize_image(CONTENT, STYLE, lossy(0.5), regions=regions)
    assert error_of(result.pixels, CONTENT) == pytest.approx(0.45 / 2, rel=0.25)


@pytest.mark.parametrize("stop", [7, pytest.param(15, marks=SLOW)])
def test_a_search_resumes_and_repeats_with_equal_bits(tmp_path, stop):
    settings = dataclasses.replace(lossy(0.5), steps=18)
    whole = optimize_image(CONTENT, STYLE, settings)
    path = tmp_path / "state.npz"
    optimize_image(CONTENT, STYLE, settings, observer=Steps(stop), checkpoint=path)
    resumed = optimize_image(CONTENT, STYLE, settings, checkpoint=path, resume=True)
    np.testing.assert_array_equal(resumed.pixels, whole.pixels)
    assert resumed.settings == whole.settings
    assert not whole.settings.searches  # It has what was found.
    again = optimize_image(CONTENT, STYLE, whole.settings)
    np.testing.assert_array_equal(again.pixels, whole.pixels)


def test_weights_given_on_the_way_end_the_search():
    def steer(step):
        if step.evaluation == 5:
            step.weigh(1.0, 3.0, 0.0)

    settings = dataclasses.replace(lossy(0.5), steps=18)
    result = optimize_image(CONTENT, STYLE, settings, observer=steer)
    assert result.settings.weight_changes[-4:] == (5.0, 1.0, 3.0, 0.0)


def test_a_workshop_changes_no_bit_and_builds_once():
    workshop, settings = Workshop(), dataclasses.replace(lossy(0.5), steps=14)
    for photo in (CONTENT, resize(scene(40, 40, seed=3), 64, 48)):
        alone = optimize_image(photo, STYLE, settings).pixels
        shared = optimize_image(photo, STYLE, settings, workshop=workshop).pixels
        np.testing.assert_array_equal(shared, alone)
    assert len(workshop.extractors) == 1
