"""The transform network: a photograph and style weights in, the stylised picture out.

References:
    Johnson et al. 2016 (supplement: the layers), https://arxiv.org/abs/1603.08155
    Ulyanov et al. 2016 (instance normalisation), https://arxiv.org/abs/1607.08022
    Dumoulin et al. 2017 (conditional instance normalisation),
    https://arxiv.org/abs/1610.07629
    Odena et al. 2016 (resize-convolution), https://distill.pub/2016/deconv-checkerboard
    Chaurasia and Culurciello 2017 (additive skips), https://arxiv.org/abs/1707.03718
"""

from typing import Any

import keras
from keras import ops

from nst_tf.phases import PhasedConv2D, UpsamplingConv2D
from nst_tf.settings import Lowering, NetworkSettings
from nst_tf.windows import mirrored

Tensor = Any
EPSILON = 1e-3
"""Added to the variance; large enough for half-precision GPUs of phones."""
MULTIPLE = 4
"""The two strides; sides that it does not divide cost a crop of the output."""


@keras.saving.register_keras_serializable("nst_tf")
class ReflectionPadding(keras.layers.Layer):
    """Mirror the border, without repeating the edge pixel.

    Args:
        width: Pixels on every side.
        lowering: `"slices"` writes it as slices and concatenations, which LiteRT's
            CPU kernels take whole; the others pad open sizes in one operation.
        **kwargs: Passed to `keras.layers.Layer`.
    """

    def __init__(
        self, width: int, *, lowering: Lowering = "native", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.width, self.lowering = width, lowering

    def call(self, x: Tensor) -> Tensor:
        """Pad `[B, H, W, C]` to `[B, H + 2 width, W + 2 width, C]`."""
        if self.lowering != "slices":
            return mirrored(x, self.width)
        rows = _mirror(x, self.width, axis=1)
        return _mirror(rows, self.width, axis=2)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Enlarge both sides; an unknown one stays unknown."""
        batch, height, width, channels = input_shape
        grown = [side and side + 2 * self.width for side in (height, width)]
        return (batch, *grown, channels)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "width": self.width,
            "lowering": self.lowering,
        }


def _mirror(x: Tensor, width: int, *, axis: int) -> Tensor:
    """Mirror both ends of an axis with slices one pixel thin, at most 4 a join."""

    def line(start: int, stop: int | None) -> Tensor:
        index = [slice(None)] * 4
        index[axis] = slice(start, stop)
        return x[tuple(index)]

    def join(parts: list[Tensor]) -> Tensor:
        while len(parts) > 1:
            parts = [
                ops.concatenate(parts[i : i + 4], axis=axis)
                if i + 1 < len(parts)
                else parts[i]
                for i in range(0, len(parts), 4)
            ]
        return parts[0]

    before = [line(i, i + 1) for i in range(width, 0, -1)]
    after = [line(-i - 1, -i) for i in range(1, width + 1)]
    return join([join(before), x, join(after)])


@keras.saving.register_keras_serializable("nst_tf")
class ConditionalInstanceNormalization(keras.layers.Layer):
    """Instance normalisation whose scale and shift are mixed by style weights.

    Mean and variance over H and W are float32 whatever the compute dtype.

    Args:
        styles: Number of rows of gamma and beta; the weights' last axis.
        lowering: `"multiples"` makes gamma and beta channels-first and transposes
            them: then tf2onnx finds transposes on all sides and takes them out.
        **kwargs: Passed to `keras.layers.Layer`.

    Reference:
        Dumoulin et al. 2017, https://arxiv.org/abs/1610.07629
    """

    def __init__(
        self, styles: int, *, lowering: Lowering = "native", **kwargs: Any
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.styles, self.lowering = styles, lowering

    def build(self, input_shape: Any) -> None:
        """Create gamma (1) and beta (0), `[N, C]`."""
        shape = (self.styles, input_shape[-1])
        kept = {"shape": shape, "dtype": "float32"}
        self.gamma = self.add_weight(initializer="ones", name="gamma", **kept)
        self.beta = self.add_weight(initializer="zeros", name="beta", **kept)
        self.built = True

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
            style: Weights of the rows of gamma and beta.
            given: float32 `[B, 3, 1, C]`, mean and variance to normalise with, and
                their share against those of `x` (1: they alone). With it, what is
                returned is the picture and mean and variance of `x`, `[B, 2, 1, C]`.
            training: Whether a gradient will be wanted.
        """
        many = x.shape[0] and x.shape[-1] >= 16  # With fewer it is slower.
        if training and many and keras.backend.backend() == "tensorflow":
            return self._fused(x, style)
        wide = ops.cast(x, "float32")
        mean = ops.mean(wide, axis=(1, 2), keepdims=True)
        centered = wide - mean
        variance = ops.mean(ops.square(centered), axis=(1, 2), keepdims=True)
        if given is not None:
            own = ops.concatenate([mean, variance], axis=1)
            used = own + given[:, 2:] * (given[:, :2] - own)
            centered, variance = wide - used[:, :1], used[:, 1:]
        gamma, beta = (self._mixed(style, rows) for rows in (self.gamma, self.beta))
        scale = gamma * ops.rsqrt(variance + EPSILON)
        picture = ops.cast(centered * scale + beta, self.compute_dtype)
        return picture if given is None else (picture, own)

    def _mixed(self, style: Tensor, rows: Tensor) -> Tensor:
        """Return `[B, 1, 1, C]`, the mix of rows `[N, C]`."""
        mixed = ops.matmul(style, rows)
        if self.lowering == "multiples":
            return ops.transpose(mixed[:, :, None, None], (0, 2, 3, 1))
        return mixed[:, None, None, :]

    def _fused(self, x: Tensor, style: Tensor) -> Tensor:
        """Do the same with TensorFlow's batch normalisation of one picture at a time.

        Its statistics are float32 too. Forward and backward at 256x256 with 32
        channels, batch 4, take 8.5 instead of 40 ms; no app has the operation.
        """
        import tensorflow as tf

        x = tf.cast(x, self.compute_dtype)
        gamma, beta = ops.matmul(style, self.gamma), ops.matmul(style, self.beta)
        pictures = [
            tf.compat.v1.nn.fused_batch_norm(
                picture,
                scale=gamma[index],
                offset=beta[index],
                epsilon=EPSILON,
                is_training=True,
            )[0]
            # Not by indexing, whose gradient is a batch of zeros for every picture.
            for index, picture in enumerate(tf.split(x, x.shape[0]))
        ]
        return tf.concat(pictures, axis=0)

    def compute_output_spec(
        self, x: Any, style: Any, given: Any = None, training: bool = False
    ) -> Any:
        """Keep the shape."""
        picture = keras.KerasTensor(x.shape, dtype=self.compute_dtype)
        if given is None:
            return picture
        shape = (x.shape[0], 2, 1, x.shape[-1])
        return picture, keras.KerasTensor(shape, dtype="float32")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "styles": self.styles,
            "lowering": self.lowering,
        }


