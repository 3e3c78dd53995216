"""Resizing of frames is that of photographs, but for the filter."""

import sys

import numpy as np
import pytest

from nst_tf.imaging.resize import resize
from nst_tf.video.resize import resize_frame
from tests.helpers import scene
from tests.serving import psnr


@pytest.mark.parametrize(("width", "height"), [(161, 97), (700, 421), (322, 194)])
@pytest.mark.parametrize("clip", [True, False])
def test_frames_are_resized_as_photographs_are_but_for_the_filter(width, height, clip):
    frame = resize(scene(97, 161), 322, 194)
    found = resize_frame(frame, width, height, clip=clip)
    assert found.shape == (height, width, 3)
    assert psnr(found, resize(frame, width, height, clip=clip)) > 40
    plane = resize_frame(frame[..., 1], width, height, clip=clip)
    np.testing.assert_allclose(plane, found[..., 1], atol=1e-5)


def test_what_enlarging_overshoots_is_clipped_if_it_is_to_be():
    edge = np.repeat([[0.0] * 8 + [1.0] * 8], 16, axis=0).astype("float32")
    assert resize_frame(edge, 64, 64, clip=False).max() > 1.01
    clipped = resize_frame(edge, 64, 64)
    assert clipped.min() == 0
    assert clipped.max() == 1


def test_without_opencv_it_is_resize(monkeypatch):
    frame = scene(48, 64)
    monkeypatch.setitem(sys.modules, "cv2", None)
    found = resize_frame(frame, 100, 80)
    np.testing.assert_array_equal(found, resize(frame, 100, 80))
