"""The content budget: weights of styles follow their content errors."""

import numpy as np
import pytest
from keras import ops

from nst_training.budget import ContentBudget


def factors(budget, count):
    return ops.convert_to_numpy(budget(np.eye(count, dtype="float32")))


def test_each_style_meets_its_own_error():
    """The errors are those of a made-up painting: a power of its factor."""
    budget = ContentBudget([0.5, 0.8])
    for step in range(3000):
        style = step % 2
        mix = np.eye(2, dtype="float32")[[style]]
        bold = (1.6, 0.4)[style]
        error = bold * factors(budget, 2)[style] ** 0.45
        budget.update(mix, np.asarray([error], "float32"))
    expected = [(0.5 / 1.6) ** (1 / 0.45), (0.8 / 0.4) ** (1 / 0.45)]
    assert factors(budget, 2) == pytest.approx(expected, rel=0.05)
    told = budget.told()
    assert told["content_errors"] == pytest.approx([0.5, 0.8], rel=0.05)
    assert told["style_factors"] == pytest.approx(expected, rel=0.05)


def test_a_mix_has_the_geometric_mean_and_moves_both_by_their_share():
    budget = ContentBudget([0.5, 0.5], [4.0, 1.0])
    mix = np.asarray([[0.5, 0.5]], "float32")
    assert ops.convert_to_numpy(budget(mix)) == pytest.approx([2.0])
    before = np.log(factors(budget, 2))
    budget.update(np.asarray([[0.75, 0.25]], "float32"), np.asarray([1.0], "float32"))
    moved = np.log(factors(budget, 2)) - before
    assert moved[0] == pytest.approx(3 * moved[1], rel=1e-3)
    assert moved[0] < 0


def test_examples_of_no_style_change_nothing():
    budget = ContentBudget([0.5], [2.0])
    budget.update(np.zeros((3, 1), "float32"), np.full(3, 9.0, "float32"))
    assert factors(budget, 1) == pytest.approx([2.0])
    assert budget.told()["content_errors"] == [0.0]
