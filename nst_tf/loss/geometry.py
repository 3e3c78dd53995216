"""What a loss network's layers are, told without building it."""

import dataclasses
import itertools
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import Network


class ReceptiveField(NamedTuple):
    """The square of the image that one position of a feature map sees.

    Attributes:
        size: Its side in pixels.
        stride: Pixels from one position to the next.
        start: First row (or column) that position 0 sees; negative, in the padding.
    """

    size: int
    stride: int
    start: int


@dataclasses.dataclass(frozen=True)
class FeatureLayer:
    """A layer whose features can be compared.

    Attributes:
        name: Its Keras name.
        level: Poolings before it: a position stands for `2**level` pixels a side.
        channels: Of its features.
        reach: Positions to each side, in its own map, that its kernels see.
        inner: Channels of the maps between the layer before and its own.
    """

    name: str
    level: int
    channels: int
    reach: int = 1
    inner: tuple[int, ...] = ()

    @property
    def density(self) -> float:
        """Numbers of its map for each pixel of the picture."""
        return self.channels / 4**self.level

    @property
    def work(self) -> float:
        """Numbers of all maps that it makes for each pixel of the picture."""
        return (sum(self.inner) + self.channels) / 4**self.level


@dataclasses.dataclass(frozen=True)
class Geometry:
    """The layers of a loss network from the first on, halved by poolings.

    Attributes:
        network: Its name in the settings.
        layers: In the order in which they act.

    Example:
        >>> GEOMETRIES["vgg19"]["block2_conv1"].channels
        128
    """

    network: str
    layers: tuple[FeatureLayer, ...]

    def __getitem__(self, name: str) -> FeatureLayer:
        return next(layer for layer in self.layers if layer.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the layers, from the shallowest to the deepest."""
        return tuple(layer.name for layer in self.layers)

    def check(self, layers: Iterable[str]) -> None:
        """Raise InputError for layers that there are not, naming those that are."""
        unknown = [name for name in layers if name not in self.names]
        if unknown:
            raise InputError(
                f"{self.network.upper()} has no layers {unknown}; it has"
                f" {', '.join(self.names)}"
            )

    def upto(self, layers: Collection[str]) -> "Geometry":
        """Return the part that ends with the deepest of some layers."""
        deepest = max(map(self.names.index, layers))
        return dataclasses.replace(self, layers=self.layers[: deepest + 1])

    def receptive_field(self, name: str) -> ReceptiveField:
        """Return what one position of a layer sees.

        Example:
            >>> GEOMETRIES["vgg19"].receptive_field("block2_conv1")
            ReceptiveField(size=10, stride=2, start=-4)
        """
        size, stride, start = 1, 1, 0
        for layer in self.upto([name]).layers:
            while stride < 1 << layer.level:
                size, stride = size + stride, 2 * stride
            size, start = size + 2 * layer.reach * stride, start - layer.reach * stride
        return ReceptiveField(size, stride, start)

    @property
    def rings(self) -> dict[str, int]:
        """How far zero padding reaches into every layer's map, in its positions."""
        ring, level, rings = 0, 0, {}
        for layer in self.layers:
            for _ in range(layer.level - level):
                ring = -(-ring // 2)
            ring, level = ring + layer.reach, layer.level
            rings[layer.name] = ring
        return rings

    @property
    def halo(self) -> tuple[int, ...]:
        """How much each level must see around a tile, in its own positions."""
        counts = [0] * (self.layers[-1].level + 1)
        for layer in self.layers:
            counts[layer.level] += layer.reach
        needed, found = 0, list[int]()
        for count in reversed(counts):
            needed = 2 * needed + count
            if found:
                needed += needed % 2  # The pooling after it must meet the grid.
            found.append(needed)
        return tuple(reversed(found))


def _vgg(network: Network, convolutions: tuple[int, ...]) -> Geometry:
    """Return five blocks of 3x3 convolutions with poolings between them."""
    channels = (64, 128, 256, 512, 512)
    blocks = [
        [
            FeatureLayer(f"block{level + 1}_conv{number}", level, channels[level])
            for number in range(1, count + 1)
        ]
        for level, count in enumerate(convolutions)
    ]
    return Geometry(network, tuple(itertools.chain(*blocks)))


def _lite(ranks: Mapping[str, int]) -> Geometry:
    """Return VGG-19 as far as it is compressed, with the channels in between."""
    layers = [
        dataclasses.replace(layer, inner=(ranks[layer.name],))
        if layer.name in ranks
        else layer
        for layer in _vgg("vgg19", (2, 2, 4, 4, 4)).layers
    ]
    return Geometry("lite", tuple(layers)).upto(ranks)


_RANKS: Mapping[str, int] = {
    "block1_conv2": 24,
    "block2_conv1": 48,
    "block2_conv2": 64,
    "block3_conv1": 112,
    "block3_conv2": 104,
    "block3_conv3": 72,
    "block3_conv4": 72,
    "block4_conv1": 120,
    "block4_conv2": 144,
    "block4_conv3": 176,
    "block4_conv4": 256,
    "block5_conv1": 384,
}
"""Channels between the two convolutions of a layer of lite, which ships."""


GEOMETRIES: Mapping[Network, Geometry] = {
    "vgg19": _vgg("vgg19", (2, 2, 4, 4, 4)),
    "vgg16": _vgg("vgg16", (2, 2, 3, 3, 3)),
    "lite": _lite(_RANKS),
}
"""The loss networks of the settings."""
