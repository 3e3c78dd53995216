"""Sizes, and resizing in float."""

import numpy as np
import pytest

from nst_tf.imaging.resize import fit, fit_within, reduce, resize, resize_to
from tests.helpers import scene
from tests.image_files import HEIGHT, WIDTH


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


@pytest.mark.parametrize(
    ("width", "height", "size", "side", "expected"),
    [
        (4000, 3000, 512, "long", (512, 384)),
        (1000, 400, 200, "short", (500, 200)),
        (400, 300, 400, "long", (400, 300)),
        (400, 300, 512, "long", (400, 300)),
        (400, 300, 350, "short", (400, 300)),
        (16, 1000, 1010, "long", (16, 1000)),
    ],
)
def test_fit_within_reduces_and_enlarges_never(width, height, size, side, expected):
    assert fit_within(width, height, size, side) == expected


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


@pytest.mark.parametrize("clip", [True, False])
def test_channels_of_large_pictures_are_resized_side_by_side(clip):
    image = np.random.default_rng(0).random((300, 400, 3), "float32")
    found = resize(image, 900, 700, clip=clip)
    for channel in range(3):
        alone = resize(image[..., channel], 900, 700, clip=clip)
        np.testing.assert_array_equal(found[..., channel], alone)


@pytest.mark.parametrize(("size", "height", "width"), [(16, 10, 16), (64, 40, 64)])
def test_resize_to_brings_the_long_side_to_a_size(size, height, width):
    picture = scene(HEIGHT, WIDTH)
    np.testing.assert_array_equal(
        resize_to(picture, size), resize(picture, width, height)
    )


def test_reduce_leaves_small_pictures_alone():
    picture = scene(HEIGHT, WIDTH)
    np.testing.assert_array_equal(reduce(picture, 16), resize(picture, 16, 10))
    for size in (WIDTH, 1000):
        np.testing.assert_array_equal(reduce(picture, size), picture)


def test_averaging_blocks_before_can_hardly_be_told():
    pixels = scene(600, 800, seed=3)
    found, exact = (resize(pixels, 80, 60, gap=gap) for gap in (3.0, None))
    assert 0 < np.square(found - exact).mean() < 1e-4  # 40 dB.
    np.testing.assert_array_equal(
        resize(pixels, 300, 220, gap=3.0), resize(pixels, 300, 220)
    )
