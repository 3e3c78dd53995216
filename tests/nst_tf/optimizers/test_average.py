"""The moving average: what it holds after few steps and after many."""

import keras
import numpy as np
import pytest
from keras import ops

from nst_tf.optimizers.muon import Muon
from nst_tf.painting.optimizer import Adam, carry_moments
from tests.helpers import value


def averaged(optimizer, variable, steps):
    """Make steps; return the values after each, and the average at the end."""
    values = []
    for _ in range(steps):
        optimizer.apply([ops.ones(variable.shape)], [variable])
        values.append(value(variable))
    return np.array(values), value(optimizer._model_variables_moving_average[0])


@pytest.mark.parametrize("build", [Muon, Adam])
@pytest.mark.parametrize("steps", [1, 30, 400])
def test_it_is_that_of_the_last_values(build, steps):
    variable = keras.Variable(np.zeros((2, 3), "float32"))
    optimizer = build(0.1, use_ema=True, ema_momentum=0.999)
    values, found = averaged(optimizer, variable, steps)
    wanted = values[0]
    for index in range(1, steps):
        momentum = min(0.999, index / (index + 9))
        wanted = momentum * wanted + (1 - momentum) * values[index]
    np.testing.assert_allclose(found, wanted, rtol=1e-4)
    # From the first value to the last it has come nearly all of the way.
    assert abs(found - values[-1]).max() <= 0.15 * abs(values[-1] - values[0]).max()


def test_at_another_size_it_begins_anew_with_the_moments_of_before():
    small = keras.Variable(np.zeros((1, 2, 2, 3), "float32"))
    large = keras.Variable(np.zeros((1, 4, 4, 3), "float32"))
    before = Adam(0.1, use_ema=True, ema_momentum=0.9)
    averaged(before, small, 20)
    after = Adam(0.1, use_ema=True, ema_momentum=0.9)
    after.build([large])
    carry_moments(before, after)
    assert int(after.iterations) == 20
    values, found = averaged(after, large, 1)
    np.testing.assert_allclose(found, values[0], rtol=1e-6)
    # Steps of Adam under an even gradient are the rate, from the first on.
    np.testing.assert_allclose(values[0], -0.1, rtol=1e-3)
