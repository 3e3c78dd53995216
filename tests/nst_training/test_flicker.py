"""Flicker: none where the picture moves with the photograph, some where it does not."""

import numpy as np
import pytest

from nst_training.flicker import measure_flicker
from tests.helpers import scene

PHOTO = scene(80, 100, seed=3)


def test_a_painter_that_moves_with_the_photograph_does_not_flicker():
    found = measure_flicker(lambda photo: 1.0 - photo, PHOTO)
    assert found.pan == pytest.approx(0.0, abs=1e-6)
    # Two noises of 2/255 differ by their root of 2, mean absolute 0.8 of a deviation.
    inner = (1.0 - PHOTO)[8:-8, 8:-8]
    expected = 2 / 255 * 2**0.5 * (2 / np.pi) ** 0.5 / inner.std()
    assert found.still == pytest.approx(expected, rel=0.1)


def test_a_texture_that_stands_while_the_camera_pans_flickers():
    texture = np.random.default_rng(0).random((80, 100, 1)).astype("float32")

    def paint(photo):
        return np.broadcast_to(texture[:, : photo.shape[1]], photo.shape)

    found = measure_flicker(paint, PHOTO)
    # Independent uniform numbers differ by a third of their range.
    assert found.pan == pytest.approx(1 / 3 / (1 / 12) ** 0.5, rel=0.05)
    assert found.still == 0.0
