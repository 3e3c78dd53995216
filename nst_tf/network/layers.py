"""Layers of the transform network."""

from typing import Any

import keras
from keras import ops

from nst_tf.network.lowering import find_lowering
from nst_tf.settings.network import Lowering

Tensor = Any
EPSILON = 1e-3
"""Added to the variance; large enough for half-precision GPUs of phones."""


class LoweredLayer(keras.layers.Layer):
    """A layer that can be written in several ways.

    Args:
        lowering: Which; see `nst_tf.network.lowering`.
        **kwargs: Passed to `keras.layers.Layer`.
    """

    def __init__(self, *, lowering: Lowering = "native", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lowering = find_lowering(lowering)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "lowering": self.lowering.name}


@keras.saving.register_keras_serializable("nst_tf")
class ReflectionPadding(LoweredLayer):
    """Mirror the border, without repeating the edge pixel.

    Args:
        width: Pixels on every side.
        **kwargs: Passed to `LoweredLayer`.
    """

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width

    def call(self, x: Tensor) -> Tensor:
        """Pad `[B, H, W, C]` to `[B, H + 2 width, W + 2 width, C]`."""
        return self.lowering.pad(x, self.width)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Enlarge both sides; an unknown one stays unknown."""
        batch, height, width, channels = input_shape
        grown = [side and side + 2 * self.width for side in (height, width)]
        return (batch, *grown, channels)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "width": self.width}


class InstanceNormalization(LoweredLayer):
    """Instance normalisation whose scale and shift come from what a style is.

    Mean and variance over H and W are float32 whatever the compute dtype.

    Args:
        phases: Into how many pixels the channels of a position are parted: 4 for maps
            in blocks of 2x2 pixels, `[B, H / 2, W / 2, 4 C]`.
        **kwargs: Passed to `LoweredLayer`.

    Attributes:
        epsilon: What is added to the variance: a number, or one a channel, for maps
            that were scaled.
    """

    def __init__(self, *, phases: int = 1, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.phases = phases
        self.epsilon: Any = EPSILON

    def scales(self, style: Tensor, channels: int) -> tuple[Tensor, Tensor]:
        """Return scale and shift, `[B, 1, 1, C]`, of styles `[B, N]`."""
        raise NotImplementedError

    def call(
        self,
        x: Tensor,
        style: Tensor,
        given: Tensor | None = None,
        training: bool = False,
    ) -> Any:
        """Normalise `[B, H, W, C]`; `style` is float32 `[B, N]`.

        Args:
            x: What is normalised.
            style: What scale and shift come from.
            given: float32 `[B, 3, 1, C]`, mean and variance to normalise with, and
                their share against those of `x` (1: they alone). With it, what is
                returned is the picture and mean and variance of `x`, `[B, 2, 1, C]`.
            training: Whether a gradient will be wanted.
        """
        channels = x.shape[-1] // self.phases
        many = x.shape[0] and x.shape[-1] >= 16  # With fewer it is slower.
        if training and many and keras.backend.backend() == "tensorflow":
            return self._fused(x, style)
        wide = ops.cast(x, "float32")
        mean = self._mean(wide)
        if self.lowering.squares:
            power = self._mean(wide * wide)  # Not all GPUs have a square.
            variance = ops.maximum(power - mean * mean, 0.0)
        else:
            variance = self._mean(ops.square(wide - self._each(mean)))
        if given is not None:
            own = ops.concatenate([mean, variance], axis=1)
            used = own + given[:, 2:] * (given[:, :2] - own)
            mean, variance = used[:, :1], used[:, 1:]
        gamma, beta = self.scales(style, channels)
        scale = gamma * ops.rsqrt(variance + self.epsilon)
        # The map is read once more, and no centred one is written.
        shifted = wide * self._each(scale) + self._each(beta - mean * scale)
        picture = ops.cast(shifted, self.compute_dtype)
        return picture if given is None else (picture, own)

    def _mean(self, x: Tensor) -> Tensor:
        """Return the means over all pixels, `[B, 1, 1, C]`."""
        mean = ops.mean(x, axis=(1, 2), keepdims=True)
        if self.phases == 1:
            return mean
        count = x.shape[-1] // self.phases  # Sliced: not all GPUs can split.
        parts = [mean[..., k * count : (k + 1) * count] for k in range(self.phases)]
        return sum(parts[1:], parts[0]) * (1.0 / self.phases)

    def _each(self, values: Tensor) -> Tensor:
        """Return values of channels for every pixel of a block."""
        if self.phases == 1:
            return values
        return ops.concatenate([values] * self.phases, axis=-1)

    def _fused(self, x: Tensor, style: Tensor) -> Tensor:
        """Do the same with TensorFlow's batch normalisation of one picture at a time.

        Its statistics are float32 too. Forward and backward at 256x256 with 32
        channels, batch 4, take 8.5 instead of 40 ms; no app has the operation.
        """
        import tensorflow as tf

        x = tf.cast(x, self.compute_dtype)
        # Not by indexing, whose gradient is a batch of zeros for every picture.
        gammas, betas = (
            tf.unstack(tf.reshape(scale, (x.shape[0], x.shape[-1])))
            for scale in self.scales(style, x.shape[-1])
        )
        pictures = [
            tf.compat.v1.nn.fused_batch_norm(
                picture, scale=gamma, offset=beta, epsilon=EPSILON, is_training=True
            )[0]
            for picture, gamma, beta in zip(
                tf.split(x, x.shape[0]), gammas, betas, strict=True
            )
        ]
        return tf.concat(pictures, axis=0)

    def compute_output_spec(
        self, x: Any, style: Any, given: Any = None, training: bool = False
    ) -> Any:
        """Keep the shape."""
        picture = keras.KerasTensor(x.shape, dtype=self.compute_dtype)
        if given is None:
            return picture
        shape = (x.shape[0], 2, 1, x.shape[-1] // self.phases)
        return picture, keras.KerasTensor(shape, dtype="float32")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "phases": self.phases}


@keras.saving.register_keras_serializable("nst_tf")
class ConditionalInstanceNormalization(InstanceNormalization):
    """Instance normalisation whose scale and shift are mixed by style weights.

    Args:
        styles: Number of rows of gamma and beta; the weights' last axis.
        **kwargs: Passed to `LoweredLayer`.

    Reference:
        Dumoulin et al. 2017, https://arxiv.org/abs/1610.07629
    """

    def __init__(self, styles: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.styles = styles

    def build(self, input_shape: Any) -> None:
        """Create gamma (1) and beta (0), `[N, C]`."""
        shape = (self.styles, input_shape[-1] // self.phases)
        kept = {"shape": shape, "dtype": "float32"}
        self.gamma = self.add_weight(initializer="ones", name="gamma", **kept)
        self.beta = self.add_weight(initializer="zeros", name="beta", **kept)
        self.built = True

    def scales(self, style: Tensor, channels: int) -> tuple[Tensor, Tensor]:
        """Return scale and shift, `[B, 1, 1, C]`, of weights `[B, N]` of the rows."""
        mix = self.lowering.mix
        return mix(style, self.gamma), mix(style, self.beta)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "styles": self.styles}


@keras.saving.register_keras_serializable("nst_tf")
class VectorInstanceNormalization(InstanceNormalization):
    """Instance normalisation whose scale and shift are a part of what is given.

    Args:
        first: Place of the first scale in the style; the shifts follow the scales.
        **kwargs: Passed to `LoweredLayer`.

    Reference:
        Huang and Belongie 2017, https://arxiv.org/abs/1703.06868
    """

    def __init__(self, first: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.first = first

    def build(self, input_shape: Any) -> None:
        """Know that there are no weights."""
        self.built = True

    def scales(self, style: Tensor, channels: int) -> tuple[Tensor, Tensor]:
        """Return scale and shift, `[B, 1, 1, C]`, out of `[B, N]`."""
        middle = self.first + channels
        parts = style[:, self.first : middle], style[:, middle : middle + channels]
        gamma, beta = (ops.reshape(part, (-1, 1, 1, channels)) for part in parts)
        return gamma, beta

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "first": self.first}


@keras.saving.register_keras_serializable("nst_tf")
class StyleBlend(keras.layers.Layer):
    """The ratios of the styles, whatever the share of the photograph.

    Args:
        photograph: Whether the photograph's share is kept as a row of its own, from
            which a network draws with less strength.
        **kwargs: Passed to `keras.layers.Layer`.
    """

    def __init__(self, *, photograph: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.photograph = photograph

    def call(self, style: Tensor) -> Tensor:
        """Return the rows' weights of `[B, N + 1]`.

        Returns:
            `[B, N]` with sum 1 (0 for the photograph alone); with the photograph's
            share before them `[B, N + 1]`, with sum 1.
        """
        painted = style[:, 1:]
        ratios = painted / ops.maximum(ops.sum(painted, axis=-1, keepdims=True), 1e-6)
        if not self.photograph:
            return ratios
        share = style[:, :1]
        return ops.concatenate([share, (1.0 - share) * ratios], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Leave out style 0, unless it is kept."""
        batch, rows = input_shape
        return batch, rows if self.photograph else rows - 1

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "photograph": self.photograph}


@keras.saving.register_keras_serializable("nst_tf")
class PhotographMix(keras.layers.Layer):
    """Mix in the photograph by the weight of style 0.

    Args:
        late: Mix by the fourth power of the weight: only near the photograph, where a
            network that knows the weight itself is not exact.
        **kwargs: Passed to `keras.layers.Layer`.
    """

    def __init__(self, *, late: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.late = late

    def call(self, x: Tensor, image: Tensor, style: Tensor) -> Tensor:
        """Return `[B, H, W, 3]` between `x` and `image`; `style` is `[B, N]`."""
        share = style[:, None, None, :1]
        if self.late:
            for _ in range(2):
                share = share * share  # No square: not all GPUs of phones have it.
        return share * image + (1.0 - share) * x

    def compute_output_spec(self, x: Any, image: Any, style: Any) -> Any:
        """Keep shape and dtype."""
        return keras.KerasTensor(x.shape, dtype=x.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "late": self.late}
