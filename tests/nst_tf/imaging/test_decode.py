"""What a file shows: upright, every kind of pixel, on white where transparent."""

import numpy as np
import pytest
from PIL import Image

from nst_tf.imaging.read import load_image
from tests.image_files import HEIGHT, WIDTH, noise, png

ORIENTATION = 0x0112
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}
"""What turns stored rows and columns upright, by EXIF orientation."""


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_turned_upright(tmp_path, orientation, suffix):
    stored = noise(HEIGHT, WIDTH, 3)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(stored).save(tmp_path / f"a{suffix}", exif=exif)
    read = load_image(tmp_path / f"a{suffix}").pixels
    np.testing.assert_allclose(read, UPRIGHT[orientation](stored) / 255, atol=1e-6)


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_jpeg_from_a_phone_is_turned_upright(tmp_path, orientation):
    stored = np.zeros((HEIGHT, WIDTH, 3), "uint8")
    stored[: HEIGHT // 2, : WIDTH // 2] = 255
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(stored).save(tmp_path / "a.jpg", exif=exif, quality=95)
    read = load_image(tmp_path / "a.jpg").pixels
    expected = UPRIGHT[orientation](stored) / 255
    assert read.shape == expected.shape
    assert np.abs(read - expected).mean() < 0.03


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_an_uncompressed_grey_tiff_is_turned_upright(tmp_path, dtype):
    stored = noise(HEIGHT, WIDTH, dtype=dtype)
    Image.fromarray(stored).save(tmp_path / "a.tif", tiffinfo={ORIENTATION: 6})
    read = load_image(tmp_path / "a.tif").pixels
    expected = np.rot90(stored, -1) / np.iinfo(dtype).max
    np.testing.assert_allclose(read[..., 0], expected, atol=1e-6)


def test_transparent_pixels_are_composed_on_white(tmp_path):
    stored = noise(HEIGHT, WIDTH, 4)
    stored[:5, :, 3] = 0
    Image.fromarray(stored).save(tmp_path / "a.png")
    read = load_image(tmp_path / "a.png")
    alpha = stored[..., 3:] / 255
    expected = stored[..., :3] / 255 * alpha + (1 - alpha)
    np.testing.assert_allclose(read.pixels, expected, atol=1e-6)
    assert (read.pixels[:5] == 1).all()


def test_grey_with_alpha_is_composed_on_white(tmp_path):
    stored = noise(HEIGHT, WIDTH, 2)
    Image.fromarray(stored, "LA").save(tmp_path / "a.png")
    read = load_image(tmp_path / "a.png")
    grey, alpha = stored[..., :1] / 255, stored[..., 1:] / 255
    expected = np.repeat(grey * alpha + 1 - alpha, 3, axis=-1)
    np.testing.assert_allclose(read.pixels, expected, atol=1e-6)
    np.testing.assert_allclose(read.alpha, alpha[..., 0], atol=1e-6)


COLOURS = np.array([[200, 30, 10], [20, 180, 60], [5, 90, 250]], "uint8")


def palette_image():
    index = noise(HEIGHT, WIDTH) % 3
    image = Image.fromarray(index, "P")
    image.putpalette(COLOURS.tobytes())
    return index, image


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_a_palette_gives_its_colours(tmp_path, suffix):
    index, image = palette_image()
    image.save(tmp_path / f"a{suffix}")
    read = load_image(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(read.pixels, COLOURS[index] / 255, atol=1e-6)
    assert read.alpha is None


def test_a_transparent_colour_of_the_palette_becomes_white(tmp_path):
    index, image = palette_image()
    image.save(tmp_path / "a.png", transparency=1)
    read = load_image(tmp_path / "a.png")
    expected = np.where((index == 1)[..., None], 1.0, COLOURS[index] / 255)
    np.testing.assert_allclose(read.pixels, expected, atol=1e-6)
    np.testing.assert_array_equal(read.alpha, index != 1)


def test_a_palette_may_hold_an_alpha_for_each_colour(tmp_path):
    index, image = palette_image()
    image.save(tmp_path / "a.png", transparency=bytes([255, 51, 0]))
    read = load_image(tmp_path / "a.png")
    np.testing.assert_allclose(read.alpha, np.array([1.0, 0.2, 0.0])[index], atol=1e-6)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_greyscale_gives_three_equal_channels(tmp_path, suffix):
    stored = noise(HEIGHT, WIDTH)
    Image.fromarray(stored).save(tmp_path / f"a{suffix}")
    read = load_image(tmp_path / f"a{suffix}").pixels
    expected = np.repeat(stored[..., None], 3, axis=-1) / 255
    np.testing.assert_allclose(read, expected, atol=1e-6)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_one_bit_gives_black_and_white(tmp_path, suffix):
    stored = noise(HEIGHT, WIDTH) > 127
    Image.fromarray(stored).convert("1").save(tmp_path / f"a{suffix}")
    read = load_image(tmp_path / f"a{suffix}").pixels
    np.testing.assert_array_equal(read, np.repeat(stored[..., None], 3, axis=-1))


@pytest.mark.parametrize(
    "ink", [(0, 0, 0, 0), (255, 0, 0, 0), (0, 100, 200, 0), (60, 0, 120, 90)]
)
def test_a_cmyk_jpeg_gives_the_light_that_its_inks_leave(tmp_path, ink):
    image = Image.new("CMYK", (WIDTH, HEIGHT), ink)
    image.save(tmp_path / "a.jpg", quality=95)
    read = load_image(tmp_path / "a.jpg").pixels
    cyan, magenta, yellow, black = np.array(ink) / 255
    expected = (1 - np.array([cyan, magenta, yellow])) * (1 - black)
    np.testing.assert_allclose(
        read, np.broadcast_to(expected, read.shape), atol=3 / 255
    )


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_of_grey_are_all_kept(tmp_path, suffix):
    stored = noise(HEIGHT, WIDTH, dtype="uint16")
    Image.fromarray(stored).save(tmp_path / f"a{suffix}")
    read = load_image(tmp_path / f"a{suffix}").pixels
    expected = np.repeat(stored[..., None], 3, axis=-1) / 65535
    np.testing.assert_allclose(read, expected, atol=1e-6)


def test_a_big_endian_sixteen_bit_tiff_is_read(tmp_path):
    stored = noise(HEIGHT, WIDTH, dtype="uint16")
    data = stored.astype(">u2").tobytes()
    Image.frombytes("I;16B", (WIDTH, HEIGHT), data).save(tmp_path / "a.tif")
    read = load_image(tmp_path / "a.tif").pixels
    np.testing.assert_allclose(read[..., 1], stored / 65535, atol=1e-6)


def test_a_sixteen_bit_colour_png_is_read_to_eight_bits(tmp_path):
    stored = noise(HEIGHT, WIDTH, 3, dtype="uint16")
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in stored)
    (tmp_path / "a.png").write_bytes(png(WIDTH, HEIGHT, 16, 2, rows))
    read = load_image(tmp_path / "a.png").pixels
    np.testing.assert_allclose(read, stored / 65535, atol=1 / 255)


def test_a_float_tiff_is_read_in_0_to_1(tmp_path):
    stored = np.linspace(-0.5, 1.5, HEIGHT * WIDTH, dtype="float32")
    stored = stored.reshape(HEIGHT, WIDTH)
    Image.fromarray(stored).save(tmp_path / "a.tif")
    read = load_image(tmp_path / "a.tif").pixels
    np.testing.assert_array_equal(read[..., 2], np.clip(stored, 0, 1))
