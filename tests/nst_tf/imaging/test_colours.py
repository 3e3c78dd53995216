"""Colours of files: whichever way they say them, in every mode and depth."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from nst_tf.imaging.color import to_linear, to_srgb
from nst_tf.imaging.crop import load_crop
from nst_tf.imaging.profile import make_profile
from nst_tf.imaging.read import load_image, load_photograph
from nst_tf.imaging.write import save_image
from nst_tf.settings.checks import InputError
from tests.image_files import HEIGHT, WIDTH, camera, chunks, noise, png, tiff
from tests.nst_tf.imaging.test_profiles import gamma, icc, linear_rgb, srgb_curve, xyz

P3_TO_SRGB = np.array(
    [
        [1.2249401763, -0.2249401763, 0.0],
        [-0.0420569547, 1.0420569547, 0.0],
        [-0.0196375546, -0.0786360456, 1.0982736001],
    ]
)
"""Linear Display P3 to linear sRGB (W3C CSS Color 4, section 18)."""
ADOBE_TO_SRGB = np.array(
    [
        [1.3983557440, -0.3983557440, 0.0],
        [0.0, 1.0, 0.0],
        [0.0, -0.0429289893, 1.0429289893],
    ]
)
"""Linear Adobe RGB (1998) to linear sRGB, both with white D65."""
SOFT = 0.25 + 0.5 * noise(HEIGHT, WIDTH, 3) / 255
"""A picture that stays within sRGB in every space here, values 0..1."""


def shown(light, matrix):
    """Return sRGB of amounts of light in other primaries."""
    return srgb_curve(np.clip(light @ matrix.T, 0, 1))


def png8(values):
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    return stream.getvalue()


def png16(values, *more):
    """Return a PNG of 16 bits, with chunks."""
    kinds = {1: 0, 2: 4, 3: 2, 4: 6}
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return chunks(png(width, height, 16, kinds[channels], rows), *more)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_one_grey_of_few_bits_is_transparent(tmp_path, bits):
    stored = noise(HEIGHT, 64) % 2**bits
    packed = np.zeros((HEIGHT, 64 * bits // 8), "uint8")
    for number in range(8 // bits):
        packed = packed << bits | stored[:, number :: 8 // bits]
    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    key = b"tRNS", struct.pack(">H", 1)
    got = load(tmp_path, chunks(png(64, HEIGHT, bits, 0, rows), key))
    shown = stored != 1
    np.testing.assert_array_equal(got.alpha, shown)
    expected = np.where(shown, stored / (2**bits - 1), 1)
    np.testing.assert_allclose(got.pixels[..., 0], expected, atol=1e-6)


def load(tmp_path, data, name="a.png"):
    (tmp_path / name).write_bytes(data)
    return load_image(tmp_path / name)


def cicp(primaries, transfer, full=1):
    return b"cICP", bytes([primaries, transfer, 0, full])


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_all_sixteen_bits_of_a_png_are_kept(tmp_path, channels):
    stored = noise(HEIGHT, WIDTH, channels, dtype="uint16")
    got = load(tmp_path, png16(stored))
    values = stored / 65535
    colours = values if channels in (1, 3) else values[..., :-1]
    if channels in (2, 4):
        alpha = values[..., -1:]
        np.testing.assert_allclose(got.alpha, alpha[..., 0], atol=1e-6)
        colours = colours * alpha + 1 - alpha
    expected = np.broadcast_to(colours, (HEIGHT, WIDTH, 3))
    np.testing.assert_allclose(got.pixels, expected, atol=2e-6)


def test_a_transparent_colour_of_sixteen_bits_is_that_colour_alone(tmp_path):
    stored = noise(HEIGHT, WIDTH, 3, dtype="uint16")
    key = b"tRNS", struct.pack(">3H", *stored[3, 4])
    got = load(tmp_path, png16(stored, key))
    assert got.alpha[3, 4] == 0
    assert got.alpha.sum() == HEIGHT * WIDTH - 1


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(
    ("said", "light", "matrix"),
    [
        (cicp(12, 13), to_linear, P3_TO_SRGB),
        (cicp(1, 8), lambda v: v, np.eye(3)),
        (cicp(1, 4), lambda v: v**2.2, np.eye(3)),
        ((b"gAMA", struct.pack(">L", 100000)), lambda v: v, np.eye(3)),
        ((b"gAMA", struct.pack(">L", 55556)), lambda v: v**1.8, np.eye(3)),
    ],
    ids=["p3", "linear cicp", "gamma 2.2", "linear gama", "gamma 1.8"],
)
def test_a_png_is_read_in_the_colours_that_its_chunks_say(
    tmp_path, said, light, matrix, depth
):
    most = 2**depth - 1
    stored = np.rint(SOFT * most).astype(f"uint{depth}")
    whole = png16(stored, said) if depth == 16 else chunks(png8(stored), said)
    expected = shown(light(stored / most), matrix)
    tolerance = 2 / 255 if depth == 8 else 1e-3
    np.testing.assert_allclose(load(tmp_path, whole).pixels, expected, atol=tolerance)
    crop = load_crop(tmp_path / "a.png", HEIGHT, np.random.default_rng(0))
    assert crop.shape == (HEIGHT, HEIGHT, 3)


def test_primaries_of_chrm_count_with_the_gamma(tmp_path):
    p3 = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
    said = [
        (b"gAMA", struct.pack(">L", 100000)),
        (b"cHRM", struct.pack(">8L", *(round(100000 * x) for x in p3))),
    ]
    stored = np.rint(SOFT * 255).astype("uint8")
    got = load(tmp_path, chunks(png8(stored), *said)).pixels
    np.testing.assert_allclose(got, shown(stored / 255, P3_TO_SRGB), atol=2 / 255)


@pytest.mark.parametrize(
    "said",
    [
        [(b"gAMA", struct.pack(">L", 45455))],
        [(b"sRGB", b"\0"), (b"gAMA", struct.pack(">L", 100000))],
        [cicp(1, 13), (b"gAMA", struct.pack(">L", 100000))],
        [(b"gAMA", struct.pack(">L", 0))],
    ],
    ids=["1/2.2 is srgb", "srgb before gama", "cicp before gama", "no gamma"],
)
def test_what_says_srgb_changes_nothing(tmp_path, said):
    stored = np.rint(SOFT * 255).astype("uint8")
    got = load(tmp_path, chunks(png8(stored), *said)).pixels
    np.testing.assert_allclose(got, stored / 255, atol=1e-6)


def test_cicp_outranks_a_profile(tmp_path):
    stored = np.rint(SOFT * 255).astype("uint8")
    stream = io.BytesIO()
    Image.fromarray(stored).save(stream, "PNG", icc_profile=linear_rgb())
    got = load(tmp_path, chunks(stream.getvalue(), cicp(1, 13))).pixels
    np.testing.assert_allclose(got, stored / 255, atol=1e-6)


@pytest.mark.parametrize(
    ("said", "words"),
    [(cicp(9, 16), "HDR"), (cicp(9, 18), "HLG"), (cicp(1, 13, 0), "range of video")],
)
def test_colours_that_can_not_be_shown_are_refused_in_words(tmp_path, said, words):
    stored = np.rint(SOFT * 255).astype("uint8")
    with pytest.raises(InputError, match=words):
        load(tmp_path, chunks(png8(stored), said))


GREY = icc(b"GRAY", wtpt=xyz(0.9642, 1.0, 0.8249), kTRC=gamma(1.8))


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("profile", ["grey", "rgb"])
def test_profiles_of_greys_in_every_mode_and_depth(tmp_path, depth, alpha, profile):
    most = 2**depth - 1
    stored = noise(HEIGHT, WIDTH, 2 if alpha else 1, dtype=f"uint{depth}")
    data, power = (GREY, 1.8) if profile == "grey" else (linear_rgb(), 1.0)
    if depth == 16:
        import zlib

        chunk = b"iCCP", b"x\0\0" + zlib.compress(data)
        (tmp_path / "a.png").write_bytes(png16(stored, chunk))
    else:
        image = Image.fromarray(stored if alpha else stored[..., 0])
        image.save(tmp_path / "a.png", icc_profile=data)
    got = load_image(tmp_path / "a.png")
    values = stored / most
    grey = srgb_curve(values[..., :1] ** power)
    if alpha:
        grey = grey * values[..., 1:] + 1 - values[..., 1:]
    expected = np.repeat(grey, 3, axis=-1)
    tolerance = 2 / 255 if depth == 8 else 1e-3
    np.testing.assert_allclose(got.pixels, expected, atol=tolerance)
    assert np.ptp(got.pixels, axis=-1).max() == 0


def test_a_profile_in_a_tiff_of_sixteen_bits_is_followed_exactly(tmp_path):
    stored = np.rint(SOFT * 65535).astype("uint16")
    data = tiff(stored, t34675=linear_rgb())
    got = load(tmp_path, data, "a.tif").pixels
    np.testing.assert_allclose(got, srgb_curve(stored / 65535), atol=2e-3)


@pytest.mark.parametrize(("space", "interop"), [(65535, "R03"), (2, "R98")])
def test_adobe_rgb_by_exif_alone_is_read_as_such(tmp_path, space, interop):
    data = camera("PNG", space=space, interop=interop)
    stored = np.rot90(noise(HEIGHT, WIDTH, 3), -1)
    got = load(tmp_path, data).pixels
    expected = shown((stored / 255) ** (563 / 256), ADOBE_TO_SRGB)
    np.testing.assert_allclose(got, expected, atol=3 / 255)


def test_of_profile_and_exif_the_profile_counts(tmp_path):
    data = camera("PNG", space=65535, interop="R03", icc=linear_rgb())
    stored = np.rot90(noise(HEIGHT, WIDTH, 3), -1)
    got = load(tmp_path, data).pixels
    np.testing.assert_allclose(got, srgb_curve(stored / 255), atol=2 / 255)


P3 = make_profile(
    ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.3127, 0.3290)),
    to_linear(np.linspace(0, 1, 4096)),
)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_a_kept_profile_and_sixteen_bits_come_back_as_they_were(tmp_path, name):
    save_image(tmp_path / name, SOFT, depth=16, profile=P3)
    photo = load_photograph(tmp_path / name)
    np.testing.assert_allclose(photo.picture.pixels, SOFT, atol=2e-3)
    assert photo.profile == P3
    with Image.open(tmp_path / name) as file:
        assert file.info["icc_profile"] == P3
        rounded = np.asarray(file)
    # What is stored are P3 values: nearer to grey than the sRGB ones.
    expected = to_srgb(to_linear(SOFT) @ np.linalg.inv(P3_TO_SRGB).T)
    assert np.abs(rounded / 255 - expected).max() < 1.5 / 255


@pytest.mark.parametrize("name", ["a.jpg", "a.webp", "a.avif"])
def test_a_kept_profile_is_in_files_of_eight_bits_too(tmp_path, name):
    smooth = np.full((HEIGHT, WIDTH, 3), (0.7, 0.4, 0.3), "float32")
    save_image(tmp_path / name, smooth, profile=P3)
    np.testing.assert_allclose(load_image(tmp_path / name).pixels, smooth, atol=0.02)


def test_a_profile_that_can_not_hold_the_picture_is_left_out_and_said(tmp_path):
    lost = save_image(tmp_path / "a.png", SOFT, profile=GREY)
    assert "profile" in lost[0]
    got = load_image(tmp_path / "a.png").pixels
    np.testing.assert_allclose(got, SOFT, atol=0.51 / 255)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("alpha", [False, True])
def test_sixteen_bits_keep_what_eight_would_round(tmp_path, name, alpha):
    values = noise(HEIGHT, WIDTH, 3, dtype="uint16") / 65535
    mask = noise(HEIGHT, WIDTH, dtype="uint16") / 65535 if alpha else None
    save_image(tmp_path / name, values, alpha=mask, depth=16)
    got = load_image(tmp_path / name)
    if alpha:
        np.testing.assert_allclose(got.alpha, mask, atol=1e-5)
        values = values * mask[..., None] + 1 - mask[..., None]
    np.testing.assert_allclose(got.pixels, values, atol=1e-5)
    with Image.open(tmp_path / name) as file:  # Another reader agrees.
        file.load()
        assert file.size == (WIDTH, HEIGHT)


def test_sixteen_bits_into_a_jpeg_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"16 bits are written to \.png, \.tif"):
        save_image(tmp_path / "a.jpg", SOFT, depth=16)
