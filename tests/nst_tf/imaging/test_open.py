"""Which files are opened and which are refused, before they are decoded."""

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageFile

from nst_tf.imaging.metadata import read_settings
from nst_tf.imaging.read import load_image
from nst_tf.imaging.write import save_image
from nst_tf.settings.checks import MIN_SIDE, InputError
from tests.helpers import scene
from tests.image_files import (
    HEIGHT,
    REFUSED,
    WIDTH,
    fail_to_decode,
    noise,
    noise_file,
    png,
)


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
    with pytest.raises(InputError, match="the file was decoded"):
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


def heic_head():
    return b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf" + bytes(200)


def test_without_the_extra_a_heic_is_named_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("nst_tf.imaging.open.reads_heif", lambda: False)
    (tmp_path / "phone.jpg").write_bytes(heic_head())
    with pytest.raises(InputError, match=r"HEIC file; install nst-tf\[heif\]"):
        load_image(tmp_path / "phone.jpg")


def test_with_the_extra_a_heic_is_read(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    stored = np.full((HEIGHT * 4, WIDTH * 4, 3), (200, 100, 50), "uint8")
    made = pillow_heif.from_bytes("RGB", stored.shape[1::-1], stored.tobytes())
    made.save(tmp_path / "a.heic", quality=95)
    read = load_image(tmp_path / "a.heic").pixels
    assert read.shape == stored.shape
    np.testing.assert_allclose(read, stored / 255, atol=0.03)
    (tmp_path / "b.heic").write_bytes(heic_head())
    with pytest.raises(InputError, match=r"b\.heic"):
        load_image(tmp_path / "b.heic")


def test_an_avif_is_read_and_its_colours_too(tmp_path):
    stored = np.full((HEIGHT, WIDTH, 3), (200, 100, 50), "uint8")
    Image.fromarray(stored).save(tmp_path / "a.avif", quality=95)
    read = load_image(tmp_path / "a.avif").pixels
    np.testing.assert_allclose(read, stored / 255, atol=0.02)
    data = (tmp_path / "a.avif").read_bytes()
    place = data.index(b"colrnclx") + 8
    hdr = data[:place] + b"\0\x09\0\x10" + data[place + 4 :]
    (tmp_path / "hdr.avif").write_bytes(hdr)
    with pytest.raises(InputError, match="HDR"):
        load_image(tmp_path / "hdr.avif")


def test_a_pipe_is_read_to_its_end(tmp_path):
    stored = noise(HEIGHT, WIDTH, 3)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    Image.fromarray(stored).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(pipe.write_bytes, data)
        read = load_image(pipe).pixels
    np.testing.assert_allclose(read, stored / 255, atol=1e-6)


def test_a_phones_108_megapixels_are_read_where_they_are_reduced(tmp_path):
    rows = b"".join(b"\0" + bytes([value]) * 1500 for value in (0, 255) * 4500)
    (tmp_path / "a.png").write_bytes(png(12000, 9000, 1, 0, rows))
    with pytest.raises(InputError, match=r"too large.*108 megapixels; at most 100"):
        load_image(tmp_path / "a.png")
    read = load_image(tmp_path / "a.png", size=64).pixels
    assert read.shape == (48, 64, 3)
    np.testing.assert_allclose(read, 0.5, atol=0.01)
