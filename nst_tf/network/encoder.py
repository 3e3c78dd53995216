"""The style encoder: a painting in, the vector that a transform network paints by out.

The vector weighs the rows of gamma and beta of a network's normalisations: that is the
linear map from an embedding to scales and shifts of Ghiasi et al., so that a painting
that no one trained on is to the network what a mix of trained styles is.

References:
    Ghiasi et al. 2017, https://arxiv.org/abs/1705.06830
    Huang and Belongie 2017 (means and deviations), https://arxiv.org/abs/1703.06868
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any
LAYERS: tuple[tuple[str, int | None, int, int], ...] = (
    ("block1_conv1", None, 64, 0),
    ("block1_conv2", 24, 64, 0),
    ("block2_conv1", 48, 128, 1),
    ("block2_conv2", 64, 128, 1),
    ("block3_conv1", 112, 256, 2),
)
"""Name, channels of the 3x3 convolution before the 1x1 (None: there is none), channels,
and how many poolings lie before it: the shape of the compressed loss network."""
SEEN = ("block1_conv1", "block2_conv1", "block3_conv1")
"""Layers whose means and deviations the vector is made of."""
_HIDDEN = 256
_USUAL = 3.0
"""About the logarithm of a mean or deviation."""


@keras.saving.register_keras_serializable("nst_tf")
class StyleEncoder(keras.Model):
    """From float32 `[B, H, W, 3]`, RGB 0..1, to float32 `[B, K]` whose sum is 1.

    Args:
        size: K, the number of rows that the transform network has.
        dtype: Compute dtype of the convolutions; statistics are float32.
        **kwargs: Passed to `keras.Model`.
    """

    def __init__(self, size: int, *, dtype: str = "float32", **kwargs: Any) -> None:
        image = keras.Input((None, None, 3), dtype="float32", name="painting")
        seen, level, x = [], 0, image
        for name, narrow, channels, depth in LAYERS:
            while level < depth:
                x = keras.layers.MaxPooling2D(2, dtype=dtype, name=f"pool{level}")(x)
                level += 1
            if narrow is not None:
                x = _convolution(narrow, 3, f"{name}_narrow", dtype, first=True)(x)
                x = _convolution(channels, 1, name, dtype)(x)
            else:
                x = _convolution(channels, 3, name, dtype)(x)
            if name in SEEN:
                seen.append(x)
        statistics = _Statistics(dtype="float32", name="statistics")(seen)
        hidden = keras.layers.Dense(
            _HIDDEN, activation="relu", dtype="float32", name="hidden"
        )(statistics)
        vector = keras.layers.Dense(size, dtype="float32", name="vector")(hidden)
        vector = _SumOne(dtype="float32", name="sum_one")(vector)
        super().__init__(image, vector, **{"name": "encoder", **kwargs})
        self.size, self.kind = size, dtype

    def rebuilt(self, *, dtype: str) -> "StyleEncoder":
        """Return an encoder with the same weights and another compute dtype."""
        copy = StyleEncoder(self.size, dtype=dtype)
        copy.set_weights(self.get_weights())
        return copy

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"name": self.name, "size": self.size, "dtype": self.kind}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Any = None
    ) -> "StyleEncoder":
        """Build the encoder that a config describes, with new weights."""
        return cls(**config)


def _convolution(
    filters: int, side: int, name: str, dtype: str, *, first: bool = False
) -> keras.layers.Layer:
    """Return a convolution; the first of a pair has neither bias nor activation."""
    return keras.layers.Conv2D(
        filters,
        side,
        padding="same",
        use_bias=not first,
        activation=None if first else "relu",
        dtype=dtype,
        name=name,
    )


@keras.saving.register_keras_serializable("nst_tf")
class _Statistics(keras.layers.Layer):
    """Logarithms of means and deviations over the positions of maps, `[B, S]`."""

    def call(self, maps: Sequence[Tensor]) -> Tensor:
        found = []
        for each in maps:
            wide = ops.cast(each, "float32")
            mean = ops.mean(wide, axis=(1, 2), keepdims=True)
            variance = ops.mean(ops.square(wide - mean), axis=(1, 2))
            found += [mean[:, 0, 0], ops.sqrt(variance + 1e-6)]
        return ops.log(1.0 + ops.concatenate(found, axis=-1)) - _USUAL

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape[0][0], 2 * sum(shape[-1] for shape in input_shape)


@keras.saving.register_keras_serializable("nst_tf")
class _SumOne(keras.layers.Layer):
    """Add the same to all elements of each row so that their sum is 1."""

    def call(self, x: Tensor) -> Tensor:
        missing = 1.0 - ops.sum(x, axis=-1, keepdims=True)
        return x + missing / float(x.shape[-1])

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape
