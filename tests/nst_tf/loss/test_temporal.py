"""The temporal term: pictures moved with the scene, compared where they are known."""

import numpy as np
import pytest

from nst_tf.loss.temporal import temporal_loss, warp
from tests.helpers import scene, value

RNG = np.random.default_rng(0)


def test_a_shift_by_whole_pixels_is_a_slice():
    image = np.stack([scene(20, 24, seed=k) for k in range(2)])
    motion = np.tile(np.asarray([1, 0, 3, 0, 1, -2], "float32"), (2, 1))
    moved = value(warp(image, motion, outside="constant"))
    np.testing.assert_allclose(moved[:, 2:, :-3], image[:, :-2, 3:], atol=1e-6)
    assert (moved[:, :2] == 0).all()
    assert (moved[:, :, -3:] == 0).all()
    mirrored = value(warp(image, motion, outside="reflect"))
    assert (mirrored > 0).mean() > 0.99


def test_a_turn_is_where_the_numbers_say():
    """A plane a x + b y + c is turned and shifted exactly by bilinear sampling."""
    y, x = np.mgrid[:16, :20].astype("float32")
    plane = (0.02 * x + 0.01 * y + 0.1)[None, :, :, None]
    m = np.asarray([[0.9, 0.1, 1.0, -0.1, 0.9, 2.0]], "float32")
    moved = value(warp(plane, m, outside="constant"))[0, :, :, 0]
    u = m[0, 0] * x + m[0, 1] * y + m[0, 2]
    v = m[0, 3] * x + m[0, 4] * y + m[0, 5]
    inside = (u > 0) & (u < 19) & (v > 0) & (v < 15)
    expected = 0.02 * u + 0.01 * v + 0.1
    np.testing.assert_allclose(moved[inside], expected[inside], atol=1e-5)


def test_only_known_pixels_count():
    one, other = (RNG.random((2, 5, 6, 3)).astype("float32") for _ in range(2))
    mask = (RNG.random((2, 5, 6, 1)) > 0.4).astype("float32")
    got = value(temporal_loss(one, other, mask))
    for index in range(2):
        known = mask[index, ..., 0] > 0
        gaps = (one[index][known] - other[index][known]) ** 2
        assert got[index] == pytest.approx(gaps.mean(), rel=1e-5)
    assert value(temporal_loss(one, other, 0 * mask)) == pytest.approx([0, 0])
