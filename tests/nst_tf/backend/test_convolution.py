"""Convolutions of wide maps, with Keras's as the reference."""

import keras
import numpy as np
import pytest
from keras import ops

from nst_tf.backend.convolution import WideConv2D
from tests.helpers import gradient_of, value

RNG = np.random.default_rng(5)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("width", [523, 528, 40])
def test_a_wider_map_gives_the_same_features_and_gradients(padding, width, monkeypatch):
    widths = []
    plain = keras.layers.Conv2D.call

    def noted(self, inputs):
        widths.append(inputs.shape[2])
        return plain(self, inputs)

    monkeypatch.setattr(WideConv2D, "_concerned", lambda _: True)
    ours, theirs = (
        kind(8, 3, padding=padding, activation="relu", bias_initializer="normal")
        for kind in (WideConv2D, keras.layers.Conv2D)
    )
    x = RNG.standard_normal((2, 7, width, 16)).astype("float32")
    expected = value(theirs(x))
    ours.build(x.shape)
    ours.set_weights(theirs.get_weights())
    monkeypatch.setattr(keras.layers.Conv2D, "call", noted)
    np.testing.assert_allclose(value(ours(x)), expected, rtol=1e-5, atol=1e-5)
    beyond = 2 if padding == "valid" else 0
    assert widths == [528 + beyond if width > 512 else width]

    def energy(layer):
        return gradient_of(lambda x: ops.sum(ops.square(layer(x))), x)

    np.testing.assert_allclose(energy(ours), energy(theirs), rtol=1e-4, atol=1e-4)
