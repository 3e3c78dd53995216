"""Random squares of photographs."""

import numpy as np
import pytest
from PIL import Image

from nst_tf.imaging.crop import load_crop
from tests.helpers import scene


def test_a_crop_is_upright_square_and_within_the_picture(tmp_path):
    pixels = np.zeros((90, 60, 3), "uint8")
    pixels[:45] = 255  # Upright: white above black.
    turned = Image.fromarray(pixels).transpose(Image.Transpose.ROTATE_90)
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "a.jpg", exif=exif, quality=95)
    draw = np.random.default_rng(0)
    crops = [load_crop(tmp_path / "a.jpg", 32, draw) for _ in range(40)]
    for crop in crops:
        assert crop.shape == (32, 32, 3)
        assert np.ptp(crop.astype(int), axis=1).max() < 30  # Rows are uniform.
    tops = [crop[0].mean() for crop in crops]
    assert min(tops) < 30
    assert max(tops) > 225


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P", "I;16"])
def test_crops_of_every_kind_of_file(tmp_path, mode):
    grey = Image.fromarray((255 * scene(50, 40)).astype("uint8"))
    path = tmp_path / f"a.{'jpg' if mode == 'CMYK' else 'png'}"
    if mode == "I;16":
        Image.fromarray((65535 * scene(50, 40)[..., 0]).astype("uint16")).save(path)
    else:
        grey.convert(mode).save(path)
    crop = load_crop(path, 24, np.random.default_rng(1))
    assert crop.shape == (24, 24, 3)
    assert crop.std() > 10
