"""The transform network: a photograph and style weights in, the stylised picture out.

References:
    Johnson et al. 2016 (supplement: the layers), https://arxiv.org/abs/1603.08155
    Ulyanov et al. 2016 (instance normalisation), https://arxiv.org/abs/1607.08022
    Dumoulin et al. 2017 (conditional instance normalisation),
    https://arxiv.org/abs/1610.07629
    Odena et al. 2016 (resize-convolution), https://distill.pub/2016/deconv-checkerboard
    Chaurasia and Culurciello 2017 (additive skips), https://arxiv.org/abs/1707.03718
"""

import dataclasses
from typing import Any

import keras
from keras import ops

from nst_tf.network.layers import (
    ConditionalInstanceNormalization,
    PhotographMix,
    ReflectionPadding,
    StyleBlend,
)
from nst_tf.network.subpixel import PhasedConv2D, UpsamplingConv2D
from nst_tf.settings.network import Lowering, NetworkSettings

Tensor = Any


@keras.saving.register_keras_serializable("nst_tf")
class TransformNetwork(keras.Model):
    """The network of `build_network`, saved as its settings and weights.

    Args:
        settings: Styles, width, lowering and compute dtype.
        tiles: Whether the statistics are an input and an output, too.
        **kwargs: Passed to `keras.Model`.
    """

    def __init__(
        self, settings: NetworkSettings, *, tiles: bool = False, **kwargs: Any
    ) -> None:
        inputs, outputs = _graph(settings, tiles=tiles)
        super().__init__(inputs, outputs, **{"name": "transform", **kwargs})
        self.settings, self.tiles = settings, tiles

    def rebuilt(
        self,
        *,
        lowering: Lowering | None = None,
        tiles: bool | None = None,
        dtype: str | None = None,
    ) -> "TransformNetwork":
        """Return a network with the same weights, written in another way.

        Args:
            lowering: The copy's lowering; without it this network's.
            tiles: Whether it takes and gives statistics; without it as this one.
            dtype: Its Keras dtype policy; without it this network's.
        """
        changed = dataclasses.replace(
            self.settings,
            lowering=lowering or self.settings.lowering,
            dtype=dtype or self.settings.dtype,
        )
        copy = TransformNetwork(changed, tiles=self.tiles if tiles is None else tiles)
        copy.set_weights(self.get_weights())
        return copy

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, the settings as a dict."""
        return {
            "name": self.name,
            "trainable": self.trainable,
            "settings": dataclasses.asdict(self.settings),
            "tiles": self.tiles,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Any = None
    ) -> "TransformNetwork":
        """Build the network that a config describes, with new weights."""
        settings = NetworkSettings(**config["settings"])
        return cls(settings, **{k: v for k, v in config.items() if k != "settings"})


def build_network(
    settings: NetworkSettings, *, tiles: bool = False
) -> TransformNetwork:
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
    return TransformNetwork(settings, tiles=tiles)


def _graph(
    settings: NetworkSettings, *, tiles: bool
) -> tuple[dict[str, Tensor], Tensor]:
    """Return the symbolic inputs and outputs of `build_network`."""
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
    return inputs, x
