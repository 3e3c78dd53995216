"""Statistics that run through a film: their mean, cuts, going on."""

import math

import numpy as np
import pytest

from nst_export.runtime import drafts, mix_weights, tiling
from nst_export.runtime import stylizer as runtime
from nst_export.runtime.clip import ClipStylizer
from nst_tf.imaging.resize import resize
from nst_tf.imaging.scene import landscape
from nst_tf.video.statistics import MEMORY
from tests.films import moving
from tests.helpers import scene
from tests.serving import psnr

STEP = 0.04


@pytest.fixture
def clip(stylizer):
    """A painter of films in one of the gallery's styles."""
    return ClipStylizer(stylizer, mix_weights(stylizer.styles, {"udnie": 1.0}))


def near(one, other):
    """Tell whether pictures are alike but for weights of 16 bits and of 8: 40 dB."""
    return np.sqrt(np.mean((one - other) ** 2)) < 0.01


def test_the_first_frame_and_still_ones_are_those_of_a_photograph(stylizer, clip):
    frame = scene(50, 66)
    expected = stylizer(frame, clip.weights)
    for index in range(3):
        found = clip(frame, STEP * index)
        assert found.shape == frame.shape
        assert near(found, expected)


def test_statistics_are_the_mean_over_the_last_moments(clip):
    frames = moving(4, 64, 48)
    session = clip.session
    style = np.asarray([clip.weights], "float32")
    share = math.exp(-STEP / MEMORY)
    running = None
    for index, frame in enumerate(frames):
        given = np.zeros((1, 3, 1, session.channels), "float32")
        if running is not None:
            given[:, :2], given[:, 2] = running, share
        picture, own = session(frame[None], style, given)
        # As it is rounded there: another last digit can be another int8 further on.
        ago = own if running is None else running
        running = own + np.float32(share) * (ago - own)
        found = clip(frame, STEP * index)
        assert abs(found - np.clip(picture[0], 0, 1)).max() < 1e-5
        np.testing.assert_allclose(clip.statistics.mean, running, rtol=1e-5, atol=1e-5)


def test_a_frame_painted_with_the_mean_differs_less_from_the_last(stylizer, clip):
    # A dark thing that comes in changes the tone of all the rest, frame by frame.
    frame = landscape(96, 256)
    entered = frame.copy()
    entered[:, 192:] = 0.0
    alone = abs(stylizer(entered, clip.weights) - stylizer(frame, clip.weights))
    first = clip(frame, 0.0)
    held = abs(clip(entered, STEP) - first)
    assert held[:, :96].mean() < 0.75 * alone[:, :96].mean()  # 0.50 to 0.64 a style


def test_statistics_follow_a_change_of_exposure(stylizer, clip):
    frame = landscape(96, 160)
    alone = ClipStylizer(stylizer, clip.weights, memory=0.0)
    for index in range(6):
        dark = frame * 0.94**index
        found, expected = clip(dark, STEP * index), alone(dark, STEP * index)
    assert np.sqrt(np.mean((found - expected) ** 2)) < 0.02


def test_a_new_scene_begins_anew(stylizer, clip):
    first, second = scene(96, 128, seed=1), scene(96, 128, seed=5)
    clip(first, 0.0)
    found = clip(second, STEP)
    assert near(found, stylizer(second, clip.weights))


def test_a_clip_goes_on_from_its_state(stylizer, clip):
    frames = moving(6, 64, 48)
    expected = [clip(frame, STEP * index) for index, frame in enumerate(frames)]
    other = ClipStylizer(stylizer, clip.weights)
    for index, frame in enumerate(frames[:3]):
        other(frame, STEP * index)
    third = ClipStylizer(stylizer, clip.weights)
    third.restore({name: np.array(value) for name, value in other.state().items()})
    for index in range(3, 6):
        found = third(frames[index], STEP * index)
        assert (found == expected[index]).all()


def test_large_frames_go_in_tiles_with_the_same_mean(stylizer, clip, monkeypatch):
    frames = moving(2, 160, 120)
    monkeypatch.setattr(stylizer, "one_pass", 100 * 100)
    monkeypatch.setattr(tiling, "PATCH", 32)
    first = clip(frames[0], 0.0)
    before = clip.statistics.mean
    own = tiling.estimate(clip.session, frames[1], clip.weights)
    second = clip(frames[1], STEP)
    share = math.exp(-STEP / MEMORY)
    expected = share * before + (1 - share) * own
    np.testing.assert_allclose(clip.statistics.mean, expected, rtol=1e-5, atol=1e-5)
    assert first.shape == second.shape == (120, 160, 3)
    assert 0 <= second.min() <= second.max() <= 1


