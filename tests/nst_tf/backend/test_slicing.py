"""Windows and mirrored borders, with NumPy's as the reference."""

import keras
import numpy as np
import pytest
from keras import ops

from nst_tf.backend.slicing import mirrored, slice_map
from tests.helpers import value

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("batch", [2, None])
def test_a_window_is_what_indexing_gives(batch):
    x = RNG.standard_normal((2, 6, 7, 3)).astype("float32")
    sides = slice(1, -2), slice(None, -1)
    inputs = keras.Input((6, 7, 3), batch_size=batch)
    model = keras.Model(inputs, Window(*sides)(inputs))
    np.testing.assert_array_equal(value(model(x)), x[:, *sides])
    np.testing.assert_array_equal(value(slice_map(ops.array(x))), x)


@pytest.mark.parametrize("repeat", [False, True])
@pytest.mark.parametrize(("height", "width"), [(10, 11), (9, 12), (None, None)])
def test_a_mirrored_border_is_numpys(repeat, height, width):
    x = RNG.standard_normal((2, height or 9, width or 12, 3)).astype("float32")
    mode = "symmetric" if repeat else "reflect"
    expected = np.pad(x, ((0, 0), (4, 4), (4, 4), (0, 0)), mode=mode)
    inputs = keras.Input((height, width, 3))
    model = keras.Model(inputs, Mirror(4, repeat)(inputs))
    np.testing.assert_array_equal(value(model(x)), expected)


class Mirror(keras.layers.Layer):
    def __init__(self, width, repeat):
        super().__init__()
        self.border, self.repeat = width, repeat

    def call(self, x):
        return mirrored(x, self.border, repeat=self.repeat)


class Window(keras.layers.Layer):
    def __init__(self, *sides):
        super().__init__()
        self.sides = sides

    def call(self, x):
        return slice_map(x, *self.sides)
