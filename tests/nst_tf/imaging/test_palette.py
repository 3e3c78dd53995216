"""The colours of a map."""

import numpy as np
import pytest

from nst_tf import InputError
from nst_tf.imaging.palette import find_colors, hex_name, is_among, nearest

RED, BLUE = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)


def halves(columns=40):
    """Return a map, red in its first columns and blue in the others."""
    image = np.empty((50, 100, 3), "float32")
    image[:, :columns], image[:, columns:] = RED, BLUE
    return image


def test_the_most_frequent_colour_comes_first():
    np.testing.assert_allclose(find_colors("the map", halves()), [BLUE, RED])
    np.testing.assert_allclose(find_colors("the map", halves(60)), [RED, BLUE])


def test_rounding_and_blur_make_no_colours():
    image = halves()
    image[0, 0] = (0.9, 0.1, 0.1)
    image[1, :4] = (0.5, 0.0, 0.5)
    np.testing.assert_allclose(find_colors("the map", image), [BLUE, RED])
    assert is_among(np.array([0.9, 0.1, 0.1]), np.array([RED, BLUE]))
    assert not is_among(np.array([0.5, 0.0, 0.5]), np.array([RED, BLUE]))


def test_a_photograph_is_no_map():
    ramp = np.linspace(0, 1, 7)
    image = np.stack(np.meshgrid(ramp, ramp, ramp[:6]), axis=-1).reshape(14, 21, 3)
    with pytest.raises(InputError, match=r"the map is no map of flat colours.* 32 are"):
        find_colors("the map", image)


def test_every_pixel_belongs_to_its_nearest_colour():
    image = halves()
    image[1, :4] = (0.6, 0.0, 0.4)
    found = nearest(image, np.array([RED, BLUE]))
    expected = np.zeros((50, 100, 2))
    expected[:, :40, 0] = expected[:, 40:, 1] = 1
    np.testing.assert_array_equal(found, expected)


def test_colours_are_named_as_in_a_style_sheet():
    assert hex_name(np.array([1.0, 0.5, 0.0])) == "#ff8000"
