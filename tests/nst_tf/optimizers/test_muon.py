"""Muon against numpy: singular values, Adam's formula, Keras' state."""

import keras
import numpy as np
import pytest
from keras import ops

from nst_tf.optimizers.muon import Muon, orthogonalize
from tests.helpers import value

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(40, 8), (8, 40), (12, 12), (243, 3)])
def test_the_singular_values_are_brought_to_about_one(shape):
    left, _, right = np.linalg.svd(RNG.standard_normal(shape), full_matrices=False)
    values = np.geomspace(1, 0.05, min(shape))
    matrix = (1e3 * (left * values) @ right).astype("float32")
    got = value(orthogonalize(ops.convert_to_tensor(matrix)))
    found = np.linalg.svd(got, compute_uv=False)
    assert found.min() > 0.6
    assert found.max() < 1.3
    # The same bases: the result is as near to the polar factor as the values are to 1.
    assert np.linalg.norm(got - left @ right, 2) < 0.4


def test_a_zero_gradient_moves_nothing():
    kernel = keras.Variable(RNG.standard_normal((3, 3, 2, 4)).astype("float32"))
    before = value(kernel)
    Muon(0.1).apply([ops.zeros((3, 3, 2, 4))], [kernel])
    np.testing.assert_array_equal(value(kernel), before)


def test_a_kernels_step_does_not_depend_on_the_scale_of_the_loss():
    gradient = RNG.standard_normal((3, 3, 8, 4)).astype("float32")
    steps = []
    for factor in (1e-4, 1.0, 1e4):
        kernel = keras.Variable(np.zeros((3, 3, 8, 4), "float32"))
        Muon(0.02).apply([ops.convert_to_tensor(factor * gradient)], [kernel])
        steps.append(value(kernel))
    np.testing.assert_allclose(steps[0], steps[1], rtol=0.02, atol=1e-5)
    np.testing.assert_allclose(steps[2], steps[1], rtol=0.02, atol=1e-5)
    # The root mean square of a step: 0.2 of the rate.
    assert np.sqrt((steps[1] ** 2).mean()) == pytest.approx(0.004, rel=0.2)


def test_all_but_kernels_follow_adam():
    start = RNG.standard_normal((3, 5)).astype("float32")
    mine, theirs = keras.Variable(start), keras.Variable(start)
    optimizers = Muon(0.02, adam_ratio=0.5), keras.optimizers.Adam(0.01)
    for _ in range(5):
        gradient = ops.convert_to_tensor(RNG.standard_normal((3, 5)).astype("float32"))
        for optimizer, variable in zip(optimizers, (mine, theirs), strict=True):
            optimizer.apply([gradient], [variable])
    np.testing.assert_allclose(value(mine), value(theirs), rtol=1e-4, atol=1e-6)


def test_momentum_is_nesterovs():
    first, second = (RNG.standard_normal((1, 1, 6, 4)).astype("float32") for _ in "ab")
    kernel = keras.Variable(np.zeros((1, 1, 6, 4), "float32"))
    optimizer = Muon(0.1, momentum=0.9)
    optimizer.apply([ops.convert_to_tensor(first)], [kernel])
    before = value(kernel)
    optimizer.apply([ops.convert_to_tensor(second)], [kernel])
    mean = 0.9 * first + second
    ahead = (second + 0.9 * mean).reshape(6, 4)
    expected = 0.1 * 0.2 * 6**0.5 * value(orthogonalize(ops.convert_to_tensor(ahead)))
    np.testing.assert_allclose(
        (before - value(kernel)).reshape(6, 4), expected, atol=1e-5
    )


def test_it_is_rebuilt_from_its_configuration():
    optimizer = Muon(0.05, momentum=0.8, adam_ratio=0.3, global_clipnorm=1.0)
    copy = Muon.from_config(optimizer.get_config())
    assert copy.get_config() == optimizer.get_config()


def test_files_that_know_it_by_its_former_name_load():
    import nst_training.optimizer  # noqa: F401  Registers the name.

    config = keras.saving.serialize_keras_object(Muon(0.03, momentum=0.9))
    old = {**config, "registered_name": "nst_training>Muon", "module": None}
    found = keras.saving.deserialize_keras_object(old)
    assert isinstance(found, Muon)
    assert found.momentum == 0.9
