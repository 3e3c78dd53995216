"""Weights that change on the way, as settings hold them."""

import pytest

from nst_tf import InputError, LossSettings, OptimizeSettings
from nst_tf.settings.codec import from_dict, to_dict
from nst_tf.settings.loss import REFERENCE_STYLE, TERMS
from nst_tf.settings.weight_changes import changed, records, weights_after

CHANGES = (0.0, 1.0, 100.0, 5.0, 4.0, 1.0, 40.0, 0.0)


def test_a_change_is_an_evaluation_and_a_weight_for_every_term():
    assert list(records(CHANGES)) == [
        (0.0, {"content": 1.0, "style": 100.0, "tv": 5.0}),
        (4.0, {"content": 1.0, "style": 40.0, "tv": 0.0}),
    ]
    assert OptimizeSettings(weight_changes=CHANGES).weight_changes == CHANGES


@pytest.mark.parametrize(("evaluations", "style"), [(0, 7.0), (2, 100.0), (9, 40.0)])
def test_the_last_change_before_an_evaluation_acts(evaluations, style):
    later = (1.0, *CHANGES[1:])
    given = dict.fromkeys(TERMS, 7.0)
    assert weights_after(later, evaluations, given)["style"] == style


def test_a_new_change_takes_the_place_of_those_planned_for_later():
    weights = {"tv": 3.0, "style": 2.0, "content": 1.0}
    assert changed(CHANGES, 3, weights) == (*CHANGES[:4], 3.0, 1.0, 2.0, 3.0)
    assert changed(CHANGES, 4, weights) == (*CHANGES[:4], 4.0, 1.0, 2.0, 3.0)
    assert changed(CHANGES, 5, weights) == (*CHANGES, 5.0, 1.0, 2.0, 3.0)


def test_every_term_has_its_weight_in_the_settings():
    assert TERMS == ("content", "style", "tv")
    loss = LossSettings(content_weight=2.0, style_weight=3.0, tv_weight=4.0)
    assert loss.term_weights == {"content": 2.0, "style": 3.0, "tv": 4.0}


def test_strength_is_a_budget_of_content_and_style():
    loss = LossSettings(strength=0.25, style_loss="wasserstein")
    weights = loss.term_weights
    assert weights["content"] == 1.5**2
    assert weights["style"] == REFERENCE_STYLE["wasserstein"] * 0.5**2


def test_changes_of_a_version_without_a_term_get_its_default_weight():
    settings = to_dict(OptimizeSettings(loss=LossSettings(tv_weight=0.0)))
    del settings["loss"]["tv_weight"]
    settings["weight_changes"] = [0.0, 1.0, 100.0, 4.0, 1.0, 40.0]
    usual = LossSettings().tv_weight
    expected = (0.0, 1.0, 100.0, usual, 4.0, 1.0, 40.0, usual)
    assert from_dict(settings).weight_changes == expected
    settings["weight_changes"].pop()
    with pytest.raises(InputError, match="needs four numbers a change, got 5"):
        from_dict(settings)