def build_network(settings: NetworkSettings, *, tiles: bool = False) -> keras.Model:
    """Build Johnson's network with conditional instance normalisation.

    Differs from the paper: what either stride takes away is added again at its size on
    the way up (additive skips: the photograph's outlines stay, and cost nothing),
    reflection padding before every convolution, nearest
    upsampling and convolution instead of transposed convolutions (no checkerboard),
    instance normalisation, a sigmoid at the end. Instance normalisation takes away
    what a photograph's mean and contrast are, so no weights would give it back: the
    share of style 0 is mixed in from the input itself, and strength 0 is exact. The
    other weights set the blend; only their ratios count.

    Any height and width from 16 pixels; with the native lowering the output has the
    input's size, with the others both sides must be multiples of 4.

    Args:
        settings: Styles, width, lowering and compute dtype.
        tiles: Whether the statistics of the normalisations are an input, too, and an
            output, so that the parts of a picture can share those of the whole.

    Returns:
        A model from `{"image": float32 [B, H, W, 3], "style": float32 [B, N + 1]}` to
        float32 `[B, H, W, 3]`, both RGB 0..1. Style 0 is the photograph itself.
        With tiles, from these and `"statistics"`, float32 `[B, 3, 1, S]`, to a dict of
        `"picture"` and `"statistics"` `[B, 2, 1, S]`: mean and variance of all channels
        of all normalisations; the third row of the input says how much they count.

    Example:
        >>> network = build_network(NetworkSettings(styles=3))
        >>> network({"image": photo, "style": [[0.0, 0.3, 0.7]]})
    """
    lowering = settings.lowering
    policy = settings.dtype
    narrow, middle, wide = (max(1, round(settings.width * n)) for n in (32, 64, 128))

    image = keras.Input((None, None, 3), dtype="float32", name="image")
    style = keras.Input((settings.styles + 1,), dtype="float32", name="style")
    inputs = {"image": image, "style": style}
    blend = StyleBlend(dtype="float32", name="blend")(style)
    if tiles:
        channels = 2 * narrow + 2 * middle + 11 * wide + 3
        inputs["statistics"] = keras.Input((3, 1, channels), name="statistics")
    own: list[Tensor] = []

    def normalize(x: Tensor, name: str) -> Tensor:
        normalization = ConditionalInstanceNormalization(
            settings.styles, lowering=lowering, dtype=policy, name=f"{name}_norm"
        )
        if not tiles:
            return normalization(x, blend)
        first = sum(part.shape[-1] for part in own)
        given = inputs["statistics"][..., first : first + x.shape[-1]]
        x, statistics = normalization(x, blend, given)
        own.append(statistics)
        return x

    def convolve(x: Tensor, filters: int, size: int, name: str, stride: int = 1) -> Any:
        padding = ReflectionPadding(
            size // 2, lowering=lowering, dtype=policy, name=f"{name}_padding"
        )
        if size > 3:
            convolution = PhasedConv2D(
                filters, size, lowering=lowering, dtype=policy, name=name
            )
        else:
            convolution = keras.layers.Conv2D(
                filters, size, strides=stride, use_bias=False, dtype=policy, name=name
            )
        return normalize(convolution(padding(x)), name)

    def relu(x: Tensor, name: str) -> Tensor:
        return keras.layers.ReLU(dtype=policy, name=f"{name}_relu")(x)

    x = keras.layers.Rescaling(2.0, offset=-1.0, dtype=policy, name="center")(image)
    skips: list[Tensor] = []
    for name, filters, size, stride in (
        ("down1", narrow, 9, 1),
        ("down2", middle, 3, 2),
        ("down3", wide, 3, 2),
    ):
        x = relu(convolve(x, filters, size, name, stride), name)
        skips.append(x)
    for block in range(1, 6):
        inside = relu(convolve(x, wide, 3, f"res{block}a"), f"res{block}a")
        inside = convolve(inside, wide, 3, f"res{block}b")
        x = keras.layers.Add(dtype=policy, name=f"res{block}_add")([x, inside])
    skips.pop()  # The last is x itself.
    for name, filters in (("up1", middle), ("up2", narrow)):
        skip = skips.pop()
        up = UpsamplingConv2D(filters, 3, lowering=lowering, dtype=policy, name=name)
        x = relu(normalize(up(x, skip), name), name)
        x = keras.layers.Add(dtype=policy, name=f"{name}_add")([x, skip])
    x = convolve(x, 3, 9, "out")
    # float32: half precision would quantise the picture to fewer than 256 levels.
    x = keras.layers.Activation("sigmoid", dtype="float32", name="picture")(x)
    x = PhotographMix(dtype="float32", name="mix")(x, image, style)
    if tiles:
        x = {"picture": x, "statistics": ops.concatenate(own, axis=-1)}
    return keras.Model(inputs, x, name="transform")


@keras.saving.register_keras_serializable("nst_tf")
class StyleBlend(keras.layers.Layer):
    """The ratios of the styles, whatever the share of the photograph."""

    def call(self, style: Tensor) -> Tensor:
        """Return `[B, N]` with sum 1 (0 for the photograph alone) of `[B, N + 1]`."""
        painted = style[:, 1:]
        return painted / ops.maximum(ops.sum(painted, axis=-1, keepdims=True), 1e-6)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Leave out style 0."""
        batch, rows = input_shape
        return batch, rows - 1


@keras.saving.register_keras_serializable("nst_tf")
class PhotographMix(keras.layers.Layer):
    """Mix in the photograph by the weight of style 0."""

    def call(self, x: Tensor, image: Tensor, style: Tensor) -> Tensor:
        """Return `[B, H, W, 3]` between `x` and `image`; `style` is `[B, N]`."""
        share = style[:, None, None, :1]
        return share * image + (1.0 - share) * x

    def compute_output_spec(self, x: Any, image: Any, style: Any) -> Any:
        """Keep shape and dtype."""
        return keras.KerasTensor(x.shape, dtype=x.dtype)
