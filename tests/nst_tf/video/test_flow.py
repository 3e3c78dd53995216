"""Motion: found and exact, what is held along it, and how flicker is measured."""

import numpy as np
import pytest

from nst_tf.imaging.brushwork import brushwork
from nst_tf.imaging.scene import landscape
from nst_tf.video.coherence import clip_error, deviation, warping_error
from nst_tf.video.flow import Motion, find_motion, inside, warp
from nst_tf.video.stabilize import SHARE, Stabilized
from nst_tf.video.synthetic import Clip, Layer, camera

PHOTO = brushwork(240, 320)


def disc(size):
    y, x = np.mgrid[0:size, 0:size] - (size - 1) / 2
    return (np.hypot(x, y) < size / 2 - 1).astype("float32")


CLIPS = {
    "pan": Clip(
        160,
        96,
        4,
        [Layer(photo=PHOTO, place=camera(shift=(2.5, 1), start=(40, 40)))],
    ),
    "zoom": Clip(
        160,
        96,
        4,
        [Layer(photo=PHOTO, place=camera(zoom=0.97, center=(80, 48), start=(60, 60)))],
    ),
    "turn": Clip(
        160,
        96,
        4,
        [Layer(photo=PHOTO, place=camera(turn=1.5, center=(80, 48), start=(60, 60)))],
    ),
    "thing": Clip(
        160,
        96,
        4,
        [
            Layer(photo=PHOTO, place=camera(start=(40, 40))),
            Layer(
                photo=landscape(240, 320)[:48, :48],
                place=camera(shift=(-3, 0), start=(-40, -20)),
                shape=disc(48),
            ),
        ],
    ),
}


@pytest.mark.parametrize("name", CLIPS)
def test_exact_motion_explains_a_synthetic_clip(name):
    clip = CLIPS[name]
    frames = [clip.frame(k) for k in range(4)]
    for gap in (1, 3):
        moved = clip_error(frames, clip.motion, gap=gap)
        motion = clip.motion(0, gap)
        still = warping_error(
            frames[0], frames[gap], motion._replace(flow=0 * motion.flow)
        )
        # What is left is what resampling blurs.
        assert moved < 0.03
        if name != "thing":
            assert moved < 0.3 * still
        assert motion.trust.mean() > 0.6


def test_motion_of_a_pan_is_the_pan():
    motion = CLIPS["pan"].motion(0, 2)
    np.testing.assert_allclose(motion.flow[..., 0], 5.0, atol=1e-4)
    np.testing.assert_allclose(motion.flow[..., 1], 2.0, atol=1e-4)
    assert motion.trust[40, -3] == 0
    assert motion.trust[40, 80] == 1


def test_what_a_moving_thing_uncovers_is_not_trusted():
    motion = CLIPS["thing"].motion(0, 3)
    # It is 48 wide, moves 9 to the right, and uncovers what is left of it.
    row = motion.trust[20 + 24]
    assert row[42:47].max() == 0
    assert row[70] == 1
    assert (motion.flow[44, 70] == (-9, 0)).all()
    assert (motion.flow[5, 5] == (0, 0)).all()


@pytest.mark.parametrize("name", ["pan", "turn", "thing"])
def test_found_motion_is_near_the_exact_one_where_it_is_trusted(name):
    clip = CLIPS[name]
    found = find_motion(clip.frame(0), clip.frame(1))
    exact = clip.motion(0, 1)
    both = (found.trust > 0.5) & (exact.trust > 0.5)
    assert both.mean() > 0.6
    gap = np.hypot(*np.moveaxis(found.flow - exact.flow, -1, 0))[both]
    assert np.median(gap) < 0.3
    assert np.percentile(gap, 95) < 1.0


def test_nothing_is_trusted_between_pictures_that_have_nothing_in_common():
    motion = find_motion(landscape(96, 160), PHOTO[:96, :160])
    assert motion.trust.mean() < 0.15


def test_pixels_from_outside_are_known():
    flow = np.zeros((4, 6, 2), "float32")
    flow[..., 0] = -2
    assert inside(flow)[:, :2].max() == 0
    assert inside(flow)[:, 2:].min() == 1
    picture = np.arange(24, dtype="float32").reshape(4, 6, 1)
    assert (warp(picture, flow).reshape(4, 6)[:, 2:] == picture[:, :4, 0]).all()


def test_a_warping_error_is_what_motion_leaves_over():
    motion = Motion(np.zeros((4, 6, 2), "float32"), np.ones((4, 6), "float32"))
    motion.trust[:, 3:] = 0
    before, after = np.zeros((4, 6, 3), "float32"), np.zeros((4, 6, 3), "float32")
    after[:, :3], after[:, 3:] = 0.25, 0.9
    assert warping_error(before, after, motion) == pytest.approx(0.25)
    assert clip_error([before, after, before], lambda a, b: motion) == pytest.approx(
        0.25
    )
    assert deviation([before, before + 1]) == pytest.approx(0.5)


class Flicker:
    """A painter whose tone jumps from frame to frame."""

    def __init__(self):
        self.count = 0

    def __call__(self, pixels, seconds):
        self.count += 1
        return np.clip(pixels * 0.8 + 0.1 + 0.08 * (-1) ** self.count, 0, 1)

    def state(self):
        return {"count": np.asarray(self.count)}

    def restore(self, state):
        self.count = int(state["count"])


def test_stabilized_pictures_flicker_less_and_keep_their_colours():
    clip = CLIPS["pan"]
    frames = [clip.frame(k) for k in range(4)] * 1
    plain, steady = Flicker(), Stabilized(Flicker())
    alone = [plain(frame, 0.0) for frame in frames]
    held = [steady(frame, 0.0) for frame in frames]
    assert clip_error(held, clip.motion) < 0.5 * clip_error(alone, clip.motion)
    assert abs(np.mean(held[-1]) - np.mean(alone)) < 0.08  # As the tone jumps.


def test_what_is_held_keeps_the_contrast_of_what_is_painted():
    # Every picture is the same scene with another grain: their mean would be smooth.
    rng = np.random.default_rng(0)
    grain = [
        0.15 * rng.standard_normal((96, 160, 3)).astype("float32") for _ in "12345"
    ]
    taken = iter(grain)
    target = np.full((96, 160, 3), 0.5, "float32") + 0.1 * landscape(96, 160)
    steady = Stabilized(lambda pixels, seconds: np.clip(pixels + next(taken), 0, 1))
    for _ in grain:
        found = steady(target, 0.0)
    assert 0.85 < (found - target).std() / 0.15 < 1.15


def test_no_colour_drifts_away():
    steady = Stabilized(lambda pixels, seconds: pixels)
    target = landscape(96, 160)
    for _ in range(20):
        found = steady(target, 0.0)
    assert abs(found - target).max() < 1e-3


def test_a_cut_takes_nothing_over():
    steady = Stabilized(lambda pixels, seconds: pixels)
    steady(landscape(96, 160), 0.0)
    assert (steady(PHOTO[:96, :160], 0.04) == PHOTO[:96, :160]).all()


def test_a_stabilized_painter_goes_on_from_its_state():
    frames = [CLIPS["pan"].frame(k) for k in range(4)]
    whole = Stabilized(Flicker(), share=SHARE)
    expected = [whole(frame, 0.0) for frame in frames]
    first, second = Stabilized(Flicker()), Stabilized(Flicker())
    for frame in frames[:2]:
        first(frame, 0.0)
    second.restore({key: np.array(value) for key, value in first.state().items()})
    for frame, picture in zip(frames[2:], expected[2:], strict=True):
        assert (second(frame, 0.0) == picture).all()
