"""The style encoder: a painting in, the vector that a transform network paints by out.

The vector weighs the rows of gamma and beta of a network's normalisations: that is the
linear map from an embedding to scales and shifts of Ghiasi et al., so that a painting
that no one trained on is to the network what a mix of trained styles is. The first row
is a usual style's, the others are ways to differ from it.

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
FAR = 4.0
"""How many times as far from the first row as a style the others begin; their elements
of a vector are that much smaller, so that rows under training move as others do."""
_DARKEST = 0.02
"""Below it, and as near to white, a painting is taken for this: logits have no end."""
_OWN = 0.5
"""Share of the painting's own colours. All of them leave the lower layers of the loss
worse off: the picture has other shapes to spread them over."""
_HIDDEN = 256
_USUAL = 3.0
"""About the logarithm of a mean or deviation."""
_CALM = 0.02
"""What dense layers are multiplied by, their weights divided at the start: Adam moves
every weight alike, and hundreds that move together would carry a vector off."""
_FARTHEST = 4.0
"""Largest deviation of a statistic from the usual one that is told from larger ones."""


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
        usual = _Standard(dtype="float32", name="usual")(statistics)
        hidden = _dense(usual, _HIDDEN, "hidden", gain=2.0)
        hidden = keras.layers.ReLU(dtype="float32")(hidden)
        apart = _dense(hidden, size - 1, "apart", gain=0.1)
        vector = _SumOne(dtype="float32", name="sum_one")(apart)
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


@keras.saving.register_keras_serializable("nst_tf")
class PaintingColors(keras.layers.Layer):
    """Give a painting's vector half of the painting's own colours.

    The last six numbers of a vector scale and shift the three channels of the picture
    before the sigmoid: they are its contrast and its mean. What they should be can be
    seen in the painting, and an encoder only guesses it.

    Reference:
        Reinhard et al. 2001 (means and deviations as colours),
        https://doi.org/10.1109/38.946629
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})

    def call(self, vector: Tensor, painting: Tensor) -> Tensor:
        """Return vectors `[B, S]` with the colours of paintings `[B, H, W, 3]`."""
        inside = ops.clip(painting, _DARKEST, 1.0 - _DARKEST)
        logits = ops.log(inside / (1.0 - inside))
        mean = ops.mean(logits, axis=(1, 2), keepdims=True)
        variance = ops.mean(ops.square(logits - mean), axis=(1, 2))
        own = ops.concatenate([ops.sqrt(variance + 1e-6), mean[:, 0, 0]], axis=-1)
        said = vector[:, -6:]
        mixed = said + _OWN * (own - said)
        return ops.concatenate([vector[:, :-6], mixed], axis=-1)

    def compute_output_spec(self, vector: Any, painting: Any) -> Any:
        """Keep the shape."""
        return keras.KerasTensor(vector.shape, dtype="float32")


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


def _dense(x: Tensor, units: int, name: str, *, gain: float) -> Tensor:
    """Return a dense layer's output whose variance is `gain` times that of `x`."""
    deviation = (gain / x.shape[-1]) ** 0.5 / _CALM
    start = keras.initializers.RandomNormal(stddev=deviation)
    dense = keras.layers.Dense(
        units, kernel_initializer=start, dtype="float32", name=name
    )
    return keras.layers.Rescaling(_CALM, dtype="float32", name=f"{name}_calm")(dense(x))


@keras.saving.register_keras_serializable("nst_tf")
class _Statistics(keras.layers.Layer):
    """Logarithms of means and deviations over the positions of maps, `[B, S]`.

    Attributes:
        factors: What each map was divided by.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factors = (1.0,) * len(SEEN)

    def call(self, maps: Sequence[Tensor]) -> Tensor:
        found = []
        for each, factor in zip(maps, self.factors, strict=True):
            wide = ops.cast(each, "float32")
            mean = ops.mean(wide, axis=(1, 2), keepdims=True)
            # Not of what is centred: nothing as large as the map is written.
            power = ops.mean(wide * wide, axis=(1, 2))
            mean = mean[:, 0, 0]
            variance = ops.maximum(power - mean * mean, 0.0)
            deviation = ops.sqrt(variance + 1e-6 / factor**2)
            found += [factor * mean, factor * deviation]
        return ops.log(1.0 + ops.concatenate(found, axis=-1)) - _USUAL

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape[0][0], 2 * sum(shape[-1] for shape in input_shape)


@keras.saving.register_keras_serializable("nst_tf")
class _Standard(keras.layers.Layer):
    """Deviations from the usual statistics, in units of theirs over many paintings."""

    def build(self, input_shape: Any) -> None:
        kept = {"shape": input_shape[-1:], "trainable": False, "dtype": "float32"}
        self.mean = self.add_weight(initializer="zeros", name="mean", **kept)
        self.scale = self.add_weight(initializer="ones", name="scale", **kept)
        self.built = True

    def call(self, x: Tensor) -> Tensor:
        return ops.clip((x - self.mean) * self.scale, -_FARTHEST, _FARTHEST)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


@keras.saving.register_keras_serializable("nst_tf")
class _SumOne(keras.layers.Layer):
    """Put before the elements of each row the first row's share: 1 less their sum."""

    def call(self, x: Tensor) -> Tensor:
        small = x / (FAR * (1.0 + x.shape[-1]) ** 0.5)
        first = 1.0 - ops.sum(small, axis=-1, keepdims=True)
        return ops.concatenate([first, small], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return *input_shape[:-1], input_shape[-1] + 1
