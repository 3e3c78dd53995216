"""Films by optimisation: warm starts, what is held, masks, going on."""

import dataclasses

import numpy as np
import pytest

from nst_tf import OptimizeSettings, measure_losses
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
    steps=20,
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
def steady():
    """The pictures of the clip, each from the last, and the state after two."""
    painter = OptimizedPainter([STYLE], SETTINGS, steps=6)
    pictures = paint(FRAMES[:2], painter)
    state = {key: np.array(value) for key, value in painter.state().items()}
    return [*pictures, painter(FRAMES[2], 0.08)], state


def test_pictures_follow_the_motion_at_a_loss_that_is_no_higher(steady):
    pictures, alone = steady[0], []
    for frame in FRAMES[-2:]:
        alone += paint([frame], OptimizedPainter([STYLE], SETTINGS))

    def motion(before, after):
        return CLIP.motion(before + 1, after + 1)

    assert clip_error(pictures[-2:], motion) < 0.6 * clip_error(alone, motion)
    settings = dataclasses.replace(SETTINGS, size=64)
    mine, theirs, photo = measure_losses(
        [pictures[-1], alone[-1], FRAMES[-1]], FRAMES[-1], STYLE, settings
    )
    # Six evaluations against twenty.
    assert mine.total < theirs.total + 0.25 * (photo.total - theirs.total)


def test_a_film_goes_on_from_its_state(steady):
    pictures, state = steady
    other = OptimizedPainter([STYLE], SETTINGS, steps=6)
    other.restore(state)
    found = other(FRAMES[2], 0.08)
    assert abs(found - pictures[2]).max() < 1e-5


def test_a_mask_keeps_the_film_to_the_bit_where_nothing_is_painted():
    mask = np.zeros((48, 64, 3), "float32")
    mask[:, :32] = 1.0
    regions = from_masks((64, 48), [(64, 64)], [mask], [], None)
    painter = OptimizedPainter([STYLE], SETTINGS, regions=regions, steps=3)
    for frame, picture in zip(FRAMES[:2], paint(FRAMES[:2], painter), strict=True):
        assert (picture[:, 33:] == frame[:, 33:]).all()
        assert abs(picture[:, :30] - frame[:, :30]).mean() > 0.01


def test_settings_that_are_for_pictures_alone_are_refused():
    with pytest.raises(InputError, match="stated memory"):
        OptimizedPainter([STYLE], dataclasses.replace(SETTINGS, memory="4GB"))
    changes = dataclasses.replace(SETTINGS, weight_changes=(0.0, 1.0, 1.0, 0.0))
    with pytest.raises(InputError, match="weights that change"):
        OptimizedPainter([STYLE], changes)
