"""Pictures from the bytes of a file, reduced while they are read."""

import io

import numpy as np
import pytest
from PIL import Image

from nst_tf.imaging.formats import FormatError, SizeError
from nst_tf.imaging.read import decode_image
from nst_tf.imaging.resize import resize
from nst_tf.imaging.scene import landscape
from nst_tf.imaging.write import to_bytes
from nst_tf.settings.checks import InputError
from tests.image_files import HEIGHT, WIDTH, noise, noise_file


def rgba():
    """Return pixels with alpha, and a PNG of them."""
    values, stream = noise(HEIGHT, WIDTH, 4), io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    return (values / 255).astype("float32"), stream.getvalue()


@pytest.mark.parametrize("size", [0, -5])
def test_a_size_without_pixels_is_refused(size):
    with pytest.raises(InputError, match=f"size must be at least 1 pixel, got {size}"):
        decode_image(rgba()[1], size=size)


def test_a_large_picture_is_reduced_with_its_alpha():
    values, data = rgba()
    color, alpha = values[..., :3], values[..., 3:]
    found = decode_image(data, size=16)
    shown = color * alpha + 1 - alpha
    np.testing.assert_allclose(found.pixels, resize(shown, 16, 10), atol=1e-6)
    expected = resize(np.ascontiguousarray(alpha[..., 0]), 16, 10)
    np.testing.assert_allclose(found.alpha, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "mode"), [("PNG", "RGB"), ("PNG", "L"), ("TIFF", "CMYK")]
)
def test_without_alpha_it_is_reduced_in_bytes_which_can_hardly_be_told(kind, mode):
    stream = io.BytesIO()
    photo = Image.fromarray(to_bytes(landscape(240, 320))).convert(mode)
    photo.save(stream, kind)
    found = decode_image(stream.getvalue(), size=80).pixels
    expected = resize(decode_image(stream.getvalue()).pixels, 80, 60)
    assert found.shape == expected.shape
    gaps = 255 * abs(found - expected)
    # More at edges alone, where what overshoots is cut off between the two axes.
    assert np.percentile(gaps, 99.9) <= 1
    assert gaps.max() < 5
    assert gaps.mean() < 0.4


@pytest.mark.parametrize("size", [None, WIDTH, 1000])
def test_a_small_picture_keeps_its_size(size):
    values, data = rgba()
    found = decode_image(data, size=size)
    assert found.pixels.shape == (HEIGHT, WIDTH, 3)
    np.testing.assert_allclose(found.alpha, values[..., 3], atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "least", "side"),
    [("JPEG", 16, 16), ("JPEG", 17, 32), ("JPEG", 100, 64), ("PNG", 16, 64)],
)
def test_a_jpeg_comes_out_no_smaller_than_what_is_enough(kind, least, side):
    data = noise_file(kind)
    found = decode_image(data, least=least).pixels
    assert found.shape == (side, side, 3)
    whole = decode_image(data).pixels
    np.testing.assert_allclose(found.mean(), whole.mean(), atol=0.02)


def test_bytes_are_refused_for_what_they_are():
    with pytest.raises(FormatError, match=r"the photo is empty \(0 bytes\)"):
        decode_image(b"", name="the photo")
    with pytest.raises(FormatError, match="the photo is not an image"):
        decode_image(b"text", name="the photo")
    with pytest.raises(
        SizeError, match=r"64x64 = 0\.004096 megapixels; at most 0\.004095"
    ):
        decode_image(noise_file("PNG"), max_pixels=4095)
