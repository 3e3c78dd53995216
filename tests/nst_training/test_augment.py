"""Augmentation: light, flat parts, and a copy that moves as it says."""

import keras
import numpy as np
import pytest

from nst_tf.loss.temporal import warp
from nst_training.augment import DRAWS, NOISE, augment
from tests.helpers import scene, value

RNG = np.random.default_rng(1)
IMAGE = np.stack([scene(64, 64, seed=k) for k in range(8)])
INNER = np.s_[:, 16:-16, 16:-16]


def draws():
    return RNG.random((8, DRAWS)).astype("float32")


def test_nothing_is_done_where_nothing_is_asked():
    found = augment(IMAGE, draws(), relight=0.0, copy=False)
    assert found.keys() == {"image"}
    np.testing.assert_allclose(value(found["image"]), IMAGE, atol=2e-4)


def test_the_copy_is_the_photograph_moved_but_for_exposure_and_noise():
    given = draws()
    given[:, 16] = 0.5  # No exposure.
    found = augment(IMAGE, given, relight=0.0, copy=True)
    moved = value(warp(found["image"], found["motion"], outside="constant"))
    gap = (value(found["again"]) - moved)[INNER]
    assert gap.std() == pytest.approx(2.5 / 255, rel=0.15)
    assert np.abs(gap).max() < 0.06
    given[:, 16] = 1.0
    brighter = value(augment(IMAGE, given, relight=0.0, copy=True)["again"])
    ratio = brighter[INNER].mean() / moved[INNER].mean()
    assert ratio == pytest.approx(1.05, abs=0.01)


def test_copies_are_float32_whatever_keras_has_for_floats():
    usual = keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        found = augment(IMAGE, draws(), relight=0.5, copy=True)
    finally:
        keras.config.set_floatx(usual)
    assert {value(x).dtype for x in found.values()} == {np.dtype("float32")}


def test_parts_of_a_batch_are_augmented_as_the_whole_is():
    given = draws()
    given[:, NOISE] = given[0, NOISE]
    whole = augment(IMAGE, given, relight=0.5, copy=True)
    for first in (0, 2, 6):
        part = slice(first, first + 2)
        found = augment(
            IMAGE[part], given[part], relight=0.5, copy=True, batch=8, first=first
        )
        for name, rows in whole.items():
            np.testing.assert_allclose(
                value(found[name]), value(rows)[part], atol=1e-5, err_msg=name
            )


def test_half_of_the_motions_are_shifts_of_whole_pixels():
    given = RNG.random((400, DRAWS)).astype("float32")
    small = np.zeros((400, 8, 8, 3), "float32")
    motion = value(augment(small, given, relight=0.0, copy=True)["motion"])
    plain = (motion[:, [0, 1, 3, 4]] == [1, 0, 0, 1]).all(axis=1)
    assert plain.mean() == pytest.approx(0.5, abs=0.08)
    shifts = motion[plain][:, [2, 5]]
    np.testing.assert_allclose(shifts, np.round(shifts), atol=1e-4)
    assert np.abs(shifts).max() <= 9


def test_relighting_makes_dark_and_flat_pictures():
    given = RNG.random((8, DRAWS)).astype("float32")
    found = value(augment(IMAGE, given, relight=1.0, copy=False)["image"])
    assert found.min() >= 0
    assert found.max() <= 1
    changed = np.abs(found - IMAGE).mean(axis=(1, 2, 3))
    assert (changed > 0.005).mean() > 0.7
