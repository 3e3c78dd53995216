"""What callers give as a picture."""

import io

import ml_dtypes
import numpy as np
import pytest
from PIL import Image

from nst_tf import InputError, load_image, save_image
from nst_tf.imaging.arrays import as_pixels
from tests.helpers import scene

PHOTO = np.round(scene(20, 24) * 255) / np.float32(255)
BYTES = np.rint(PHOTO * 255).astype("uint8")


@pytest.mark.parametrize(
    ("given", "atol"),
    [
        (PHOTO, 0),
        (BYTES, 1e-7),
        (BYTES.astype("uint16") * 257, 1e-7),
        (PHOTO.astype("float64"), 1e-7),
        (PHOTO.astype("float16"), 1e-3),
        (PHOTO.astype(ml_dtypes.bfloat16), 5e-3),
        (PHOTO[None], 0),
        (PHOTO.tolist(), 1e-7),
        (np.asfortranarray(PHOTO), 0),
        (Image.fromarray(BYTES), 1e-6),
    ],
)
def test_what_is_plain_becomes_float32_rgb(given, atol):
    found = as_pixels(given)
    assert (found.dtype, found.shape) == (np.float32, PHOTO.shape)
    np.testing.assert_allclose(found, PHOTO, atol=atol)


@pytest.mark.parametrize("shape", [(20, 24), (20, 24, 1), (1, 20, 24, 1)])
def test_grey_becomes_three_equal_channels(shape):
    found = as_pixels(BYTES[..., 1].reshape(shape))
    np.testing.assert_allclose(found, np.repeat(PHOTO[..., 1:2], 3, -1), atol=1e-7)


def test_pillow_images_that_can_not_be_decoded_are_refused(tmp_path):
    save_image(tmp_path / "photo.jpg", scene(64, 64))
    data = (tmp_path / "photo.jpg").read_bytes()
    with pytest.raises(InputError, match="the photograph can't be decoded"):
        as_pixels(Image.open(io.BytesIO(data[: len(data) // 2])), "the photograph")
    closed = Image.open(tmp_path / "photo.jpg")
    closed.close()
    with pytest.raises(InputError, match="the picture can't be decoded"):
        as_pixels(closed)
    floats = Image.fromarray(np.zeros((20, 20), "float32"))
    with pytest.raises(InputError, match=r"of mode F.*image\.convert"):
        as_pixels(floats)


def test_files_are_read_by_path_or_its_text(tmp_path):
    path = tmp_path / "photo.png"
    save_image(str(path), PHOTO)
    for given in (path, str(path), load_image(str(path))):
        np.testing.assert_allclose(as_pixels(given), PHOTO, atol=1e-6)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (PHOTO * 255, r"RGB in 0\.\.1, got .*divide by 255, or give uint8"),
        (PHOTO * 2 - 1, r"RGB in 0\.\.1, got -"),
        (BYTES.astype("int64"), "type int64, whose range is not known: give uint8"),
        (PHOTO > 0.5, "type bool"),
        (PHOTO * np.nan, "got nan"),
        (np.where(PHOTO > 0.5, np.inf, PHOTO), r"got .*inf"),
        (np.dstack([PHOTO, PHOTO[..., :1]]), r"four channels, \[20, 24, 4\]"),
        (np.moveaxis(PHOTO, -1, 0), r"channels come first; give np\.moveaxis"),
        (np.stack([PHOTO, PHOTO]), "a batch of 2 pictures"),
        (PHOTO[..., :2], r"must have the shape \[H, W, 3\], got \[20, 24, 2\]"),
        (PHOTO[0, 0], r"got \[3\]"),
        (np.zeros((0, 4, 3), "float32"), r"got \[0, 4, 3\]"),
        ([[1, 2], [3]], "is no array"),
        (None, r"must have the shape"),
    ],
)
def test_what_could_mean_several_things_is_refused(given, words):
    with pytest.raises(InputError, match=f"the painting .*{words}"):
        as_pixels(given, "the painting")
