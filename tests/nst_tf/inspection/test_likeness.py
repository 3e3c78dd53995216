"""How alike two pictures are."""

import numpy as np
import pytest

from nst_tf.inspection.likeness import ssim
from tests.helpers import scene


def test_it_is_tensorflows():
    tf = pytest.importorskip("tensorflow")
    one, rng = scene(40, 56, seed=1), np.random.default_rng(0)
    for other in (one[::-1], np.clip(one + 0.1 * rng.standard_normal(one.shape), 0, 1)):
        theirs = tf.image.ssim(*(x.astype("float64") for x in (one, other)), 1.0)
        assert ssim(one, other) == pytest.approx(float(theirs), abs=1e-6)


def test_equal_pictures_are_alike_and_noise_is_not():
    one = scene(40, 56, seed=1)
    assert ssim(one, one) == pytest.approx(1.0)
    even = np.full_like(one, 0.5)
    assert ssim(even, even) == pytest.approx(1.0)
    noise = np.random.default_rng(0).random(one.shape)
    assert ssim(one, noise) < 0.2
