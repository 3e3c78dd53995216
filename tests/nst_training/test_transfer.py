"""The training step: its terms are those of the loss, and of a moved photograph."""

import numpy as np
import pytest
from keras import ops

from nst_tf import MixedTargets, NetworkSettings, Objective, build_extractor
from nst_tf import build_network as build
from nst_tf.loss.tone import tone_loss
from nst_training.budget import ContentBudget
from nst_training.transfer import NetworkTransfer
from tests.helpers import SMALL_LOSS, scene

MIXES = np.asarray([[0, 1, 0], [0, 0.4, 0.6]], "float32")


@pytest.fixture
def step(random_vgg):
    objective = Objective(build_extractor(SMALL_LOSS.layers), SMALL_LOSS)
    paintings = [scene(40, 36, seed=7), scene(36, 40, seed=8)]
    targets = MixedTargets(objective, paintings)
    network = build(NetworkSettings(styles=2, width=0.125))
    budget = ContentBudget([0.5, 0.5])
    return NetworkTransfer(network, objective, targets, budget, temporal_weight=7.0)


def inputs(motion):
    photos = np.stack([scene(32, 40, seed=k) for k in range(2)])
    motions = np.tile(np.asarray(motion, "float32"), (2, 1))
    return {"image": photos, "style": MIXES, "again": photos, "motion": motions}


def test_a_copy_that_did_not_move_has_no_temporal_term(step):
    given = inputs([1, 0, 0, 0, 1, 0])
    picture = step(given)
    parts = step.judge(given, picture, training=False)
    assert float(parts.temporal) == pytest.approx(0.0, abs=1e-9)
    del given["again"]
    alone = step.judge(given, picture, training=False)
    assert float(alone.total) == pytest.approx(float(parts.total), rel=1e-6)


def test_a_picture_that_does_not_move_along_costs_its_square(step):
    given = inputs([1, 0, 2, 0, 1, 0])  # Two columns; the copy itself stays.
    picture = step(given)
    parts = step.judge(given, picture, training=False)
    pixels = ops.convert_to_numpy(picture)
    expected = 7.0 * ((pixels[:, :, 2:] - pixels[:, :, :-2]) ** 2).mean()
    assert float(parts.temporal) == pytest.approx(expected, rel=1e-4)


def test_the_budget_weighs_styles_and_learns_in_training_alone(step):
    given = inputs([1, 0, 0, 0, 1, 0])
    picture = step(given)
    before = step.judge(given, picture, training=False)
    assert step.budget.told()["style_factors"] == [1.0, 1.0]
    step.budget.weights_log.assign(np.log([4.0, 4.0]))
    heavier = step.judge(given, picture, training=False)
    assert float(heavier.style) == pytest.approx(4 * float(before.style), rel=1e-5)
    step.judge(given, picture, training=True)
    assert step.budget.told()["content_errors"] != [0.0, 0.0]


def test_the_tone_term_is_told_and_added(step):
    given = inputs([1, 0, 0, 0, 1, 0])
    picture = step(given)
    without = step.judge(given, picture, training=False)
    assert float(without.tone) == 0.0
    step.tone_weight = 3.0
    parts = step.judge(given, picture, training=False)
    expected = 3.0 * float(ops.mean(tone_loss(picture, given["image"])))
    assert float(parts.tone) == pytest.approx(expected, rel=1e-5)
    assert float(parts.total) == pytest.approx(
        float(without.total) + expected, rel=1e-5
    )
