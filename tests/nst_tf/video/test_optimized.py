"""Films by optimisation: warm starts, what is held, masks, going on."""

import dataclasses

import numpy as np
import pytest

from nst_tf import OptimizeSettings, build_extractor
from nst_tf.imaging.brushwork import brushwork
from nst_tf.imaging.guides import from_masks
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import ExtractorSettings
from nst_tf.video.coherence import clip_error
from nst_tf.video.optimized import OptimizedPainter
from nst_tf.video.synthetic import Clip, Layer, camera
from tests.helpers import SMALL_LOSS

SETTINGS = OptimizeSettings(
    scales=1,
    steps=8,
    schedule="whole",
    history=8,
    precision="float32",
    loss=SMALL_LOSS,
    extractor=ExtractorSettings(network="lite"),
)
STYLE = brushwork(64, 64)
CLIP = Clip(
    64,
    48,
    4,
    [Layer(photo=brushwork(120, 160), place=camera(shift=(2, 1), start=(30, 20)))],
)
FRAMES = [CLIP.frame(k) for k in range(3)]


def paint(frames, painter):
    return [painter(frame, 0.04 * index) for index, frame in enumerate(frames)]


@pytest.fixture(scope="module")
def extractor():
    """The loss network, built once."""
    return build_extractor(
        SMALL_LOSS.layers, settings=SETTINGS.extractor, dtype="float32"
    )


@pytest.fixture(scope="module")
def steady(extractor):
    """The pictures of the clip, each from the last, and the state after two."""
    painter = OptimizedPainter([STYLE], SETTINGS, steps=4, extractor=extractor)
    pictures = paint(FRAMES[:2], painter)
    state = {key: np.array(value) for key, value in painter.state().items()}
    return [*pictures, painter(FRAMES[2], 0.08)], state


def test_a_frame_from_the_last_picture_follows_the_motion(steady, extractor):
    pictures, alone = steady[0], []
    for frame in FRAMES[:2]:
        painter = OptimizedPainter([STYLE], SETTINGS, extractor=extractor)
        alone += paint([frame], painter)
    assert (alone[0] == pictures[0]).all()
    ours, theirs = (clip_error(x, CLIP.motion) for x in (pictures[:2], alone))
    assert ours < 0.6 * theirs
    # It is painted, and not the film.
    assert abs(pictures[2] - FRAMES[2]).mean() > 0.02


def test_a_film_goes_on_from_its_state(steady, extractor):
    pictures, state = steady
    other = OptimizedPainter([STYLE], SETTINGS, steps=4, extractor=extractor)
    other.restore(state)
    found = other(FRAMES[2], 0.08)
    assert abs(found - pictures[2]).max() < 1e-5


def test_a_mask_keeps_the_film_to_the_bit_where_nothing_is_painted(extractor):
    mask = np.zeros((48, 64, 3), "float32")
    mask[:, :32] = 1.0
    regions = from_masks((64, 48), [(64, 64)], [mask], [], None)
    painter = OptimizedPainter(
        [STYLE], SETTINGS, regions=regions, steps=2, extractor=extractor
    )
    for frame, picture in zip(FRAMES[:2], paint(FRAMES[:2], painter), strict=True):
        assert (picture[:, 33:] == frame[:, 33:]).all()
        assert abs(picture[:, :30] - frame[:, :30]).mean() > 0.01


def test_settings_that_are_for_pictures_alone_are_refused():
    with pytest.raises(InputError, match="stated memory"):
        OptimizedPainter([STYLE], dataclasses.replace(SETTINGS, memory="4GB"))
    changes = dataclasses.replace(SETTINGS, weight_changes=(0.0, 1.0, 1.0, 0.0))
    with pytest.raises(InputError, match="weights that change"):
        OptimizedPainter([STYLE], changes)
