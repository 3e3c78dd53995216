"""Strength as a content budget."""

import itertools

import pytest

from nst_tf.settings.budget import DEFAULT_STRENGTH, content_target, strength_of
from nst_tf.settings.checks import InputError


def test_the_photograph_keeps_all_at_strength_0_and_about_half_by_default() -> None:
    assert content_target(0.0) == 0.0
    assert content_target(DEFAULT_STRENGTH) == pytest.approx(0.45)
    assert content_target(1.0) > 1.0


def test_more_strength_takes_more() -> None:
    errors = [content_target(step / 100) for step in range(101)]
    assert all(a < b for a, b in itertools.pairwise(errors))


def test_errors_between_two_of_the_table_lie_on_a_line() -> None:
    middle = (content_target(0.3) + content_target(0.5)) / 2
    assert content_target(0.4) == pytest.approx(middle)


@pytest.mark.parametrize("strength", [-0.1, 1.01, float("nan")])
def test_a_strength_out_of_range_is_refused(strength: float) -> None:
    with pytest.raises(InputError, match=r"strength must be in 0\.\.1"):
        content_target(strength)


@pytest.mark.parametrize("strength", [0.0, 0.1, 0.3, 0.45, 0.5, 0.8, 1.0])
def test_a_content_error_has_the_strength_that_makes_it(strength: float) -> None:
    assert strength_of(content_target(strength)) == pytest.approx(strength)


def test_no_content_error_asks_for_more_than_style_alone() -> None:
    assert strength_of(7.0) == 1.0
