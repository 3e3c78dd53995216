"""Figures of flicker: over the clip's own, over frames painted alone, of stillness."""

import json

import numpy as np
import pytest

from nst_tf.imaging.brushwork import brushwork
from nst_tf.settings.checks import InputError
from nst_tf.video.clips import film_clip, still_scene, synthetic_clips
from nst_tf.video.coherence import clip_error, deviation
from nst_tf.video.measure import (
    ALONE,
    RUNNING,
    STABILIZED,
    ClipScore,
    WayScore,
    measure_clip,
    measure_stillness,
    summarize_clips,
)
from tests.films import moving, write_film

PHOTOS = [brushwork(200, 300), brushwork(180, 260)[::-1].copy()]


class Toned:
    """A painter whose tone jumps up and down by so much."""

    def __init__(self, jump=0.0):
        self.jump, self.count = jump, 0

    def __call__(self, pixels, seconds):
        self.count += 1
        return 0.5 * pixels + 0.25 + self.jump * (-1) ** self.count

    def state(self):
        return {}

    def restore(self, state):
        del state


@pytest.fixture(scope="module")
def clips():
    """Ten clips of twelve frames."""
    return {clip.name: clip for clip in synthetic_clips(PHOTOS, count=12, size=160)}


def test_there_are_ten_clips_which_their_motion_explains(clips):
    assert len(clips) == 10
    for name, clip in clips.items():
        assert {frame.shape for frame in clip.frames} == {(90, 160, 3)}
        assert clip.seconds[6] == 0.25
        still = clip.motion(0, 11)
        assert still.trust.mean() > 0.3
        moved = abs(clip.frames[11] - clip.frames[0]).mean()
        assert moved > 0.002
        if name not in ("flash", "exposure"):
            assert clip_error(clip.frames, clip.motion) < 0.05
    for name, swing in (("flash", 0.4), ("exposure", 0.1)):
        light = [frame.mean() for frame in clips[name].frames]
        assert min(light) / max(light) == pytest.approx(1 - swing, abs=0.03)


def test_warping_errors_are_told_over_the_clip_and_over_frames_alone(clips):
    clip = clips["pan"]
    ways = {ALONE: Toned(0.1), RUNNING: Toned()}
    seen = []

    def judge(picture, frame):
        seen.append((picture, frame))
        return len(seen), 10.0

    score = measure_clip(clip, "night", ways, judge)
    assert (score.style, score.clip, score.base) == ("night", "pan", ALONE)
    given = clip_error(clip.frames, clip.motion)
    assert score.given.near == pytest.approx(given)
    # Half the contrast has half the error, a jump of 0.2 adds to that.
    assert score.ways[RUNNING].near == pytest.approx(0.5 * given, rel=1e-4)
    expected = np.hypot(0.5 * given, 0.2)
    assert score.ways[ALONE].near == pytest.approx(expected, rel=0.02)
    # Ten frames later the tone is the same again.
    far = 0.5 * clip_error(clip.frames, clip.motion, gap=10)
    assert score.ways[ALONE].far == pytest.approx(far, rel=1e-3)
    over = score.over()
    assert set(over) == {RUNNING, STABILIZED}
    assert over[RUNNING]["near"] == pytest.approx(0.5 * given / expected, rel=0.02)
    # The middle and the last picture of each way are judged.
    assert len(seen) == 6
    assert (seen[0][1] == clip.frames[6]).all()
    assert (seen[1][1] == clip.frames[11]).all()
    assert [way.content for way in score.ways.values()] == [1.5, 3.5, 5.5]
    assert over[RUNNING]["content"] == pytest.approx(3.5 / 1.5)
    assert over[RUNNING]["style"] == 1


def test_what_is_held_along_the_motion_jumps_less(clips):
    score = measure_clip(clips["pan"], "night", {ALONE: Toned(), RUNNING: Toned(0.05)})
    ways = score.ways
    assert ways[STABILIZED].near < 0.5 * ways[RUNNING].near


def test_a_score_is_kept_as_json():
    far = WayScore(0.2, 0.3, 0.5, 0.25)
    ways = {ALONE: WayScore(0.4, 0.4, 1.0, 0.5), RUNNING: far}
    score = ClipScore("night", "pan", WayScore(0.1, None), ways)
    entry = json.loads(json.dumps(score.entry()))
    assert ClipScore.of(entry) == score
    halves = {"near": 0.5, "far": 0.75, "content": 0.5, "style": 0.5}
    assert entry["over_base"] == {RUNNING: pytest.approx(halves)}
    assert entry["over_input"][ALONE] == {"near": pytest.approx(4.0)}
    line = score.line()
    assert line.startswith(
        "night, pan: input 0.1000; alone 0.4000; statistics x near 0.50"
    )


def test_medians_and_worst_are_told_by_style():
    def score(style, near):
        ways = {ALONE: WayScore(1.0, None), RUNNING: WayScore(near, None)}
        return ClipScore(style, "clip", WayScore(0.5, None), ways)

    scores = [score("night", near) for near in (0.2, 0.9, 0.4)] + [score("wave", 1.0)]
    found = summarize_clips(scores)
    assert list(found) == ["night", "wave"]
    running = found["night"][RUNNING]
    assert running["over_base"] == {"near": {"median": 0.4, "worst": 0.9}}
    assert running["over_input"] == {"near": {"median": 0.8, "worst": 1.8}}


def test_stillness_is_the_deviation_over_that_of_the_noise():
    frames = still_scene(np.full((48, 64, 3), 0.5, "float32"), count=20)
    assert deviation(frames) == pytest.approx(2 / 255, rel=0.05)
    found = measure_stillness(
        PHOTOS[0][:48, :64], {ALONE: Toned(), RUNNING: Toned(0.1)}, count=12, step=0.04
    )
    assert found[ALONE] == pytest.approx(0.5, rel=0.02)
    # Of the last eight frames, whose mean has a share of each one's noise.
    noise = 2 / 255 * (7 / 8) ** 0.5
    assert found[RUNNING] == pytest.approx(np.hypot(0.5, 0.1 / noise), rel=0.05)
    assert found[STABILIZED] < 0.5 * found[RUNNING]


def test_a_film_is_measured_along_the_motion_that_is_found(tmp_path):
    path = write_film(tmp_path / "film.mkv", moving(6, 96, 64), codec="ffv1")
    clip = film_clip(path, count=4, size=512)
    assert (clip.name, len(clip.frames)) == ("film", 4)
    assert clip.seconds == pytest.approx([0, 0.04, 0.08, 0.12])
    motion = clip.motion(1, 3)
    trusted = motion.flow[..., 0][motion.trust > 0.5]
    assert np.median(trusted) == pytest.approx(4.0, abs=0.3)
    with pytest.raises(InputError, match="has 1 frame: flicker needs two"):
        film_clip(path, count=4, size=512, start=0.2)
