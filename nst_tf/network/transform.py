"""The transform network: a photograph and style weights in, the stylised picture out.

Its architectures are in `nst_tf.network.hourglass` and `nst_tf.network.johnson`.

References:
    Johnson et al. 2016, https://arxiv.org/abs/1603.08155
    Ulyanov et al. 2016 (instance normalisation), https://arxiv.org/abs/1607.08022
    Dumoulin et al. 2017 (conditional instance normalisation),
    https://arxiv.org/abs/1610.07629
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras

from nst_tf.network.blocks import Blocks
from nst_tf.network.hourglass import hourglass
from nst_tf.network.johnson import johnson
from nst_tf.network.layers import PhotographMix
from nst_tf.settings.network import Architecture, Lowering, NetworkSettings

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
    """Build a network with conditional instance normalisation.

    Instance normalisation takes away what a photograph's mean and contrast are, so no
    weights would give it back: the share of style 0 is mixed in from the input itself,
    and strength 0 is exact. The other weights set the blend; only their ratios count.

    Any height and width from 16 pixels; with the native lowering the output has the
    input's size, with the others both sides must be multiples of `settings.multiple`.

    Args:
        settings: Styles, architecture, width, lowering and compute dtype.
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


_ARCHITECTURES: dict[Architecture, Callable[[Blocks], Tensor]] = {
    "hourglass": hourglass,
    "johnson": johnson,
}


def _graph(
    settings: NetworkSettings, *, tiles: bool
) -> tuple[dict[str, Tensor], Tensor]:
    """Return the symbolic inputs and outputs of `build_network`."""
    blocks = Blocks(settings, tiles=tiles)
    x = _ARCHITECTURES[settings.architecture](blocks)
    # float32: half precision would quantise the picture to fewer than 256 levels.
    x = keras.layers.Activation("sigmoid", dtype="float32", name="picture")(x)
    trained = bool(settings.trained_strength)
    mix = PhotographMix(late=trained, dtype="float32", name="mix")
    x = mix(x, blocks.image, blocks.style)
    return blocks.inputs, blocks.with_statistics(x)
