"""What pictures carry: settings and what the camera wrote."""

import struct

import numpy as np
import pytest
from PIL import Image, ImageFile

from nst_tf.imaging.metadata import read_exif, read_settings
from nst_tf.imaging.read import load_image, load_photograph
from nst_tf.imaging.write import save_image
from nst_tf.settings.checks import InputError
from tests.helpers import scene
from tests.image_files import (
    HEIGHT,
    REFUSED,
    SUFFIXES,
    WIDTH,
    camera,
    fail_to_decode,
    noise,
)

DESCRIPTION = 0x010E
SETTINGS = {
    "program": "nst-tf 0",
    "settings": {"size": 512, "loss": {"layers": ["block1_conv1"], "rate": None}},
    "content": {"name": "Mädchen 写真.jpg", "share": 0.1},
}


@pytest.mark.parametrize("name", ["a", "Mädchen mit Perle", "写真 🖼"])
@pytest.mark.parametrize("suffix", [s for s in SUFFIXES if s != ".bmp"])
def test_settings_are_read_back_from_the_picture(tmp_path, suffix, name):
    path = tmp_path / f"{name}{suffix}"
    save_image(path, scene(HEIGHT, WIDTH), settings=SETTINGS)
    assert read_settings(path) == SETTINGS
    assert load_image(path).pixels.shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_settings_do_not_change_the_pixels(tmp_path, suffix):
    picture = noise(HEIGHT, WIDTH, 3) / 255
    save_image(tmp_path / f"a{suffix}", picture, settings=SETTINGS)
    read = load_image(tmp_path / f"a{suffix}").pixels
    np.testing.assert_allclose(read, picture, atol=1e-6)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_picture_without_settings_is_refused(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    save_image(path, scene(HEIGHT, WIDTH))
    with pytest.raises(InputError, match="carries no settings") as caught:
        read_settings(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["A sunset", "[1, 2]", "3", "null", "[" * 100_000])
def test_a_description_by_another_program_is_refused(tmp_path, text):
    path = tmp_path / "a.tif"
    image = Image.fromarray(noise(HEIGHT, WIDTH, 3))
    image.save(path, tiffinfo={DESCRIPTION: text})
    with pytest.raises(InputError, match="carries no settings"):
        read_settings(path)


@pytest.mark.parametrize("name", REFUSED)
def test_unfit_files_have_no_settings(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(REFUSED[name][0]())
    with pytest.raises(InputError) as caught:
        read_settings(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_settings_are_read_without_decoding(tmp_path, monkeypatch, suffix):
    save_image(tmp_path / f"with{suffix}", scene(HEIGHT, WIDTH), settings=SETTINGS)
    save_image(tmp_path / f"without{suffix}", scene(HEIGHT, WIDTH))
    monkeypatch.setattr(ImageFile.ImageFile, "load", fail_to_decode)
    assert read_settings(tmp_path / f"with{suffix}") == SETTINGS
    with pytest.raises(InputError, match="carries no settings"):
        read_settings(tmp_path / f"without{suffix}")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_what_the_camera_wrote_is_kept_but_for_the_orientation(tmp_path, suffix):
    make, orientation = 0x010F, 0x0112
    taken = Image.Exif()
    taken[make], taken[orientation] = "Camera", 6
    image = Image.fromarray(noise(HEIGHT, WIDTH, 3))
    image.save(tmp_path / f"taken{suffix}", exif=taken)
    exif, path = read_exif(tmp_path / f"taken{suffix}"), tmp_path / f"a{suffix}"
    save_image(path, scene(HEIGHT, WIDTH), settings=SETTINGS, exif=exif)
    with Image.open(path) as file:
        kept = file.getexif()
    assert kept[make] == "Camera"
    assert orientation not in kept
    assert read_settings(path) == SETTINGS


GPS, EXIF = 0x8825, 0x8769


@pytest.mark.parametrize("suffix", [s for s in SUFFIXES if s != ".bmp"])
def test_directories_of_a_phone_are_kept_in_every_format(tmp_path, suffix):
    (tmp_path / "taken.jpg").write_bytes(camera())
    exif, path = read_exif(tmp_path / "taken.jpg"), tmp_path / f"a{suffix}"
    assert save_image(path, scene(HEIGHT, WIDTH), settings=SETTINGS, exif=exif) == ()
    with Image.open(path) as file:
        kept = file.getexif()
        assert kept[0x0110] == "Camera 7"
        assert kept.get_ifd(GPS)[1] == "N"
        assert kept.get_ifd(EXIF)[0x9003] == "2024:05:01 10:11:12"
    assert read_settings(path) == SETTINGS
    assert load_image(path).pixels.shape == (HEIGHT, WIDTH, 3)


def test_what_contradicts_the_picture_is_corrected_or_dropped(tmp_path):
    (tmp_path / "taken.jpg").write_bytes(camera(space=65535, interop="R03"))
    exif = read_exif(tmp_path / "taken.jpg")
    save_image(tmp_path / "a.jpg", scene(HEIGHT, WIDTH), exif=exif)
    with Image.open(tmp_path / "a.jpg") as file:
        kept = file.getexif()
        inside = kept.get_ifd(EXIF)
        assert inside[0xA001] == 1
        assert not {0xA002, 0xA003, 0xA005} & set(inside)
        assert 0x0112 not in kept
        assert not kept.get_ifd(1)


def test_exif_too_long_for_a_jpeg_is_cut_and_said(tmp_path):
    taken = Image.Exif()
    taken[0x010F] = "Camera"
    taken[EXIF] = {0x927C: bytes(60000), 0x9286: bytes(30000), 0x8827: 200}
    exif, path = taken.tobytes(), tmp_path / "a.jpg"
    lost = save_image(path, scene(HEIGHT, WIDTH), settings=SETTINGS, exif=exif)
    assert lost == ("MakerNote",)
    with Image.open(path) as file:
        assert file.getexif()[0x010F] == "Camera"
        assert file.getexif().get_ifd(EXIF)[0x8827] == 200
    assert read_settings(path) == SETTINGS


@pytest.mark.parametrize("kind", [5, 11])  # A fraction and a float, of text.
@pytest.mark.parametrize("reduced", [False, True])
def test_exif_that_can_not_be_written_never_costs_a_picture_that_lies_on_its_side(
    tmp_path, monkeypatch, kind, reduced
):
    taken = Image.Exif()
    taken[0x0112], taken[0x0132], taken[0x010F] = 6, "2024:05:01 10:11:12", "Camera"
    exif = taken.tobytes()
    order = "<" if exif[6:8] == b"II" else ">"
    text, other = (struct.pack(f"{order}HHL", 0x0132, *x) for x in ((2, 20), (kind, 1)))
    assert text in exif  # Tag, type and count.
    exif = exif.replace(text, other)
    image = Image.fromarray(np.tile(np.arange(0, 240, 5, "uint8"), (32, 1)))
    image.save(tmp_path / "a.jpg", exif=exif, quality=100)
    if reduced:  # As what is too large for floats.
        monkeypatch.setattr("nst_tf.imaging.read.MAX_PIXELS", 1000)
    photo = load_photograph(tmp_path / "a.jpg", size=48)
    assert photo.picture.pixels.shape == (48, 32, 3)
    assert (np.diff(photo.picture.pixels[:, 0, 0]) > 0).all()
    lost = save_image(tmp_path / "b.jpg", photo.picture.pixels, exif=photo.exif)
    with Image.open(tmp_path / "b.jpg") as file:
        assert file.getexif()[0x010F] == "Camera"
    assert lost == ()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\x08\0\0\0\xff\xff"]
)
def test_damaged_exif_never_costs_the_picture(tmp_path, suffix, exif):
    path = tmp_path / f"a{suffix}"
    save_image(path, scene(HEIGHT, WIDTH), exif=exif)
    assert load_image(path).pixels.shape == (HEIGHT, WIDTH, 3)