def test_frames_go_in_tiles_where_memory_is_scarce(stylizer, clip, monkeypatch):
    frames = [np.roll(scene(480, 640, seed=3), 4 * k, axis=1) for k in range(4)]
    monkeypatch.setattr(runtime, "free_memory", lambda: 10**11)
    clip(frames[0], 0.0)
    assert clip.most > 640 * 480
    # What holds a pass of 300x300, beside three frames as float32.
    free = tiling.BYTES * clip.session.channels * 300 * 300 + 3 * 12 * 640 * 480
    monkeypatch.setattr(runtime, "free_memory", lambda: free / 0.75)
    scarce = ClipStylizer(stylizer, clip.weights, beside=2)
    found = [scarce(frame, STEP * k) for k, frame in enumerate(frames[:2])]
    assert scarce.most == pytest.approx(300 * 300)
    # It goes on as it began, whatever there is then.
    monkeypatch.setattr(runtime, "free_memory", lambda: 10**11)
    other = ClipStylizer(stylizer, clip.weights, beside=2)
    other.restore({name: np.array(value) for name, value in scarce.state().items()})
    for k, frame in enumerate(frames[2:], 2):
        found.append(other(frame, STEP * k))
        assert (scarce(frame, STEP * k) == found[-1]).all()
    # Alike to tiles of the usual size, but for statistics of fewer patches at a time.
    monkeypatch.setattr(stylizer, "one_pass", 100 * 100)
    usual = ClipStylizer(stylizer, clip.weights)
    for k, frame in enumerate(frames):
        assert 0 < np.abs(found[k] - usual(frame, STEP * k)).mean() < 0.03


def test_small_frames_are_painted_whole_whatever_is_free(stylizer, clip, monkeypatch):
    frame = scene(96, 128, seed=3)
    expected = clip(frame, 0.0)
    monkeypatch.setattr(runtime, "free_memory", lambda: 0)
    scarce = ClipStylizer(stylizer, clip.weights)
    assert (scarce(frame, 0.0) == expected).all()
    assert scarce.most == 0


def test_large_frames_are_drafted_as_photographs_are(stylizer, clip):
    frame = scene(200, 260)
    drafted = ClipStylizer(stylizer, clip.weights, draft=64)
    expected = stylizer(frame, clip.weights, draft=64)
    for index in range(3):
        found = drafted(frame, STEP * index)
        assert psnr(found, expected) > 37  # But for the filter that enlarges.
    assert psnr(found, clip(frame, 0.0)) < 15
    alone = ClipStylizer(stylizer, clip.weights, draft=64, memory=0.0)
    assert (alone(frame, 0.0) == stylizer(frame, clip.weights, draft=64)).all()


def test_every_size_has_a_mean_of_its_own(stylizer, clip):
    # A dark thing that comes in changes the tone of all the rest, frame by frame.
    frame = resize(landscape(96, 256), 768, 288)
    entered = frame.copy()
    entered[:, 576:] = 0.0
    drafted = ClipStylizer(stylizer, clip.weights, draft=96)
    first = drafted(frame, 0.0)
    held = abs(drafted(entered, STEP) - first)[:, :288]
    alone = stylizer(entered, clip.weights, draft=96)
    alone = abs(alone - stylizer(frame, clip.weights, draft=96))[:, :288]
    assert held.mean() < 0.75 * alone.mean()


def test_a_drafted_clip_goes_on_from_its_state(stylizer, clip):
    frames = moving(5, 192, 128)
    drafted = ClipStylizer(stylizer, clip.weights, draft=32)  # Two revisions.
    expected = [drafted(frame, STEP * index) for index, frame in enumerate(frames)]
    other = ClipStylizer(stylizer, clip.weights, draft=32)
    for index, frame in enumerate(frames[:3]):
        other(frame, STEP * index)
    third = ClipStylizer(stylizer, clip.weights, draft=32)
    third.restore({name: np.array(value) for name, value in other.state().items()})
    for index in range(3, 5):
        found = third(frames[index], STEP * index)
        assert (found == expected[index]).all()
    third.restore({"seconds": np.asarray(0.0)})  # As a new film.
    assert (third(frames[0], 0.0) == expected[0]).all()


def test_drafts_have_their_part_of_little_memory(stylizer, clip, monkeypatch):
    frame = scene(600, 800, seed=3)
    areas = [wide * tall for wide, tall in drafts.sizes(800, 600, 256)]
    found = []

    def paint(session, frame, style, *, found, most):
        return frame.copy()

    def estimate(session, frame, style, *, most):
        found.append((frame.shape[:2], most))
        return np.zeros((1, 2, 1, session.channels), "float32")

    monkeypatch.setattr(tiling, "paint", paint)
    monkeypatch.setattr(tiling, "estimate", estimate)
    drafted = ClipStylizer(stylizer, clip.weights, draft=256)
    drafted.most = 0.9 * sum(areas)  # All sizes are laid out at once.
    drafted(frame, 0.0)
    assert found == [((600, 800), pytest.approx(0.9 * areas[1]))]


def test_without_memory_every_frame_stands_alone(stylizer):
    weights = mix_weights(stylizer.styles, {"udnie": 1.0})
    clip = ClipStylizer(stylizer, weights, memory=0.0)
    for index, frame in enumerate(moving(3, 64, 48)):
        assert (clip(frame, STEP * index) == stylizer(frame, weights)).all()
