"""Sheets: pictures in rows, with labels and without."""

import numpy as np
import pytest

from nst_tf.imaging.contact_sheet import Cell, arrange, draw_sheet, on_square
from tests.helpers import scene


def test_a_sheet_holds_every_picture_whole_and_its_label():
    red, blue = np.zeros((10, 20, 3), "float32"), np.zeros((30, 30, 3), "float32")
    red[..., 0], blue[..., 2] = 1, 1
    cells = [Cell(red, "red"), Cell(blue, "blue\nsquare"), Cell(red, "")]
    sheet = draw_sheet(cells, columns=2, side=60, title="Colours")
    assert (sheet == (1, 0, 0)).all(axis=-1).sum() == 2 * 60 * 30
    assert (sheet == (0, 0, 1)).all(axis=-1).sum() == 60 * 60
    assert sheet.min() == 0 < (sheet.mean(axis=-1) < 0.3).sum()  # Ink.


def test_a_long_label_is_cut_to_its_cell():
    cell = Cell(np.zeros((8, 8), "float32"), "a name that is far too long for this")
    sheet = draw_sheet([cell], columns=1, side=48)
    assert (sheet[:, -8:] == 1).all()


def test_cells_of_upright_pictures_are_as_wide_as_these_or_their_labels():
    upright = np.zeros((60, 20, 3), "float32")
    bare = draw_sheet([Cell(upright, "")] * 3, columns=3, side=60)
    assert bare.shape[1] == 8 + 3 * (20 + 8)
    named = draw_sheet([Cell(upright, "wider"), Cell(upright, "")], columns=2, side=60)
    assert 8 + 2 * (20 + 8) < named.shape[1] < 8 + 2 * (60 + 8)
    cut = draw_sheet([Cell(upright, "much wider than sixty")], columns=1, side=60)
    assert cut.shape[1] == 8 + 60 + 8


def test_pictures_are_arranged_row_by_row_and_the_rest_is_white():
    pictures = [scene(4, 6, seed) for seed in range(5)]
    sheet = arrange(pictures, columns=3)
    expected = np.ones((8, 18, 3), "float32")
    for index, picture in enumerate(pictures):
        y, x = 4 * (index // 3), 6 * (index % 3)
        expected[y : y + 4, x : x + 6] = picture
    np.testing.assert_array_equal(sheet, expected)


def test_a_row_is_no_wider_than_its_pictures():
    pictures = [scene(4, 6, seed) for seed in range(2)]
    assert arrange(pictures, columns=4).shape == (4, 12, 3)


@pytest.mark.parametrize("shape", [(20, 40, 3), (5, 10, 3)])
def test_a_picture_stands_amid_its_square(shape):
    square = on_square(np.zeros(shape, "float32"), 24, margin=4)
    expected = np.ones((24, 24, 3))
    expected[7:17, 2:22] = 0
    np.testing.assert_array_equal(square, expected)
    turned = on_square(np.zeros((*shape[1::-1], 3), "float32"), 24, margin=4)
    np.testing.assert_array_equal(turned, expected.swapaxes(0, 1))
