"""Films by optimisation: warm starts, what is held, masks, colours, going on."""

import dataclasses

import numpy as np
import pytest

from nst_tf import measure_losses
from nst_tf.imaging import color
from nst_tf.imaging.brushwork import brushwork
from nst_tf.imaging.guides import from_masks
from nst_tf.painting.frames import ScenePainter
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import ExtractorSettings, LossSettings
from nst_tf.video.flow import warp
from nst_tf.video.following import Following
from nst_tf.video.synthetic import Clip, Layer, camera
from tests.helpers import SMALL, scene

SETTINGS = dataclasses.replace(
    SMALL, steps=20, history=8, extractor=ExtractorSettings(network="lite")
)
STYLE = brushwork(64, 64)
CLIP = Clip(
    64,
    48,
    4,
    [Layer(photo=brushwork(120, 160), place=camera(shift=(2, 1), start=(30, 20)))],
)
FRAMES = [CLIP.frame(k) for k in range(3)]
MOTION = CLIP.motion(0, 1)


def changed(**values):
    return dataclasses.replace(SETTINGS, **values)


def apart(picture, held, trust):
    """Return the root mean square difference of pictures where it is trusted."""
    gap = np.square(picture - held).mean(axis=-1)
    return float(np.sqrt((trust * gap).sum() / trust.sum()))


@pytest.fixture(scope="module")
def first():
    """A painter that has begun a scene, and its first picture."""
    painter = ScenePainter([STYLE], SETTINGS, steps=6)
    return painter, painter.begin(FRAMES[0])


def test_a_frame_stays_nearer_to_the_last_picture_than_without_the_term(first):
    painter, picture = first
    held = np.clip(warp(picture, MOTION.flow), 0.0, 1.0)
    steady = painter.follow(FRAMES[1], held, MOTION.trust)
    gaps = [apart(steady, held, MOTION.trust)]
    for steadiness in (0.0, 10.0):
        other = ScenePainter([STYLE], SETTINGS, steps=6, steadiness=steadiness)
        other.restore(painter.state())
        found = other.follow(FRAMES[1], held, MOTION.trust)
        gaps.append(apart(found, held, MOTION.trust))
    steady_gap, loose, firm = gaps
    assert steady_gap < 0.9 * loose
    assert firm < 0.6 * loose
    # It is painted all the same: six evaluations against the twenty of a photograph.
    alone = ScenePainter([STYLE], SETTINGS).begin(FRAMES[1])
    settings = changed(size=64)
    mine, theirs, photo = measure_losses(
        [steady, alone, FRAMES[1]], FRAMES[1], STYLE, settings
    )
    assert mine.total < theirs.total + 0.3 * (photo.total - theirs.total)
    assert steady_gap < 0.5 * apart(alone, held, MOTION.trust)


@pytest.mark.parametrize(
    "without_effect",
    [{"style_layer_weights": (1.0,) * 5}, {"convention": "gatys-notebook"}],
)
def test_what_a_strength_takes_the_place_of_counts_in_no_frame(without_effect):
    found = []
    for values in ({}, without_effect):
        loss = LossSettings(strength=0.5, **values)
        painter = ScenePainter([STYLE], changed(loss=loss, steps=6), steps=3)
        picture = painter.begin(FRAMES[0])
        found.append([picture, painter.follow(FRAMES[1], picture, MOTION.trust)])
    np.testing.assert_array_equal(*found)


def test_where_nothing_is_trusted_the_frame_itself_is_painted(first):
    painter, picture = first
    nothing = np.zeros((48, 64), "float32")
    found = painter.follow(FRAMES[1], picture, nothing)
    other = painter.follow(FRAMES[1], 1.0 - picture, nothing)
    assert abs(found - other).max() < 1e-5
    assert apart(found, FRAMES[1], 1 - nothing) > 0.02


def test_the_weight_found_for_a_strength_is_kept_in_the_scene():
    loss = LossSettings(
        content_layers=("block2_conv2",),
        style_layers=("block1_conv1", "block2_conv1"),
        strength=0.5,
    )
    painter = ScenePainter([STYLE], changed(loss=loss, steps=12), steps=2)
    picture = painter.begin(FRAMES[0])
    content, style, _ = painter.state()["weights"]
    assert content == 1
    assert style != pytest.approx(loss.term_weights["style"])
    painter.follow(FRAMES[1], picture, MOTION.trust)
    assert painter.state()["weights"][1] == style


def test_a_film_goes_on_from_its_state_with_the_bits_of_an_unbroken_run():
    whole = Following(ScenePainter([STYLE], SETTINGS, steps=3))
    whole(FRAMES[0], 0.0)
    whole(FRAMES[1], 0.04)
    state = {key: np.array(value) for key, value in whole.state().items()}
    expected = whole(FRAMES[2], 0.08)
    other = Following(ScenePainter([STYLE], SETTINGS, steps=3))
    other.restore(state)
    assert (other(FRAMES[2], 0.08) == expected).all()


def test_a_cut_begins_a_scene(first):
    other = scene(48, 64, seed=5)
    film = Following(ScenePainter([STYLE], SETTINGS, steps=2))
    film(FRAMES[0], 0.0)
    found = film(other, 0.04)
    assert abs(found - ScenePainter([STYLE], SETTINGS).begin(other)).max() < 1e-5


def test_a_mask_keeps_the_film_to_the_bit_where_nothing_is_painted():
    mask = np.zeros((48, 64, 3), "float32")
    mask[:, :32] = 1.0
    regions = from_masks((64, 48), [(64, 64)], [mask], [], None)
    film = Following(ScenePainter([STYLE], SETTINGS, regions=regions, steps=3))
    for frame in FRAMES:
        picture = film(frame, 0.0)
        assert (picture[:, 33:] == frame[:, 33:]).all()
        assert abs(picture[:, :30] - frame[:, :30]).mean() > 0.01


def test_luminance_alone_keeps_the_colours_of_every_frame():
    film = Following(ScenePainter([STYLE], changed(color="luminance"), steps=3))
    for frame in FRAMES:
        picture = film(frame, 0.0)
        expected = color.keep_colors(picture, frame)
        assert abs(picture - expected).max() < 1e-3
        assert abs(color.luma(picture) - color.luma(frame)).mean() > 0.01


def test_a_stated_memory_is_for_pictures():
    with pytest.raises(InputError, match="stated memory"):
        ScenePainter([STYLE], changed(memory="4GB"))
