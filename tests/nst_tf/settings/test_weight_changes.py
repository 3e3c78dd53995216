"""Weights that change on the way, as settings hold them."""

import pytest

from nst_tf import InputError, LossSettings, OptimizeSettings
from nst_tf.settings.codec import from_dict, to_dict
from nst_tf.settings.loss import TERMS
from nst_tf.settings.weight_changes import changed, records, weights_after

FIRST = {name: 1.0 + index for index, name in enumerate(TERMS)}
THEN = {name: 40.0 + index for index, name in enumerate(TERMS)}
CHANGES = (0.0, *FIRST.values(), 4.0, *THEN.values())
OLD = ("content", "style")
"""The terms of a version before total variation."""


def test_a_change_is_an_evaluation_and_a_weight_for_every_term():
    assert list(records(CHANGES)) == [(0.0, FIRST), (4.0, THEN)]
    assert OptimizeSettings(weight_changes=CHANGES).weight_changes == CHANGES


@pytest.mark.parametrize(
    ("evaluations", "weights"), [(0, dict.fromkeys(TERMS, 7.0)), (2, FIRST), (9, THEN)]
)
def test_the_last_change_before_an_evaluation_acts(evaluations, weights):
    later = (1.0, *CHANGES[1:])
    given = dict.fromkeys(TERMS, 7.0)
    assert weights_after(later, evaluations, given) == weights


def test_a_new_change_takes_the_place_of_those_planned_for_later():
    weights = {name: 9.0 + index for index, name in enumerate(TERMS)}
    mixed = dict(reversed(weights.items()))
    first, new = (0.0, *FIRST.values()), tuple(weights.values())
    assert changed(CHANGES, 3, mixed) == (*first, 3.0, *new)
    assert changed(CHANGES, 4, mixed) == (*first, 4.0, *new)
    assert changed(CHANGES, 5, mixed) == (*CHANGES, 5.0, *new)


def test_every_term_has_its_weight_in_the_settings():
    assert TERMS[:3] == ("content", "style", "tv")
    loss = LossSettings(**{f"{name}_weight": FIRST[name] for name in TERMS})
    assert loss.term_weights == FIRST


def older(changes):
    """Return settings of a version with the terms of `OLD`."""
    newer = [f"{name}_weight" for name in TERMS if name not in OLD]
    settings = to_dict(OptimizeSettings(loss=LossSettings(**dict.fromkeys(newer, 0.0))))
    for name in newer:
        del settings["loss"][name]
    return settings | {"weight_changes": changes}


def test_changes_of_a_version_without_a_term_get_its_default_weight():
    usual = [getattr(LossSettings(), f"{name}_weight") for name in TERMS[2:]]
    settings = older([0.0, 1.0, 100.0, 4.0, 1.0, 40.0])
    expected = (0.0, 1.0, 100.0, *usual, 4.0, 1.0, 40.0, *usual)
    assert from_dict(settings).weight_changes == expected


@pytest.mark.parametrize("count", [4, 5, 8])
def test_broken_changes_of_an_older_version_are_refused_by_its_own_width(count):
    said = f"do not fit this version: weight_changes needs three .*, got {count}"
    with pytest.raises(InputError, match=said):
        from_dict(older([0.0, *[1.0] * (count - 1)]))
