"""What the architectures of the transform network are put together from."""

from typing import Any

import keras
from keras import ops

from nst_tf.network.layers import (
    ConditionalInstanceNormalization,
    InstanceNormalization,
    ReflectionPadding,
    StyleBlend,
    VectorInstanceNormalization,
)
from nst_tf.network.lowering import find_lowering
from nst_tf.network.subpixel import BlockConv2D, PhasedConv2D, UpsamplingConv2D
from nst_tf.settings.network import NetworkSettings

Tensor = Any


class Blocks:
    """Inputs of a network under construction, and layers on what comes of them.

    Args:
        settings: Styles, architecture, width, lowering and compute dtype.
        tiles: Whether the statistics of the normalisations are an input, too.

    Attributes:
        image: The photograph, symbolic float32 `[B, H, W, 3]`.
        style: The styles' weights, symbolic float32 `[B, N + 1]`; with vectors the
            photograph's share, and scales and shifts of every normalisation.
        narrow: Channels of the maps of the highest resolution.
        middle: Those of the next.
        wide: Those of the lowest.
    """

    def __init__(self, settings: NetworkSettings, *, tiles: bool) -> None:
        self.settings, self.tiles = settings, tiles
        self.lowering, self.policy = settings.lowering, settings.dtype
        trained = bool(settings.trained_strength)
        self.narrow, self.middle, self.wide = (
            max(1, round(settings.width * channels)) for channels in (32, 64, 128)
        )
        self.image = keras.Input((None, None, 3), dtype="float32", name="image")
        self._rows = settings.styles + (1 if trained else 0)
        self._own: list[Tensor] = []
        self._given: Any = None
        self._next = 1
        if not settings.vectors:
            self._take(settings.styles + 1)
            blend = StyleBlend(photograph=trained, dtype="float32", name="blend")
            self._blend = blend(self.style)

    def _take(self, numbers: int) -> None:
        self.style = keras.Input((numbers,), dtype="float32", name="style")

    @property
    def inputs(self) -> dict[str, Tensor]:
        """The symbolic inputs by name."""
        inputs = {"image": self.image, "style": self.style}
        return inputs | ({"statistics": self._given} if self.tiles else {})

    def expect(self, channels: int) -> None:
        """Declare over how many channels the network will normalise in all."""
        if self.tiles:
            self._given = keras.Input((3, 1, channels), name="statistics")
        if self.settings.vectors:
            self._take(1 + 2 * channels)

    def with_statistics(self, picture: Tensor) -> Tensor:
        """Return the network's output: the picture, with tiles the statistics too."""
        if not self.tiles:
            return picture
        statistics = ops.concatenate(self._own, axis=-1)
        return {"picture": picture, "statistics": statistics}

    def centered(self) -> Tensor:
        """Return the photograph in -1..1."""
        center = keras.layers.Rescaling(
            2.0, offset=-1.0, dtype=self.policy, name="center"
        )
        return center(self.image)

    def normalize(self, x: Tensor, name: str, *, phases: int = 1) -> Tensor:
        """Normalise in the manner of the styles; see `InstanceNormalization`."""
        normalization: InstanceNormalization
        channels = x.shape[-1] // phases
        kept = self._kept(f"{name}_norm") | {"phases": phases}
        if self.settings.vectors:
            normalization = VectorInstanceNormalization(self._next, **kept)
            self._next += 2 * channels
            style = self.style
        else:
            normalization = ConditionalInstanceNormalization(self._rows, **kept)
            style = self._blend
        if not self.tiles:
            return normalization(x, style)
        first = sum(part.shape[-1] for part in self._own)
        given = self._given[..., first : first + channels]
        x, statistics = normalization(x, style, given)
        self._own.append(statistics)
        return x

    def _kept(self, name: str) -> dict[str, Any]:
        """Return what all layers of this project take."""
        return {"lowering": self.lowering, "dtype": self.policy, "name": name}

    def relu(self, x: Tensor, name: str) -> Tensor:
        """Rectify."""
        return keras.layers.ReLU(dtype=self.policy, name=f"{name}_relu")(x)

    def pad(self, x: Tensor, width: int, name: str) -> Tensor:
        """Mirror the border."""
        padding = ReflectionPadding(
            width, lowering=self.lowering, dtype=self.policy, name=f"{name}_padding"
        )
        return padding(x)

    def convolve(
        self, x: Tensor, filters: int, size: int, name: str, *, stride: int = 1
    ) -> Tensor:
        """Pad, convolve and normalise."""
        x = self.pad(x, size // 2, name)
        if size > 3 and stride == 1:
            convolution = PhasedConv2D(filters, size, **self._kept(name))
        else:
            convolution = keras.layers.Conv2D(
                filters,
                size,
                strides=stride,
                use_bias=False,
                dtype=self.policy,
                name=name,
            )
        return self.normalize(convolution(x), name)

    def down(
        self, x: Tensor, filters: int, size: int, name: str, *, stride: int = 2
    ) -> Tensor:
        """Convolve, usually to half the resolution, normalise and rectify."""
        return self.relu(self.convolve(x, filters, size, name, stride=stride), name)

    def up(self, x: Tensor, skip: Tensor, name: str, *, full: bool = False) -> Tensor:
        """Enlarge to the resolution and channels of a skip, and add it.

        Args:
            x: What is enlarged.
            skip: What is added.
            name: Of the layers.
            full: Whether it is a map of `full`'s kind, and the result, too.
        """
        phases = 4 if full and self.blocks else 1
        enlarging = UpsamplingConv2D(
            skip.shape[-1] // phases,
            3,
            keep=phases > 1,
            **self._kept(name),
        )
        x = self.normalize(enlarging(x, skip), name, phases=phases)
        add = keras.layers.Add(dtype=self.policy, name=f"{name}_add")
        return add([self.relu(x, name), skip])

    @property
    def blocks(self) -> bool:
        """Whether maps of the full resolution are kept in blocks of 2x2 pixels."""
        return find_lowering(self.lowering).blocks

    def full(self, filters: int, size: int, name: str) -> Tensor:
        """Convolve the photograph, normalise and rectify: a map as large as it is."""
        if not self.blocks:
            return self.down(self.centered(), filters, size, name, stride=1)
        convolution = PhasedConv2D(filters, size, keep=True, **self._kept(name))
        x = convolution(self.pad(self.centered(), size // 2, name))
        return self.relu(self.normalize(x, name, phases=4), name)

    def from_full(
        self, x: Tensor, filters: int, size: int, name: str, *, stride: int = 1
    ) -> Tensor:
        """Convolve a map of `full`'s kind and normalise."""
        if not self.blocks:
            return self.convolve(x, filters, size, name, stride=stride)
        convolution = BlockConv2D(filters, size, stride=stride, **self._kept(name))
        return self.normalize(convolution(x), name)

    def residual(self, x: Tensor, name: str) -> Tensor:
        """Add what two convolutions make of a map to it."""
        channels = x.shape[-1]
        inside = self.convolve(x, channels, 3, f"{name}a")
        inside = self.convolve(self.relu(inside, f"{name}a"), channels, 3, f"{name}b")
        return keras.layers.Add(dtype=self.policy, name=f"{name}_add")([x, inside])
