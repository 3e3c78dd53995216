"""The tone term: the order of tones is kept, contrast and brightness are free."""

import numpy as np
import pytest
from keras import ops

from nst_tf.loss.tone import tone_loss
from tests.helpers import scene, value


def test_contrast_and_brightness_are_free_and_reversed_tones_are_worst():
    photo = np.stack([scene(64, 80, seed=k) for k in range(2)])
    assert (value(tone_loss(0.5 * photo + 0.2, photo)) < 0.2).all()
    assert value(tone_loss(photo, photo)) == pytest.approx([0, 0], abs=0.1)
    assert (value(tone_loss(1 - photo, photo)) > 1.9).all()


def test_it_is_one_less_the_correlation_of_mean_luminances():
    rng = np.random.default_rng(0)
    tones = rng.random((2, 1, 4, 5, 3)).astype("float32")
    big = np.repeat(np.repeat(tones, 16, axis=2), 16, axis=3)[:, 0]
    luma = tones[:, 0] @ np.asarray([0.299, 0.587, 0.114])
    corr = np.corrcoef(luma[0].ravel(), luma[1].ravel())[0, 1]
    got = value(tone_loss(big[:1], big[1:]))
    assert got == pytest.approx([1 - corr], abs=0.02)


def test_a_dark_surface_that_comes_out_pale_costs_and_an_even_picture_is_safe():
    photo = np.full((1, 64, 64, 3), 0.7, "float32")
    photo[:, 16:48, 16:48] = 0.05
    pale = photo.copy()
    pale[:, 16:48, 16:48] = 0.9
    dark = np.clip(photo * 0.6 + 0.3, 0, 1)
    losses = [value(tone_loss(x, photo))[0] for x in (pale, dark)]
    assert losses[0] > 1.5
    assert losses[1] < 0.1
    even = np.full((1, 64, 64, 3), 0.5, "float32")
    assert value(tone_loss(even, even)) == pytest.approx([1.0])
    assert np.isfinite(value(tone_loss(ops.ones_like(even), photo))).all()
