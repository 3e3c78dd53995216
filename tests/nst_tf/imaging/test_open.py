"""Which files are opened and which are refused, before they are decoded."""

import contextlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from nst_tf.imaging.metadata import read_settings
from nst_tf.imaging.read import load_image
from nst_tf.imaging.write import save_image
from nst_tf.settings.checks import MIN_SIDE, InputError
from tests.helpers import scene
from tests.image_files import HEIGHT, REFUSED, WIDTH, fail_to_decode, noise, noise_file


def test_of_a_multi_picture_jpeg_the_first_picture_is_read(tmp_path):
    first = Image.new("RGB", (WIDTH, HEIGHT), (250, 250, 250))
    second = Image.new("RGB", (WIDTH, HEIGHT), (5, 5, 5))
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second])
    with Image.open(tmp_path / "a.jpg") as file:
        assert file.format == "MPO"
    read = load_image(tmp_path / "a.jpg").pixels
    np.testing.assert_allclose(read, 250 / 255, atol=2 / 255)


def test_the_content_decides_and_not_the_ending(tmp_path):
    stored = noise(HEIGHT, WIDTH, 3)
    Image.fromarray(stored).save(tmp_path / "really-a-png.jpg", "PNG")
    read = load_image(tmp_path / "really-a-png.jpg").pixels
    np.testing.assert_allclose(read, stored / 255, atol=1e-6)


def test_the_smallest_and_the_largest_size_are_accepted(tmp_path):
    save_image(tmp_path / "a.png", scene(MIN_SIDE, MIN_SIDE))
    read = load_image(tmp_path / "a.png", max_pixels=MIN_SIDE**2).pixels
    assert read.shape == (MIN_SIDE, MIN_SIDE, 3)


@pytest.mark.parametrize("name", REFUSED)
def test_unfit_files_are_refused_by_name(tmp_path, name):
    make, reason = REFUSED[name]
    path = tmp_path / name
    path.write_bytes(make())
    with pytest.raises(InputError, match=reason) as caught:
        load_image(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["nothing.png", "a.txt/inside.png"])
def test_a_missing_file_is_refused_by_name(tmp_path, name):
    (tmp_path / "a.txt").write_text("text")
    for read in (load_image, read_settings):
        with pytest.raises(InputError, match="there is no file") as caught:
            read(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("name", ["n" * 300 + ".png", "null\0character.png"])
def test_an_impossible_name_is_refused(tmp_path, name):
    for use in (load_image, read_settings):
        with pytest.raises(InputError):
            use(tmp_path / name)


def test_a_folder_is_refused_by_name(tmp_path):
    for read in (load_image, read_settings):
        with pytest.raises(InputError, match="is a folder") as caught:
            read(tmp_path)
        assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP"])
def test_nothing_is_decoded_before_the_size_is_judged(tmp_path, monkeypatch, kind):
    (tmp_path / "a").write_bytes(noise_file(kind))
    monkeypatch.setattr(ImageFile.ImageFile, "load", fail_to_decode)
    with pytest.raises(AssertionError, match="decoded"):
        load_image(tmp_path / "a")
    with pytest.raises(InputError, match="64x64"):
        load_image(tmp_path / "a", max_pixels=64 * 64 - 1)


@pytest.mark.parametrize("name", ["moving.webp", "moving.png", "pages.tif"])
def test_no_frame_is_decoded_to_count_them(tmp_path, monkeypatch, name):
    (tmp_path / name).write_bytes(REFUSED[name][0]())
    monkeypatch.setattr(ImageFile.ImageFile, "load", fail_to_decode)
    with pytest.raises(InputError, match="3 frames"):
        load_image(tmp_path / name)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP"])
def test_damaged_bytes_give_a_picture_or_a_refusal(tmp_path, kind):
    whole, rng = noise_file(kind), np.random.default_rng(5)
    for _ in range(40):
        data = bytearray(whole)
        for position in rng.integers(0, min(len(data), 400), 3):
            data[position] = rng.integers(256)
        (tmp_path / "a").write_bytes(data)
        with contextlib.suppress(InputError):
            assert np.isfinite(
                load_image(tmp_path / "a", max_pixels=10**6).pixels
            ).all()
