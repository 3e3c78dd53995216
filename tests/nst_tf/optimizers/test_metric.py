"""Metrics of pictures for L-BFGS."""

import keras
import numpy as np
import pytest
from keras import ops

from nst_tf.optimizers.lbfgs import LBFGS
from nst_tf.optimizers.metric import SpatialMetric

SIZES = [(1, 8, 6, 3), (2, 5, 7, 1)]


def filtered(metric, picture):
    (found,) = metric([ops.convert_to_tensor(picture.astype("float32"))])
    return ops.convert_to_numpy(found)


@pytest.mark.parametrize("shape", SIZES)
def test_it_is_symmetric_and_positive(shape):
    metric = SpatialMetric(floor=0.1)
    count = int(np.prod(shape))
    matrix = np.array(
        [filtered(metric, row.reshape(shape)).ravel() for row in np.eye(count)]
    )
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-5)
    assert np.linalg.eigvalsh(matrix).min() > 0


def test_a_wave_is_multiplied_by_its_frequency_to_the_power_from_the_floor_on():
    rows = np.arange(16)[:, None, None]
    columns = np.arange(20)[None, :, None]
    metric = SpatialMetric(power=1.0, floor=0.1, grey=1.0)
    wave = np.cos(2 * np.pi * (3 * rows / 16 + 4 * columns / 20)) * np.ones(3)
    factor = 1 / np.hypot(3 / 16, 4 / 20)
    np.testing.assert_allclose(
        filtered(metric, wave[None])[0], factor * wave, atol=1e-5
    )
    slow = np.cos(2 * np.pi * rows / 16) * np.ones((1, 20, 3))  # f = 1/16.
    np.testing.assert_allclose(filtered(metric, slow[None])[0], 10 * slow, atol=1e-4)


def test_what_the_channels_share_is_multiplied_by_grey():
    draw = np.random.default_rng(0).standard_normal((1, 6, 6, 3))
    plain = filtered(SpatialMetric(grey=1.0), draw)
    shared = plain.mean(axis=-1, keepdims=True)
    got = filtered(SpatialMetric(grey=4.0), draw)
    np.testing.assert_allclose(got, plain + 3 * shared, rtol=1e-4, atol=1e-4)


def test_an_optimizer_with_it_is_saved_and_made_again():
    optimizer = LBFGS(metric=SpatialMetric(power=0.7, floor=0.05, grey=2.0))
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.metric.get_config() == {"power": 0.7, "floor": 0.05, "grey": 2.0}


@pytest.mark.parametrize("bad", [{"power": -1.0}, {"floor": 0.0}, {"grey": 0.0}])
def test_an_impossible_filter_is_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        SpatialMetric(**bad)
