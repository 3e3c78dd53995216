"""The loss network: images in, features of its layers out, whole or of a tile."""

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from nst_tf.loss.choice import choose_network, geometry_of, networks_of
from nst_tf.loss.geometry import GEOMETRIES, Geometry
from nst_tf.loss.lite import build_lite
from nst_tf.loss.tiles import Part, Tile, cut
from nst_tf.loss.vgg import build_vgg
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import ExtractorSettings, Network

Tensor = Any
Steps = Mapping[str, Sequence[keras.layers.Layer]]
"""What makes the features of every layer of those of the layer before, by its name."""
Builder = Callable[
    [Geometry, ExtractorSettings, str], tuple[Steps, dict[str, list[np.ndarray]]]
]
"""Makes the Keras layers of a network, up to the deepest of a geometry, for a dtype,
and gives their weights by the Keras layers' names."""

_BUILDERS: dict[Network, Builder] = {
    "vgg19": build_vgg,
    "vgg16": build_vgg,
    "lite": build_lite,
}


@dataclasses.dataclass(frozen=True)
class _Chain:
    """The Keras layers of a network, hidden from Keras, which knows them already."""

    geometry: Geometry
    steps: Steps
    pool: keras.layers.Layer

    def walk(
        self, x: Tensor, kept: Callable[[Tensor, int], Tensor] = lambda x, level: x
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield every layer's name and features; `kept` cuts what a level pooled."""
        level = 0
        for layer in self.geometry.layers:
            while level < layer.level:
                x = kept(self.pool(x), level)
                level += 1
            for step in self.steps[layer.name]:
                x = step(x)
            yield layer.name, x


class Extractor(keras.Model):
    """A frozen network from pictures to features, which knows its geometry.

    Called with float32 `[B, H, W, 3]`, RGB 0..1, it returns `dict[layer, [B, h, w,
    C]]`.

    Args:
        geometry: Of the network, up to the deepest layer that is wanted.
        layers: Names of the layers whose features are wanted.
        steps: The Keras layers, by the layer whose features they make.
        pool: The Keras layer that halves maps between levels.
    """

    def __init__(
        self,
        geometry: Geometry,
        layers: Collection[str],
        *,
        steps: Steps,
        pool: keras.layers.Layer,
    ) -> None:
        chain = _Chain(geometry, steps, pool)
        image = keras.Input((None, None, 3), dtype="float32", name="image")
        outputs = {name: x for name, x in chain.walk(image) if name in layers}
        super().__init__(image, outputs, name=geometry.network)
        self.geometry, self._chain = geometry, chain
        self.trainable = False

    def only(self, layers: Collection[str]) -> keras.Model:
        """Return the part of the network that gives the features of some layers."""
        return keras.Model(self.input, {name: self.output[name] for name in layers})

    def tile_features(
        self, crop: Tensor, tile: Tile, parts: Mapping[str, Part]
    ) -> dict[str, Tensor]:
        """Return the features of a tile exactly as in those of the whole picture.

        Args:
            crop: float32 `[B, H, W, 3]`, RGB 0..1, from `tile.crop`.
            tile: The tile, or another one of its kind.
            parts: What is wanted of every layer, from `tile.part`.
        """

        def kept(x: Tensor, level: int) -> Tensor:
            return cut(x, tile.rows.kept[level], tile.columns.kept[level])

        chain = dataclasses.replace(self._chain, geometry=self.geometry.upto(parts))
        return {
            name: cut(x, *parts[name].here)
            for name, x in chain.walk(crop, kept)
            if name in parts
        }


def build_extractor(
    layers: Sequence[str],
    *,
    settings: ExtractorSettings | None = None,
    dtype: str = "float32",
) -> Extractor:
    """Build the frozen network up to the deepest of `layers`.

    Args:
        layers: Keras names of convolutions; their output is taken after the ReLU.
        settings: Network, pooling and where the weights are.
        dtype: Compute dtype and weight dtype, `"float32"` or `"bfloat16"`.

    Returns:
        A model from float32 `[B, H, W, 3]` RGB 0..1 to `dict[layer, [B, h, w, C]]`.

    Raises:
        InputError: An unknown layer, or no usable weights.

    Example:
        >>> extractor = build_extractor(["block4_conv2"])
        >>> extractor(photo)["block4_conv2"]
    """
    settings = choose_network(settings or ExtractorSettings())
    network = networks_of(settings)[-1]
    GEOMETRIES[network].check(layers)
    if not layers:
        raise InputError("the extractor needs at least one layer")
    geometry = geometry_of(settings)
    for name in layers:
        if name not in geometry.names:
            raise InputError(f"{settings.lite_weights} has no layer {name}")
    geometry = geometry.upto(layers)
    settings = dataclasses.replace(settings, network=network)  # Of several the last.
    steps, weights = _BUILDERS[network](geometry, settings, dtype)
    pool = (
        keras.layers.MaxPooling2D(2, dtype=dtype)
        if settings.pooling == "max"
        else keras.layers.AveragePooling2D(2, dtype=dtype)
    )
    extractor = Extractor(geometry, layers, steps=steps, pool=pool)
    for name, arrays in weights.items():
        extractor.get_layer(name).set_weights(arrays)
    return extractor
