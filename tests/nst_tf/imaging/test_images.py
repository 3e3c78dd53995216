"""Image files: every kind that is read, every kind that is refused, whole writes."""

import contextlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile

from nst_tf.imaging.metadata import read_settings
from nst_tf.imaging.read import load_image
from nst_tf.imaging.resize import fit, resize
from nst_tf.imaging.write import check_output, save_image, to_bytes
from nst_tf.settings.checks import MIN_SIDE, InputError
from tests.helpers import scene

HEIGHT, WIDTH = 20, 32
ORIENTATION, DESCRIPTION = 0x0112, 0x010E
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")


def noise(*shape, dtype="uint8", seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


def chunk(kind, data):
    crc = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + crc


def png(width, height, depth, colour, rows=b""):
    """Return a PNG file: unfiltered `rows` under a header of any size."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


# Files that are read.


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".bmp", ".PNG"])
def test_lossless_formats_keep_every_one_of_the_256_values(tmp_path, suffix):
    values = noise(HEIGHT, WIDTH, 3)
    values.flat[:256] = np.arange(256)
    save_image(tmp_path / f"a{suffix}", (values / 255).astype("float32"))
    read = load_image(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(read.pixels, values / 255, atol=1e-6)
    assert read.pixels.dtype == np.float32
    assert read.alpha is None


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp", ".JPG"])
def test_lossy_formats_come_back_close(tmp_path, suffix):
    y, x = np.mgrid[0:48, 0:64] / 64
    picture = np.stack([x, y, 1 - x], axis=-1).astype("float32")
    save_image(tmp_path / f"a{suffix}", picture)
    read = load_image(tmp_path / f"a{suffix}").pixels
    assert np.abs(read - picture).mean() < 1.5 / 255
    assert np.abs(read - picture).max() < 12 / 255


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        (".png", "PNG"),
        (".jpg", "JPEG"),
        (".webp", "WEBP"),
        (".tiff", "TIFF"),
        (".bmp", "BMP"),
    ],
)
def test_the_file_has_the_format_of_its_ending(tmp_path, suffix, kind):
    save_image(tmp_path / f"a{suffix}", scene(HEIGHT, WIDTH))
    with Image.open(tmp_path / f"a{suffix}") as file:
        assert file.format == kind


def test_colour_is_not_subsampled_in_a_jpeg(tmp_path):
    save_image(tmp_path / "a.jpg", scene(HEIGHT, WIDTH))
    with Image.open(tmp_path / "a.jpg") as file:
        assert {component[1:3] for component in file.layer} == {(1, 1)}


def test_values_are_clipped_and_rounded_to_the_nearest_byte():
    given = np.array([-0.2, 0.0, 100.4 / 255, 100.6 / 255, 1.0, 1.7], "float32")
    np.testing.assert_array_equal(to_bytes(given), [0, 0, 100, 101, 255, 255])


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


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_alpha_is_written_and_read_back(tmp_path, suffix):
    alpha = noise(HEIGHT, WIDTH) / 255
    save_image(tmp_path / f"a{suffix}", scene(HEIGHT, WIDTH), alpha=alpha)
    read = load_image(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(read.alpha, alpha, atol=1e-6)
    assert read.alpha.dtype == np.float32


@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_formats_without_alpha_keep_the_colours(tmp_path, suffix):
    picture = np.full((HEIGHT, WIDTH, 3), 0.4, "float32")
    save_image(tmp_path / f"a{suffix}", picture, alpha=np.zeros((HEIGHT, WIDTH)))
    read = load_image(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(read.pixels, picture, atol=1.01 / 255)
    assert read.alpha is None


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


# Files that are refused.


def encoded(kind, **options):
    stream = io.BytesIO()
    Image.fromarray(noise(64, 64, 3)).save(stream, kind, **options)
    return stream.getvalue()


def frames(kind):
    images = [Image.fromarray(noise(HEIGHT, WIDTH, 3, seed=k)) for k in range(3)]
    stream = io.BytesIO()
    images[0].save(stream, kind, save_all=True, append_images=images[1:])
    return stream.getvalue()


def floats(value):
    stream = io.BytesIO()
    Image.fromarray(np.full((HEIGHT, WIDTH), value, "float32")).save(stream, "TIFF")
    return stream.getvalue()


def half(data):
    return data[: len(data) // 2]


REFUSED = {
    "empty.jpg": (lambda: b"", "empty"),
    "text.jpg": (lambda: b"This is no picture.\n" * 20, "not an image"),
    "zeros.png": (lambda: bytes(500), "not an image"),
    "cut.jpg": (lambda: half(encoded("JPEG")), "damaged"),
    "cut.png": (lambda: half(encoded("PNG")), "damaged"),
    "cut.webp": (lambda: half(encoded("WEBP")), "damaged"),
    "cut.bmp": (lambda: half(encoded("BMP")), "damaged"),
    "cut.tif": (lambda: half(encoded("TIFF")), "not an image|damaged"),
    "header.jpg": (lambda: encoded("JPEG")[:20], "not an image|damaged"),
    "no-rows.png": (lambda: png(WIDTH, HEIGHT, 8, 2), "damaged"),
    "nan.tif": (lambda: floats(np.nan), "not finite"),
    "infinite.tif": (lambda: floats(np.inf), "not finite"),
    "dot.png": (lambda: png(1, 1, 8, 2, bytes(4)), "1x1 pixels"),
    "thin.png": (lambda: png(15, 600, 8, 0, bytes(16 * 600)), "15x600 pixels"),
    "header-of-20000.png": (lambda: png(20000, 20000, 8, 2), "too large"),
    "header-of-11000.png": (lambda: png(11000, 11000, 8, 2), "121 megapixels"),
    "bomb.png": (lambda: png(12000, 12000, 1, 0, bytes(1501 * 12000)), "144 megapix"),
    "moving.gif": (lambda: frames("GIF"), "GIF"),
    "still.gif": (lambda: encoded("GIF"), "GIF file; convert it"),
    "moving.webp": (lambda: frames("WEBP"), "3 frames"),
    "moving.png": (lambda: frames("PNG"), "3 frames"),
    "pages.tif": (lambda: frames("TIFF"), "3 frames"),
    "portable.ppm": (lambda: encoded("PPM"), "PPM file; convert it"),
}
"""File names, their bytes, and what the refusal says."""


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


def fail_to_decode(*_):
    raise AssertionError("the file was decoded")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP"])
def test_nothing_is_decoded_before_the_size_is_judged(tmp_path, monkeypatch, kind):
    (tmp_path / "a").write_bytes(encoded(kind))
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
    whole, rng = encoded(kind), np.random.default_rng(5)
    for _ in range(40):
        data = bytearray(whole)
        for position in rng.integers(0, min(len(data), 400), 3):
            data[position] = rng.integers(256)
        (tmp_path / "a").write_bytes(data)
        with contextlib.suppress(InputError):
            assert np.isfinite(
                load_image(tmp_path / "a", max_pixels=10**6).pixels
            ).all()


# Sizes.


@pytest.mark.parametrize(
    ("width", "height", "size", "side", "expected"),
    [
        (4000, 3000, 512, "long", (512, 384)),
        (3000, 4000, 512, "long", (384, 512)),
        (4000, 3000, 512, "short", (683, 512)),
        (3000, 4000, 512, "short", (512, 683)),
        (500, 500, 64, "long", (64, 64)),
        (50, 100, 200, "long", (100, 200)),
        (10000, 10, 100, "long", (100, 1)),
        (640, 480, 640, "long", (640, 480)),
    ],
)
def test_fit_keeps_the_proportions(width, height, size, side, expected):
    assert fit(width, height, size, side) == expected


def triangle(x):
    return np.maximum(0, 1 - np.abs(x))


def lanczos(x):
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


def resampling(before, after, kernel):
    """Return the matrix of the antialiased filter, its rows adding up to 1."""
    ratio = before / after
    centres = (np.arange(after)[:, None] + 0.5) * ratio
    offsets = (np.arange(before)[None] + 0.5 - centres) / max(ratio, 1)
    weights = kernel(offsets)
    return weights / weights.sum(axis=1, keepdims=True)


KERNELS = {"bilinear": triangle, "lanczos": lanczos}
SIZES = [(16, 10), (21, 13), (40, 31), (64, 7)]


@pytest.mark.parametrize("resample", KERNELS)
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_resize_is_the_antialiased_filter_in_float(resample, width, height):
    picture = np.random.default_rng(0).random((HEIGHT, WIDTH, 3), "float32")
    rows = resampling(HEIGHT, height, KERNELS[resample])
    columns = resampling(WIDTH, width, KERNELS[resample])
    expected = np.einsum("yh,xw,hwc->yxc", rows, columns, picture.astype("float64"))
    got = resize(picture, width, height, resample=resample)
    assert got.dtype == np.float32
    # A hundredth of a byte's step: nothing was rounded to 8 bits on the way.
    np.testing.assert_allclose(got, np.clip(expected, 0, 1), atol=4e-5)


@pytest.mark.parametrize("resample", KERNELS)
@pytest.mark.parametrize("value", [0.0, 0.123456, 1.0])
def test_a_constant_picture_stays_constant(resample, value):
    picture = np.full((HEIGHT, WIDTH, 3), value, "float32")
    for width, height in SIZES:
        got = resize(picture, width, height, resample=resample)
        assert got.shape == (height, width, 3)
        np.testing.assert_allclose(got, value, atol=1e-6)


@pytest.mark.parametrize("resample", KERNELS)
@pytest.mark.parametrize("factor", [0.25, 0.5, 2, 4])
def test_resize_preserves_the_mean(resample, factor):
    y, x = np.mgrid[0:64, 0:64] / 64
    picture = 0.5 + 0.3 * np.stack([np.sin(6 * x), np.cos(5 * y), x * y - 0.3], -1)
    side = round(64 * factor)
    got = resize(picture.astype("float32"), side, side, resample=resample)
    np.testing.assert_allclose(
        got.mean(axis=(0, 1)), picture.mean(axis=(0, 1)), atol=2e-3
    )


def test_what_lanczos_overshoots_is_clipped():
    edge = np.zeros((HEIGHT, WIDTH, 3), "float32")
    edge[:, WIDTH // 2 :] = 1
    matrix = resampling(WIDTH, 80, lanczos)
    assert (matrix @ edge[0, :, 0]).max() > 1.02
    got = resize(edge, 80, HEIGHT, resample="lanczos")
    assert got.min() == 0
    assert got.max() == 1


def test_a_single_plane_is_resized_as_one_channel_is():
    picture = scene(HEIGHT, WIDTH)
    got = resize(picture[..., 1], 15, 11)
    assert got.shape == (11, 15)
    np.testing.assert_array_equal(got, resize(picture, 15, 11)[..., 1])


# Settings inside the picture.

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


# Writing.


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("failure", [OSError(28, "No space left"), ValueError("no")])
def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch, suffix, failure):
    path = tmp_path / f"a{suffix}"
    save_image(path, scene(HEIGHT, WIDTH))
    before = path.read_bytes()
    break_off(monkeypatch, failure)
    with pytest.raises(InputError, match="can't write") as caught:
        save_image(path, scene(HEIGHT, WIDTH, seed=3))
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before
    assert files_in(tmp_path) == [path.name]


def break_off(monkeypatch, failure):
    def save(self, target, **_):
        Path(target).write_bytes(self.tobytes()[: HEIGHT * WIDTH])
        raise failure

    monkeypatch.setattr(Image.Image, "save", save)


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    save_image(tmp_path / "a.png", scene(HEIGHT, WIDTH))
    before = (tmp_path / "a.png").read_bytes()
    break_off(monkeypatch, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        save_image(tmp_path / "a.png", scene(HEIGHT, WIDTH, seed=3))
    assert (tmp_path / "a.png").read_bytes() == before
    assert files_in(tmp_path) == ["a.png"]


def test_a_failing_first_write_leaves_nothing(tmp_path, monkeypatch):
    break_off(monkeypatch, OSError(28, "No space left"))
    with pytest.raises(InputError, match="No space left"):
        save_image(tmp_path / "a.png", scene(HEIGHT, WIDTH))
    assert files_in(tmp_path) == []


def test_a_write_replaces_the_old_file_and_leaves_no_other(tmp_path):
    values = noise(HEIGHT, WIDTH, 3)
    save_image(tmp_path / "a.png", scene(HEIGHT, WIDTH))
    save_image(tmp_path / "a.png", values / 255)
    read = load_image(tmp_path / "a.png").pixels
    np.testing.assert_allclose(read, values / 255, atol=1e-6)
    assert files_in(tmp_path) == ["a.png"]


def test_a_picture_too_long_for_webp_is_refused(tmp_path):
    with pytest.raises(InputError, match="16383"):
        save_image(tmp_path / "a.webp", np.zeros((16, 16384, 3), "float32"))
    assert files_in(tmp_path) == []


def test_a_write_below_a_regular_file_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(InputError, match="can't write"):
        save_image(tmp_path / "a.txt" / "b.png", scene(HEIGHT, WIDTH))


def test_a_write_with_an_unknown_ending_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"must end in one of \.jpg"):
        save_image(tmp_path / "a.gif", scene(HEIGHT, WIDTH))
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_output_in_missing_folders_makes_them_and_nothing_else(tmp_path, suffix):
    check_output(tmp_path / "new" / "newer" / f"a{suffix}")
    assert (tmp_path / "new" / "newer").is_dir()
    assert files_in(tmp_path / "new" / "newer") == []


def test_checking_an_output_leaves_an_old_file_alone(tmp_path):
    (tmp_path / "a.png").write_bytes(b"old")
    check_output(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == b"old"
    assert files_in(tmp_path) == ["a.png"]


@pytest.mark.parametrize("name", ["a.gif", "a", ".png", "a.png.txt", "a.svg"])
def test_an_output_with_an_unknown_ending_is_refused(tmp_path, name):
    with pytest.raises(InputError, match=r"must end in one of \.jpg") as caught:
        check_output(tmp_path / "new" / name)
    assert str(tmp_path / "new" / name) in str(caught.value)
    assert files_in(tmp_path) == []


def test_an_output_that_is_a_folder_is_refused(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        check_output(tmp_path / "a.png")


@pytest.mark.parametrize("folder", ["file.txt", "file.txt/deeper", "n" * 300])
def test_an_output_that_can_not_be_written_is_refused(tmp_path, folder):
    (tmp_path / "file.txt").write_text("text")
    with pytest.raises(InputError, match="can't write") as caught:
        check_output(tmp_path / folder / "a.png")
    assert "a.png" in str(caught.value)
    assert files_in(tmp_path) == ["file.txt"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc here")
def test_an_output_where_even_root_can_not_write_is_refused():
    for path in (Path("/proc/nope/a.png"), Path("/proc/a.png")):
        with pytest.raises(InputError, match="can't write"):
            check_output(path)
