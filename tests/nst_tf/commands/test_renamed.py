"""Flags of the version before: the same settings, with a hint."""

import pytest

from nst_tf import InputError
from nst_tf.commands.optimize import parse
from nst_tf.commands.renamed import renamed

FILES = ["photo.png", "painting.png", "-o", "out.png"]


@pytest.mark.parametrize(
    ("old", "schedule"),
    [
        (["--shallow-steps", "0"], "auto=0"),
        (["--shallow-steps=6", "--middle-share", "0"], "shallow-first=6"),
        (["--middle-share=0.5"], "deep-last=30,0.5"),
        (["--shallow_steps", "0", "--middle_share", "0"], "whole"),
        (["--shallow-steps", "30"], "auto"),
    ],
)
def test_old_flags_choose_the_schedule_that_they_stood_for(old, schedule, capsys):
    _, settings = parse([*FILES, *old])
    assert settings.schedule == schedule
    assert f"write --schedule {schedule}\n" in capsys.readouterr().err


def test_other_words_stay_as_they_are_without_a_word(capsys):
    assert renamed([*FILES, "--steps", "3"]) == [*FILES, "--steps", "3"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "old", [["--shallow-steps"], ["--middle-share", "1.5"], ["--shallow-steps", "x"]]
)
def test_old_flags_without_a_sense_are_refused(old):
    with pytest.raises(InputError, match=r"shallow|middle"):
        renamed([*FILES, *old])
