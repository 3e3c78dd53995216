"""Named schedules: what they mean, and what older settings are called now."""

import dataclasses

import pytest

from nst_tf import InputError, LossSettings, OptimizeSettings
from nst_tf.settings.codec import from_dict, to_dict
from nst_tf.settings.schedule import parse_schedule

USUAL = LossSettings(convention="gatys-notebook")
COURSE = dataclasses.replace(USUAL, convention="ng-course")


@pytest.mark.parametrize(
    ("text", "usual", "other"),
    [
        ("whole", (0, 0.0), (0, 0.0)),
        ("shallow-first", (30, 0.0), (30, 0.0)),
        ("shallow-first=6", (6, 0.0), (6, 0.0)),
        ("deep-last", (30, 0.8), (30, 0.8)),
        ("deep-last=0,0.5", (0, 0.5), (0, 0.5)),
        ("auto", (30, 0.8), (30, 0.0)),
        ("auto=4", (4, 0.8), (4, 0.0)),
    ],
)
def test_a_name_means_numbers_that_auto_takes_from_the_loss(text, usual, other):
    assert parse_schedule(text, USUAL) == usual
    assert parse_schedule(text, COURSE) == other


def test_a_relative_loss_counts_in_full_at_every_evaluation():
    for loss in (LossSettings(), dataclasses.replace(USUAL, strength=0.7)):
        assert parse_schedule("auto", loss) == (0, 0.0)
        assert parse_schedule("shallow-first", loss) == (30, 0.0)


@pytest.mark.parametrize(
    "text", ["", "all", "whole=3", "shallow-first=3,0.5", "deep-last=3,1", "auto=-1"]
)
def test_what_means_nothing_is_refused(text):
    with pytest.raises(InputError, match="schedule must be"):
        OptimizeSettings(schedule=text)


def test_pictures_of_the_version_before_keep_their_schedule():
    old = to_dict(OptimizeSettings())
    del old["schedule"]
    assert from_dict({**old, "shallow_steps": 30, "middle_share": None}) == (
        OptimizeSettings()
    )
    found = from_dict({**old, "shallow_steps": 0, "middle_share": 0.0})
    assert found.schedule == "whole"
