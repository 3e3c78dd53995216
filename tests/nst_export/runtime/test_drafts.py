"""Large pictures from a small draft: sizes, what stays of the draft, memory."""

import numpy as np
import pytest

from nst_export.formats.web import set_size, size_rules
from nst_export.runtime import drafts
from nst_export.runtime.mix import mix_weights
from nst_export.runtime.stylizer import Stylizer, bundled
from nst_tf.imaging.resize import resize
from nst_tf.settings.checks import InputError
from tests.helpers import scene
from tests.serving import psnr


@pytest.fixture(scope="module")
def stylizer():
    return Stylizer.load(bundled())


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((768, 512), [(768, 512)]),
        ((768, 1024), [(768, 1024)]),
        ((1056, 792), [(683, 512), (1056, 792)]),
        ((3000, 4000), [(512, 683), (1239, 1652), (3000, 4000)]),
        ((8000, 1536), [(2667, 512), (8000, 1536)]),
        ((8000, 40), [(8000, 40)]),
    ],
)
def test_sizes_grow_evenly_up_to_the_photographs_own(size, expected):
    assert drafts.sizes(*size, 512) == expected


def test_what_is_seen_of_it_small_is_the_draft(stylizer):
    photo = scene(400, 560)
    weights = mix_weights(stylizer.styles, {"udnie": 1.0})
    picture = stylizer(photo, weights, draft=128)
    small = drafts.sizes(560, 400, 128)[0]
    draft = stylizer(resize(photo, *small), weights, draft=None)
    assert psnr(resize(picture, *small), draft) > 35
    alone = stylizer(photo, weights, draft=None)
    assert psnr(resize(alone, *small), draft) < 20
    # And it is no enlarged draft: what the revisions add is as fine as the pixels.
    assert _finest(picture) > 5 * _finest(resize(draft, 560, 400))


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.5])
def test_strength_means_of_a_large_picture_what_it_means_of_its_draft(
    stylizer, strength
):
    photo = scene(300, 300)
    weights = mix_weights(stylizer.styles, {"starry_night": 1.0}, strength=strength)
    picture = stylizer(photo, weights, draft=100)
    if not strength:
        np.testing.assert_allclose(picture, photo, atol=1e-6)
    draft = stylizer(resize(photo, 100, 100), weights, draft=None)
    assert psnr(resize(picture, 100, 100), draft) > 30


def test_small_pictures_have_no_draft(stylizer):
    photo = scene(160, 200)
    weights = mix_weights(stylizer.styles, {"udnie": 1.0})
    expected = stylizer(photo, weights, draft=None)
    np.testing.assert_array_equal(stylizer(photo, weights), expected)
    np.testing.assert_array_equal(stylizer(photo, weights, draft=128), expected)


@pytest.mark.parametrize("draft", [0, 15, float("nan")])
def test_a_draft_that_is_none_is_refused(stylizer, draft):
    weights = mix_weights(stylizer.styles, {"udnie": 1.0})
    with pytest.raises(InputError, match="draft must be"):
        stylizer(scene(40, 40), weights, draft=draft)


def test_a_file_of_one_size_has_no_draft(tmp_path, stylizer):
    data, path = bundled().read_bytes(), tmp_path / "fixed.tflite"
    path.write_bytes(set_size(data, size_rules(data), 60, 84))
    photo = scene(60, 84)
    weights = mix_weights(stylizer.styles, {"udnie": 1.0})
    picture = Stylizer.load(path)(photo, weights, draft=24)
    np.testing.assert_allclose(picture, stylizer(photo, weights), atol=1e-5)


@pytest.mark.parametrize("engine", ["litert", "openvino"])
def test_every_engine_knows_that_a_file_is_of_one_size(tmp_path, stylizer, engine):
    data, path = bundled().read_bytes(), tmp_path / "fixed.tflite"
    path.write_bytes(set_size(data, size_rules(data), 60, 84))
    weights = mix_weights(stylizer.styles, {"udnie": 1.0})
    fixed, photo = Stylizer.load(path, engine=engine), scene(60, 84)
    once = fixed(photo, weights, draft=None)
    np.testing.assert_array_equal(fixed(photo, weights, draft=24), once)
    with pytest.raises(InputError, match="takes 84x60 pixels only"):
        fixed(scene(64, 64), weights)


def test_tiles_get_the_memory_of_the_pass_before(monkeypatch, stylizer):
    found = []

    def paint(session, photo, style, *, most):
        found.append(most)
        return photo.copy()

    monkeypatch.setattr("nst_export.runtime.stylizer.free_memory", lambda: 400e6)
    monkeypatch.setattr("nst_export.runtime.tiling.paint", paint)
    weights = mix_weights(stylizer.styles, {"udnie": 1.0})
    stylizer(scene(256, 256), weights)
    stylizer(np.zeros((1200, 1200, 3), "float32"), weights, draft=None)
    assert stylizer.session.shape == ()
    channels = stylizer.tile_session().channels
    assert found == [stylizer.affordable(1200**2, channels)]


def _finest(picture):
    """Return how much a picture has that half of its pixels don't hold."""
    height, width = picture.shape[:2]
    half = resize(picture, width // 2, height // 2)
    return np.abs(picture - resize(half, width, height)).mean()
