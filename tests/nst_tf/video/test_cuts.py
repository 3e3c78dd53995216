"""Cuts between scenes, and what is none."""

import numpy as np

from nst_tf.imaging.scene import landscape
from nst_tf.video.cuts import CutDetector
from tests.helpers import scene

LAND, OTHER = landscape(120, 160), scene(120, 160, seed=4)


def cuts(frames):
    detector = CutDetector()
    return [index for index, frame in enumerate(frames) if detector(frame)]


def test_a_scene_begins_with_the_first_frame_and_with_each_cut():
    assert cuts([LAND, LAND, OTHER, OTHER, LAND]) == [0, 2, 4]


def test_noise_motion_exposure_and_fades_are_no_cuts():
    rng = np.random.default_rng(0)
    wide = landscape(120, 400)
    noisy = [
        np.clip(LAND + 0.05 * rng.standard_normal(LAND.shape), 0, 1) for _ in range(4)
    ]
    pan = [wide[:, 12 * k : 12 * k + 160] for k in range(20)]
    exposed = [np.clip(LAND * gain, 0, 1) for gain in (1, 1.3, 0.7, 0.5, 1.4)]
    fade = [LAND + share * (OTHER - LAND) for share in np.linspace(0, 1, 24)]
    for frames in (noisy, pan, exposed, fade):
        assert cuts(frames) == [0]


def test_exposure_is_told_from_what_moves_or_comes_in():
    detector = CutDetector()
    detector(0.8 * LAND)
    assert detector.exposure == 0.0
    detector(0.6 * LAND)
    np.testing.assert_allclose(detector.exposure, np.log(0.6 / 0.8), atol=0.05)
    entered = 0.6 * LAND
    entered[:, 120:] = 0.0
    detector(entered)
    assert abs(detector.exposure) < 1e-6
    detector(OTHER)
    assert detector.exposure == 0.0


def test_a_detector_goes_on_from_its_state():
    first, second = CutDetector(), CutDetector()
    first(LAND)
    second.restore(first.state())
    assert not second(LAND)
    second.restore(first.state())
    assert second(OTHER)
    second.restore({})
    assert second(OTHER)
