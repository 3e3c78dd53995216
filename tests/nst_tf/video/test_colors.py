"""Pixels of a film and RGB: published numbers of matrices and ranges."""

import av
import numpy as np
import pytest

from nst_tf.video.colors import colors_of, is_deep, to_frame, to_pixels
from nst_tf.video.film import Colors

KR_KB = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
"""Shares of red and blue in the luma of BT.709, BT.601 and BT.2020."""
RED, SKY = (1.0, 0.0, 0.0), (0.2, 0.5, 0.9)


def planes(rgb, matrix, full, bits=8):
    """Return luma and chroma by the formula of the standards."""
    red, green, blue = rgb
    kr, kb = KR_KB[matrix]
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    blueness, redness = (blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)
    unit, most = 2 ** (bits - 8), 2**bits - 1
    if full:
        return luma * most, 128 * unit + blueness * most, 128 * unit + redness * most
    return (
        unit * (16 + 219 * luma),
        unit * (128 + 224 * blueness),
        unit * (128 + 224 * redness),
    )


def flat_frame(values, name, size=32):
    """Return a frame of one colour, given by the numbers in its planes."""
    frame = av.VideoFrame(size, size, name)
    for plane, value in zip(frame.planes, values, strict=True):
        dtype = "uint16" if "10" in name else "uint8"
        count = plane.buffer_size // np.dtype(dtype).itemsize
        most = 1023 if "10" in name else 255
        plane.update(np.full(count, min(round(value), most), dtype).tobytes())
    return frame


@pytest.mark.parametrize("color", [RED, SKY, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", KR_KB)
@pytest.mark.parametrize(("name", "bits"), [("yuv420p", 8), ("yuv420p10le", 10)])
def test_a_frame_is_read_by_its_matrix_and_range(color, full, matrix, name, bits):
    frame = flat_frame(planes(color, matrix, full, bits), name)
    frame.colorspace, frame.color_range = matrix, 2 if full else 1
    colors = colors_of(frame)
    assert (colors.matrix, colors.full, is_deep(frame)) == (matrix, full, bits > 8)
    found = to_pixels(frame, colors, deep=bits > 8)
    assert found.shape == (32, 32, 3)
    assert abs(found - color).max() < 2 / 255


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", KR_KB)
@pytest.mark.parametrize(("name", "bits"), [("yuv420p", 8), ("yuv420p10le", 10)])
def test_a_frame_is_written_by_matrix_and_range_and_says_so(full, matrix, name, bits):
    colors = Colors(matrix=matrix, full=full, primaries=1, transfer=1)
    pixels = np.full((32, 32, 3), SKY, "float32")
    frame = to_frame(pixels, colors, name, deep=bits > 8)
    dtype = "uint16" if bits > 8 else "uint8"
    found = [np.frombuffer(plane, dtype)[0] for plane in frame.planes]
    # swscale's own RGB has steps of a quarter to a whole one of these.
    assert abs(np.subtract(found, planes(SKY, matrix, full, bits))).max() < 2
    assert (frame.colorspace, frame.color_range) == (matrix, 2 if full else 1)
    assert (frame.color_primaries, frame.color_trc) == (1, 1)


@pytest.mark.parametrize(
    ("width", "height", "matrix"), [(640, 360, 6), (1280, 536, 1), (960, 720, 1)]
)
def test_a_film_that_does_not_say_is_read_as_players_do(width, height, matrix):
    found = colors_of(av.VideoFrame(width, height, "yuv420p"))
    assert (found.matrix, found.full) == (matrix, False)


@pytest.mark.parametrize("name", ["gbrp10le", "rgb48le", "gbrp"])
def test_rgb_is_read_and_written_as_it_is(name):
    most = {"gbrp10le": 1023, "rgb48le": 65535, "gbrp": 255}[name]
    frame = av.VideoFrame(32, 32, name)
    dtype = "uint8" if most == 255 else "uint16"
    for plane in frame.planes:
        count = plane.buffer_size // np.dtype(dtype).itemsize
        plane.update(np.full(count, most // 2, dtype).tobytes())
    colors, deep = colors_of(frame), most > 255
    pixels = to_pixels(frame, colors, deep=deep)
    assert abs(pixels - most // 2 / most).max() < 1e-5
    back = to_frame(pixels, colors, name, deep=deep)
    stored = np.frombuffer(bytes(back.planes[0]), dtype)[:32]
    assert (stored == most // 2).all()


@pytest.mark.parametrize("name", ["rgba", "rgba64le", "gbrap10le", "yuva444p10le"])
def test_what_is_transparent_is_laid_on_white(name):
    values = np.zeros((32, 64, 4), "uint8")
    values[:, :] = 51, 102, 204, 255
    values[:, 16:] = 255, 0, 0, 51
    values[:, 32:] = 0, 0, 0, 0
    frame = av.VideoFrame.from_ndarray(values, "rgba")
    frame = frame.reformat(format=name, dst_colorspace=1, dst_color_range=2)
    frame.colorspace, frame.color_range = 1, 2
    whole, half = (
        to_pixels(frame, Colors(full=True), deep=name != "rgba", size=size)
        for size in (None, (32, 16))
    )
    for pixels, shown in ((whole, 16), (half, 8)):
        assert abs(pixels[:, : shown - 3] - (0.2, 0.4, 0.8)).max() < 0.005
        assert abs(pixels[:, shown + 3 : 2 * shown - 3] - (1, 0.8, 0.8)).max() < 0.005
        assert pixels[:, 2 * shown + 3 :].min() > 0.995
    # Nothing of the hidden black shows where it begins.
    assert half[:, 13:, 0].min() > 0.99


def test_ten_bits_are_not_rounded_to_eight():
    ramp = np.linspace(0.4, 0.42, 64, dtype="float32")
    pixels = np.repeat(np.repeat(ramp[None, :, None], 32, axis=0), 3, axis=-1)
    colors = Colors()
    frame = to_frame(pixels, colors, "yuv420p10le", deep=True)
    found = to_pixels(frame, colors, deep=True)
    assert abs(found - pixels).max() < 1 / 876
    assert len(np.unique(found[0, :, 1])) > 12
