"""Frames that come one by one: the pictures of a film, whichever worker paints."""

import numpy as np
import pytest

from nst_export.runtime import mix_weights
from nst_export.runtime.clip import ClipStylizer
from nst_export.runtime.stylizer import Stylizer, bundled
from nst_export.server.clips import Clips
from tests.films import moving


@pytest.fixture(scope="module")
def workers():
    return [Stylizer.load(bundled(), threads=1) for _ in range(2)]


def weights(workers, style):
    return mix_weights(workers[0].styles, {style: 1.0})


def test_a_clip_is_painted_as_a_film_though_others_come_between(workers):
    clips = Clips(workers)
    films = {"one": moving(3, 64, 48), "two": [1 - x for x in moving(3, 64, 48)]}
    style = weights(workers, "udnie")
    painters = {name: ClipStylizer(workers[0], style) for name in films}
    for index in range(3):
        for name, frames in films.items():
            found = clips.paint(
                name,
                workers[index % 2],
                frames[index],
                style,
                worker=index % 2,
                seconds=0.04 * index,
            )
            expected = painters[name](frames[index], 0.04 * index)
            np.testing.assert_allclose(found, expected, atol=1e-4)


def test_another_style_begins_anew_and_the_oldest_clips_are_forgotten(workers):
    clips = Clips(workers)
    first, second = moving(2, 64, 48)

    def paint(clip, frame, style):
        return clips.paint(clip, workers[0], frame, style, worker=0, seconds=0.0)

    udnie, scream = (weights(workers, name) for name in ("udnie", "the_scream"))
    paint("film", first, udnie)
    fresh = ClipStylizer(workers[0], scream)(second, 0.0)
    np.testing.assert_array_equal(paint("film", second, scream), fresh)
    gone_on = paint("film", first, scream)
    for index in range(64):
        paint(f"other-{index}", first, scream)
    anew = paint("film", first, scream)
    assert np.abs(anew - gone_on).max() > 1e-3
    fresh = ClipStylizer(workers[0], scream)(first, 0.0)
    np.testing.assert_array_equal(anew, fresh)
