"""Weights that change on the way, in whole runs."""

import dataclasses
import math

import numpy as np
import pytest

from nst_tf import InputError, OptimizeSettings, measure_loss, optimize_image
from tests.helpers import CONTENT, SMALL, STYLE
from tests.nst_tf.painting.test_tiled_runs import in_tiles

WEIGHTS = (1.0, 100.0, 5.0)
CHANGED = dataclasses.replace(SMALL, weight_changes=(0, *WEIGHTS))


@pytest.mark.usefixtures("random_vgg")
def test_changed_weights_act_at_the_next_evaluation():
    seen = {}
    for name, changes in (
        ("same", (0, *WEIGHTS)),
        ("changed", (0, *WEIGHTS, 5, 2.0, 300.0, 0.0)),
    ):
        seen[name] = []
        optimize_image(
            CONTENT,
            STYLE,
            dataclasses.replace(SMALL, weight_changes=changes),
            observer=seen[name].append,
        )
    same, changed = ([s.loss for s in seen[name]] for name in ("same", "changed"))
    assert changed[:5] == same[:5]
    # Evaluation 6 looks at the same picture in both.
    assert changed[5].content == pytest.approx(2 * same[5].content)
    assert changed[5].style == pytest.approx(3 * same[5].style)
    assert changed[5].tv == 0 < same[5].tv
    assert changed[-1].total < changed[5].total


@pytest.mark.usefixtures("random_vgg")
@pytest.mark.parametrize("first", [(), (0, *WEIGHTS)])
def test_a_picture_is_measured_by_the_weights_that_acted(first):
    changes = (*first, SMALL.steps, 2.0, 300.0, 0.0)
    settings = dataclasses.replace(SMALL, weight_changes=changes)
    result = optimize_image(CONTENT, STYLE, settings)
    given = tuple(SMALL.loss.term_weights.values())
    assert result.settings.weight_changes == (0, *(first[1:] or given))
    found = measure_loss(result.pixels, CONTENT, STYLE, result.settings)
    assert found.total < result.loss.total


def test_weights_are_as_many_as_there_are_terms(random_vgg):
    def observer(step):
        step.weigh(1.0, 2.0)

    with pytest.raises(InputError, match="needed, one each for content, style, tv"):
        optimize_image(CONTENT, STYLE, CHANGED, observer=observer)


def test_changes_after_no_number_of_evaluations_are_refused():
    with pytest.raises(InputError, match="in order, from 0; got inf after"):
        dataclasses.replace(SMALL, weight_changes=(0, *WEIGHTS, math.inf, *WEIGHTS))


@pytest.mark.usefixtures("random_vgg")
def test_total_variation_gets_weight_on_the_way():
    loss = dataclasses.replace(SMALL.loss, tv_weight=0.0)
    settings = dataclasses.replace(
        SMALL, loss=loss, steps=4, weight_changes=(0, 1, 100, 0, 2, 1, 100, 5)
    )
    seen = []
    result = optimize_image(CONTENT, STYLE, settings, observer=seen.append)
    assert seen[1].loss.tv == 0 < seen[2].loss.tv
    measured = measure_loss(result.pixels, CONTENT, STYLE, settings)
    # The weights at the end, on the picture after the last step.
    picture = 255 * result.pixels.astype("float64")
    steps = (np.diff(picture, axis=axis) for axis in (0, 1))
    assert measured.tv == pytest.approx(5 * sum(np.square(s).mean() for s in steps))


@pytest.mark.usefixtures("random_vgg")
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_a_run_that_was_steered_repeats_and_resumes_with_equal_bits(
    tmp_path, optimizer
):
    settings = dataclasses.replace(CHANGED, optimizer=optimizer)

    def steer(stop):
        def observe(step):
            if step.evaluation in (4, 8):
                step.weigh(1.0, 10.0 * step.evaluation, 0.0)
            return step.evaluation == stop

        return observe

    whole = optimize_image(CONTENT, STYLE, settings, observer=steer(None))
    expected = (0, *WEIGHTS, 4, 1, 40, 0, 8, 1, 80, 0)
    assert whole.settings.weight_changes == expected
    again = optimize_image(CONTENT, STYLE, whole.settings)
    np.testing.assert_array_equal(again.pixels, whole.pixels)
    path = tmp_path / "state.npz"
    optimize_image(CONTENT, STYLE, settings, observer=steer(6), checkpoint=path)
    resumed = optimize_image(
        CONTENT, STYLE, settings, observer=steer(None), checkpoint=path, resume=True
    )
    np.testing.assert_array_equal(resumed.pixels, whole.pixels)
    assert resumed.settings == whole.settings


@pytest.mark.usefixtures("random_vgg")
@pytest.mark.parametrize("stop", [3, 6])  # Before it is steered, or after.
def test_a_run_of_fixed_weights_is_steered_as_long_as_there_is_a_page(tmp_path, stop):
    loss = dataclasses.replace(SMALL.loss, tv_weight=0.0)
    fixed = dataclasses.replace(SMALL, loss=loss, steps=10)
    live = dataclasses.replace(fixed, weight_changes=(0, 1, 100, 0))

    def steer(end):
        def observe(step):
            if step.evaluation == 5:
                step.weigh(1.0, 300.0, 5.0)
            return step.evaluation == end

        return observe

    whole = optimize_image(CONTENT, STYLE, live, observer=steer(None))
    expected = (0, 1, 100, 0, 5, 1, 300, 5)
    assert whole.settings.weight_changes == expected
    path = tmp_path / "state.npz"
    begun, ended = (fixed, live) if stop < 5 else (live, fixed)
    optimize_image(CONTENT, STYLE, begun, observer=steer(stop), checkpoint=path)
    resumed = optimize_image(
        *(CONTENT, STYLE, ended), observer=steer(None), checkpoint=path, resume=True
    )
    assert resumed.settings.weight_changes == expected
    np.testing.assert_allclose(resumed.pixels, whole.pixels, atol=1e-4)


@pytest.mark.usefixtures("random_vgg")
def test_in_tiles_weights_change_and_colours_stay_too(monkeypatch):
    settings = dataclasses.replace(
        SMALL, weight_changes=(0, *WEIGHTS, 3, 2, 300, 9), steps=6, color="luminance"
    )
    runs = []
    for tile in (None, 32):
        seen = []
        if tile:
            in_tiles(monkeypatch, tile)
        result = optimize_image(CONTENT, STYLE, settings, observer=seen.append)
        losses = [list(step.loss.flat().values()) for step in seen]
        runs.append((losses, result.pixels))
    np.testing.assert_allclose(runs[1][0], runs[0][0], rtol=1e-3)
    assert np.abs(runs[1][1] - runs[0][1]).mean() < 1e-3


@pytest.mark.usefixtures("random_vgg")
def test_weights_of_other_runs_stay():
    with pytest.raises(InputError, match="no weight_changes"):
        optimize_image(CONTENT, STYLE, SMALL, observer=lambda step: step.weigh(1, 1, 1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ((0.0, 1.0, 1.0), "four numbers a change, got 3"),
        ((5.0, 1, 1, 1, 4.0, 1, 1, 1), "in order, from 0; got 4 after 5"),
        ((0.5, 1, 1, 1), "in order"),
        ((0.0, -1, 1, 1), "the content weight must be at least 0, got -1"),
        ((0.0, 0, 0, 1), "content and style can't both weigh 0"),
    ],
)
def test_changes_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        OptimizeSettings(weight_changes=changes)
