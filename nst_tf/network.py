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

from nst_tf.settings import Lowering, NetworkSettings

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
        lowering: `"native"` pads in one operation. `"slices"` writes it as slices and
            concatenations, which LiteRT's CPU kernels take whole.
        **kwargs: Passed to `keras.layers.Layer`.
    """

    def __init__(
        self, width: int, *, lowering: Lowering = "native", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.width, self.lowering = width, lowering

    def call(self, x: Tensor) -> Tensor:
        """Pad `[B, H, W, C]` to `[B, H + 2 width, W + 2 width, C]`."""
        if self.lowering == "native":
            sides = (self.width, self.width)
            return ops.pad(x, ((0, 0), sides, sides, (0, 0)), mode="reflect")
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
class NearestUpsampling(keras.layers.Layer):
    """Double both sides by repeating pixels.

    Written as depth-to-space of four copies: exact, and free of shape arithmetic, so
    that it exports with unknown sizes.
    """

    def call(self, x: Tensor) -> Tensor:
        """Enlarge `[B, H, W, C]` to `[B, 2H, 2W, C]`."""
        return ops.depth_to_space(ops.concatenate([x] * 4, axis=-1), 2)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Double both sides; an unknown one stays unknown."""
        batch, height, width, channels = input_shape
        return (batch, height and 2 * height, width and 2 * width, channels)


@keras.saving.register_keras_serializable("nst_tf")
class ConditionalInstanceNormalization(keras.layers.Layer):
    """Instance normalisation whose scale and shift are mixed by style weights.

    Mean and variance over H and W are float32 whatever the compute dtype.

    Args:
        styles: Number of rows of gamma and beta; the weights' last axis.
        **kwargs: Passed to `keras.layers.Layer`.

    Reference:
        Dumoulin et al. 2017, https://arxiv.org/abs/1610.07629
    """

    def __init__(self, styles: int, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.styles = styles

    def build(self, input_shape: Any) -> None:
        """Create gamma (1) and beta (0), `[N, C]`."""
        shape = (self.styles, input_shape[-1])
        kept = {"shape": shape, "dtype": "float32"}
        self.gamma = self.add_weight(initializer="ones", name="gamma", **kept)
        self.beta = self.add_weight(initializer="zeros", name="beta", **kept)
        self.built = True

    def call(self, x: Tensor, style: Tensor) -> Tensor:
        """Normalise `[B, H, W, C]`; `style` is float32 `[B, N]`."""
        wide = ops.cast(x, "float32")
        mean = ops.mean(wide, axis=(1, 2), keepdims=True)
        centered = wide - mean
        variance = ops.mean(ops.square(centered), axis=(1, 2), keepdims=True)
        gamma = ops.matmul(style, self.gamma)[:, None, None, :]
        beta = ops.matmul(style, self.beta)[:, None, None, :]
        scale = gamma * ops.rsqrt(variance + EPSILON)
        return ops.cast(centered * scale + beta, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any, *_: Any) -> Any:
        """Keep the shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "styles": self.styles}


def build_network(settings: NetworkSettings) -> keras.Model:
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
    input's size, with slices both sides must be multiples of 4.

    Args:
        settings: Styles, width, lowering and compute dtype.

    Returns:
        A model from `{"image": float32 [B, H, W, 3], "style": float32 [B, N + 1]}` to
        float32 `[B, H, W, 3]`, both RGB 0..1. Style 0 is the photograph itself.

    Example:
        >>> network = build_network(NetworkSettings(styles=3))
        >>> network({"image": photo, "style": [[0.0, 0.3, 0.7]]})
    """
    lowering = settings.lowering
    policy = settings.dtype
    narrow, middle, wide = (max(1, round(settings.width * n)) for n in (32, 64, 128))

    image = keras.Input((None, None, 3), dtype="float32", name="image")
    style = keras.Input((settings.styles + 1,), dtype="float32", name="style")
    blend = StyleBlend(dtype="float32", name="blend")(style)

    def convolve(x: Tensor, filters: int, size: int, name: str, stride: int = 1) -> Any:
        padding = ReflectionPadding(
            size // 2, lowering=lowering, dtype=policy, name=f"{name}_padding"
        )
        convolution = keras.layers.Conv2D(
            filters, size, strides=stride, use_bias=False, dtype=policy, name=name
        )
        normalization = ConditionalInstanceNormalization(
            settings.styles, dtype=policy, name=f"{name}_norm"
        )
        return normalization(convolution(padding(x)), blend)

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
        x = NearestUpsampling(dtype=policy, name=f"{name}_nearest")(x)
        if lowering == "native":
            x = CropLike(dtype=policy, name=f"{name}_crop")(x, skip)
        x = relu(convolve(x, filters, 3, name), name)
        x = keras.layers.Add(dtype=policy, name=f"{name}_add")([x, skip])
    x = convolve(x, 3, 9, "out")
    # float32: half precision would quantise the picture to fewer than 256 levels.
    x = keras.layers.Activation("sigmoid", dtype="float32", name="picture")(x)
    x = PhotographMix(dtype="float32", name="mix")(x, image, style)
    return keras.Model({"image": image, "style": style}, x, name="transform")


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
class CropLike(keras.layers.Layer):
    """Cut off what the strides added right and below."""

    def call(self, x: Tensor, like: Tensor) -> Tensor:
        """Return `[B, H, W, C]` of `x`, with the H and W of `like`."""
        _, height, width, _ = ops.shape(like)
        return x[:, :height, :width]

    def compute_output_spec(self, x: Any, like: Any) -> Any:
        """Take the sides of `like`."""
        batch, _, _, channels = x.shape
        return keras.KerasTensor((batch, *like.shape[1:3], channels), dtype=x.dtype)


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
