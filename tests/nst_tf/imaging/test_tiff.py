"""TIFFs of every kind of numbers: read right, or refused in words."""

import numpy as np
import pytest
from PIL import Image

from nst_tf.imaging.crop import load_crop
from nst_tf.imaging.metadata import read_exif
from nst_tf.imaging.read import load_image
from nst_tf.settings.checks import InputError
from tests.image_files import HEIGHT, WIDTH, noise, tiff

LAYOUTS = {
    "strips": {},
    "big endian": {"order": ">"},
    "planes": {"planar": True},
    "tiles": {"tile": (16, 16)},
    "planes of tiles": {"planar": True, "tile": (16, 16)},
    "deflated": {"compression": 8},
    "predicted": {"compression": 8, "predictor": 2},
    "predicted planes": {"compression": 8, "predictor": 2, "planar": True},
}


def read(tmp_path, data):
    (tmp_path / "a.tif").write_bytes(data)
    return load_image(tmp_path / "a.tif")


@pytest.mark.parametrize("dtype", ["uint16", "uint32"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_integers_are_scaled_by_their_types_range(tmp_path, layout, dtype):
    stored = noise(HEIGHT, WIDTH, 3, dtype=dtype)
    got = read(tmp_path, tiff(stored, **LAYOUTS[layout]))
    expected = stored / float(np.iinfo(dtype).max)
    np.testing.assert_allclose(got.pixels, expected, atol=1e-6)
    assert got.alpha is None


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("kind", [1, 2])  # Colours multiplied by it, or not.
def test_alpha_of_eight_bits_is_read_in_pixels_and_planes(
    tmp_path, planar, colours, kind
):
    stored = noise(HEIGHT, WIDTH, colours + 1)
    alpha = stored[..., -1:] = np.maximum(stored[..., -1:], 16)
    shown = stored[..., :-1] / 255
    if kind == 1:
        stored[..., :-1] = np.rint(shown * alpha)
    got = read(tmp_path, tiff(stored, planar=planar, t338=kind))
    expected = 1 + (shown - 1) * (alpha / 255)
    np.testing.assert_allclose(got.alpha, alpha[..., 0] / 255, atol=1e-6)
    np.testing.assert_allclose(
        got.pixels, np.broadcast_to(expected, got.pixels.shape), atol=1.5 / 255
    )


@pytest.mark.parametrize("dtype", ["uint16", "uint32"])
def test_grey_integers_too(tmp_path, dtype):
    stored = noise(HEIGHT, WIDTH, 1, dtype=dtype)
    got = read(tmp_path, tiff(stored)).pixels
    expected = np.repeat(stored, 3, axis=-1) / float(np.iinfo(dtype).max)
    np.testing.assert_allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_of_white_is_zero_the_greys_are_turned_round(tmp_path, dtype):
    stored = noise(HEIGHT, WIDTH, 1, dtype=dtype)
    got = read(tmp_path, tiff(stored, photometric=0)).pixels
    np.testing.assert_allclose(
        got[..., :1], 1 - stored / float(np.iinfo(dtype).max), atol=1e-6
    )


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
@pytest.mark.parametrize("predictor", [1, 3])
def test_floats_from_0_to_1_are_read_as_they_are(tmp_path, kind, predictor):
    stored = (noise(HEIGHT, WIDTH, 3) / 255).astype(kind)
    got = read(tmp_path, tiff(stored, compression=8, predictor=predictor)).pixels
    np.testing.assert_allclose(got, stored.astype("float32"), atol=1e-6)


def test_floats_from_0_to_255_are_scaled(tmp_path):
    stored = noise(HEIGHT, WIDTH, 1).astype("float32")
    got = read(tmp_path, tiff(stored)).pixels
    np.testing.assert_allclose(got[..., :1], stored / 255, atol=1e-6)


def test_a_few_bright_floats_are_clipped(tmp_path):
    stored = (noise(HEIGHT, WIDTH, 1) / 255).astype("float32")
    stored.flat[:3] = 7.0
    got = read(tmp_path, tiff(stored)).pixels
    np.testing.assert_allclose(got[..., :1], np.minimum(stored, 1), atol=1e-6)


AMBIGUOUS = {
    "floats to 65535": (lambda n: n.astype("float32") * 257, "floats from 0 to 65535"),
    "floats of light": (lambda n: n.astype("float32") / 12, "floats from 0 to 21.25"),
    "signed": (lambda n: n.astype("int16"), "signed integers of 16 bits"),
    "16 bits in 32": (lambda n: n.astype("uint32") * 257, "end at 65535"),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_does_not_say_its_range_is_refused_in_words(tmp_path, name):
    make, words = AMBIGUOUS[name]
    stored = noise(HEIGHT, WIDTH, 1)
    stored.flat[:2] = 0, 255
    with pytest.raises(InputError, match=words) as caught:
        read(tmp_path, tiff(make(stored)))
    assert str(tmp_path / "a.tif") in str(caught.value)


def test_alpha_of_sixteen_bits_is_kept_apart(tmp_path):
    stored = noise(HEIGHT, WIDTH, 4, dtype="uint16")
    got = read(tmp_path, tiff(stored, t338=2))
    alpha = stored[..., 3:] / 65535
    np.testing.assert_allclose(got.alpha, alpha[..., 0], atol=1e-6)
    expected = stored[..., :3] / 65535 * alpha + 1 - alpha
    np.testing.assert_allclose(got.pixels, expected, atol=1e-6)


def test_colours_multiplied_by_alpha_are_divided(tmp_path):
    plain = noise(HEIGHT, WIDTH, 3) / 255
    alpha = np.full((HEIGHT, WIDTH, 1), 0.5)
    stored = np.concatenate([plain * alpha, alpha], axis=-1) * 65535
    got = read(tmp_path, tiff(np.rint(stored).astype("uint16"), t338=1))
    np.testing.assert_allclose(got.pixels, plain * 0.5 + 0.5, atol=1e-4)


def test_a_deep_tiff_is_turned_upright(tmp_path):
    stored = noise(HEIGHT, WIDTH, 3, dtype="uint16")
    got = read(tmp_path, tiff(stored, t274=6)).pixels
    np.testing.assert_allclose(got, np.rot90(stored, -1) / 65535, atol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_of_a_pyramid_the_first_page_is_read(tmp_path, dtype):
    stored = noise(HEIGHT, WIDTH, 3, dtype=dtype)
    half = (stored[::2, ::2].copy(), {"t254": 1})
    got = read(tmp_path, tiff(stored, tile=(16, 16), pages=[half])).pixels
    np.testing.assert_allclose(got, stored / np.iinfo(dtype).max, atol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_copy_in_front_of_the_picture_is_passed_over(tmp_path, dtype):
    stored = noise(HEIGHT, WIDTH, 3, dtype=dtype)
    small = stored[::2, ::2].copy()
    got = read(tmp_path, tiff(small, t254=1, pages=[(stored, {})])).pixels
    np.testing.assert_allclose(got, stored / np.iinfo(dtype).max, atol=1e-6)


def test_two_pages_of_their_own_are_refused(tmp_path):
    stored = noise(HEIGHT, WIDTH, 3, dtype="uint16")
    with pytest.raises(InputError, match="2 frames"):
        read(tmp_path, tiff(stored, pages=[(stored, {})]))


@pytest.mark.parametrize("tags", [{"t50706": 1}, {"photometric": 32803}, {"t254": 1}])
def test_a_raw_photograph_is_refused_and_its_preview_not_taken_for_it(tmp_path, tags):
    stored = noise(HEIGHT, WIDTH, 3)
    with pytest.raises(InputError, match="camera raw file; develop it"):
        read(tmp_path, tiff(stored, **tags))


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate"])
def test_compressed_sixteen_bits_as_libtiff_writes_them_are_read(tmp_path, compression):
    stored = noise(HEIGHT, WIDTH, dtype="uint16") // 64 * 64
    Image.fromarray(stored).save(tmp_path / "a.tif", compression=compression)
    got = load_image(tmp_path / "a.tif").pixels
    np.testing.assert_allclose(got[..., 0], stored / 65535, atol=1e-6)


def test_training_reads_deep_files_with_the_same_code(tmp_path):
    stored = noise(64, 64, 3, dtype="uint16")
    (tmp_path / "a.tif").write_bytes(tiff(stored, planar=True))
    whole = load_crop(tmp_path / "a.tif", 64, np.random.default_rng(0), least=1.0)
    expected = np.rint(stored / 65535 * 255)
    differences = [np.abs(expected - x).max() for x in (whole, whole[:, ::-1])]
    assert min(differences) <= 1


def test_what_the_camera_wrote_is_read_of_a_deep_tiff(tmp_path):
    stored = noise(HEIGHT, WIDTH, 3, dtype="uint16")
    (tmp_path / "a.tif").write_bytes(tiff(stored, t271=b"Maker\0"))
    assert b"Maker" in read_exif(tmp_path / "a.tif")


def test_a_cut_off_deep_tiff_is_damaged(tmp_path):
    data = tiff(noise(HEIGHT, WIDTH, 3, dtype="uint16"), compression=8)
    for end in (12, 200, len(data) - 40):
        with pytest.raises(InputError, match=r"a\.tif"):
            read(tmp_path, data[:end])
