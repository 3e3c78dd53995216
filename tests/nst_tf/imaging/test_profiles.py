"""Pictures with an ICC profile are converted to sRGB."""

import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from nst_tf.imaging.read import load_image
from tests.image_files import HEIGHT, WIDTH, noise

COLORANTS = {
    "rXYZ": (0.4360, 0.2225, 0.0139),
    "gXYZ": (0.3851, 0.7169, 0.0971),
    "bXYZ": (0.1431, 0.0606, 0.7141),
}
"""The primaries of sRGB adapted to D50, as its ICC profile has them."""


def icc(space, **tags):
    """Return an ICC 2.1 display profile with these tags."""
    body, table = b"", struct.pack(">I", len(tags))
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name.encode() + struct.pack(">II", start + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    head = struct.pack(">I4xI", start + len(body), 0x02100000)
    head += b"mntr" + space + b"XYZ " + bytes(12) + b"acsp" + bytes(28)
    head += xyz(0.9642, 1.0, 0.8249)[8:]
    return head.ljust(128, b"\0") + table + body


def xyz(*values):
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in values))


LINEAR = b"curv" + bytes(8)
"""A tone curve that is the identity: values proportional to light."""


def gamma(value):
    return b"curv" + struct.pack(">4xIH", 1, round(value * 256))


def linear_rgb(red="rXYZ", green="gXYZ"):
    colorants = {"rXYZ": COLORANTS[red], "gXYZ": COLORANTS[green]}
    colorants["bXYZ"] = COLORANTS["bXYZ"]
    tags = {name: xyz(*values) for name, values in colorants.items()}
    curves = dict.fromkeys(("rTRC", "gTRC", "bTRC"), LINEAR)
    return icc(b"RGB ", wtpt=xyz(0.9642, 1.0, 0.8249), **tags, **curves)


def srgb_curve(light):
    """Encode linear light as IEC 61966-2-1 says."""
    return np.where(
        light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055
    )


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_profile_of_linear_light_is_converted_to_srgb(tmp_path, suffix):
    stored = noise(HEIGHT, WIDTH, 3)
    profile = linear_rgb()
    Image.fromarray(stored).save(tmp_path / f"a{suffix}", icc_profile=profile)
    read = load_image(tmp_path / f"a{suffix}").pixels
    np.testing.assert_allclose(read, srgb_curve(stored / 255), atol=2 / 255)


def test_a_profile_with_red_and_green_exchanged_exchanges_them(tmp_path):
    stored = noise(HEIGHT, WIDTH, 3)
    profile = linear_rgb(red="gXYZ", green="rXYZ")
    Image.fromarray(stored).save(tmp_path / "a.png", icc_profile=profile)
    read = load_image(tmp_path / "a.png").pixels
    expected = srgb_curve(stored[..., [1, 0, 2]] / 255)
    np.testing.assert_allclose(read, expected, atol=2 / 255)


def test_a_grey_profile_of_gamma_1_8_is_converted_to_srgb(tmp_path):
    stored = noise(HEIGHT, WIDTH)
    profile = icc(b"GRAY", wtpt=xyz(0.9642, 1.0, 0.8249), kTRC=gamma(1.8))
    Image.fromarray(stored).save(tmp_path / "a.png", icc_profile=profile)
    read = load_image(tmp_path / "a.png").pixels
    light = (stored / 255) ** 1.8
    expected = np.repeat(srgb_curve(light)[..., None], 3, axis=-1)
    np.testing.assert_allclose(read, expected, atol=2 / 255)


def test_colours_under_alpha_are_converted_and_alpha_is_not(tmp_path):
    stored = noise(HEIGHT, WIDTH, 4)
    Image.fromarray(stored).save(tmp_path / "a.png", icc_profile=linear_rgb())
    read = load_image(tmp_path / "a.png")
    alpha = stored[..., 3:] / 255
    expected = srgb_curve(stored[..., :3] / 255) * alpha + 1 - alpha
    np.testing.assert_allclose(read.pixels, expected, atol=2 / 255)
    np.testing.assert_allclose(read.alpha, alpha[..., 0], atol=1e-6)


def srgb_profile():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1"])
def test_an_srgb_profile_changes_nothing(tmp_path, mode):
    image = Image.fromarray(noise(HEIGHT, WIDTH, 3)).convert(mode)
    expected = np.asarray(image.convert("RGB")) / 255
    image.save(tmp_path / "a.png", icc_profile=srgb_profile())
    read = load_image(tmp_path / "a.png").pixels
    np.testing.assert_allclose(read, expected, atol=1.01 / 255)


@pytest.mark.parametrize("profile", [b"garbage" * 40, srgb_profile()[:200], b"x"])
def test_a_damaged_profile_is_ignored(tmp_path, profile):
    stored = noise(HEIGHT, WIDTH, 3)
    Image.fromarray(stored).save(tmp_path / "a.png", icc_profile=profile)
    read = load_image(tmp_path / "a.png").pixels
    np.testing.assert_allclose(read, stored / 255, atol=1e-6)
