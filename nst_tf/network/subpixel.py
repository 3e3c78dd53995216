"""Convolutions at full resolution, computed at half of it.

Every second row and column of the output is a phase: the same convolution of the input
with a shifted kernel. All four phases together are one convolution at half the
resolution with four times the channels, which processors run faster where there are
few channels: forward and backward of a 9x9 convolution from 32 to 3 channels at
256x256, batch 4, takes 179 instead of 422 ms, and LiteRT's table of input addresses
shrinks by 3. Results are equal up to the order of summation.

References:
    Shi et al. 2016 (convolution at low resolution), https://arxiv.org/abs/1609.05158
    Shi et al. 2016 (resize-convolution is one, too), https://arxiv.org/abs/1609.07009
"""

from typing import Any

import keras
from keras import ops

from nst_tf.network.layers import LoweredLayer
from nst_tf.network.lowering import ends_of_blocks, find_lowering, kernel_of_blocks
from nst_tf.settings.network import Lowering

Tensor = Any


class _Phased(keras.layers.Conv2D):
    """A convolution without bias that pads its input itself.

    Args:
        filters: Channels of the output.
        kernel_size: Side of the kernel, odd.
        lowering: How it is written, and for which sizes in phases; see
            `nst_tf.network.lowering`.
        **kwargs: Passed to `keras.layers.Conv2D`.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        *,
        lowering: Lowering = "native",
        **kwargs: Any,
    ) -> None:
        kwargs["use_bias"] = False
        # The kernel is summed and moved in float32, then cast.
        super().__init__(filters, kernel_size, autocast=False, **kwargs)
        self.lowering = find_lowering(lowering)

    def convolve(self, x: Tensor, kernel: Tensor) -> Tensor:
        """Return the valid convolution in the compute dtype."""
        x, kernel = (ops.cast(value, self.compute_dtype) for value in (x, kernel))
        return ops.conv(x, kernel, padding="valid")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "lowering": self.lowering.name}


class _Keeping(_Phased):
    """One whose phases may be wanted as they are.

    Args:
        filters: Channels of the output.
        kernel_size: Side of the kernel, odd.
        keep: Whether the output stays in phases: blocks of 2x2 pixels,
            `[B, H / 2, W / 2, 4 F]`.
        **kwargs: As for the layer that it is one of.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        *,
        keep: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters, kernel_size, **kwargs)
        self.keep = keep

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "keep": self.keep}


@keras.saving.register_keras_serializable("nst_tf")
class PhasedConv2D(_Keeping):
    """A convolution of stride 1 whose input is padded already; see the module."""

    def call(self, x: Tensor) -> Tensor:
        """Return `[B, H, W, F]` of `[B, H + k - 1, W + k - 1, C]`."""
        kernel = ops.convert_to_tensor(self.kernel)
        if not self.lowering.in_phases(x):
            return self.convolve(x, kernel)
        phases = self.convolve(ops.space_to_depth(x, 2), _by_phases(kernel))
        return phases if self.keep else ops.depth_to_space(phases, 2)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Halve the sides where phases are kept."""
        if not self.keep:
            return super().compute_output_shape(input_shape)
        spare = self.kernel_size[0] - 1
        sides = [side and (side - spare) // 2 for side in input_shape[1:3]]
        return (input_shape[0], *sides, 4 * self.filters)


@keras.saving.register_keras_serializable("nst_tf")
class BlockConv2D(_Phased):
    """A convolution of a map in blocks of 2x2 pixels, whose border it mirrors.

    With a stride of 1 it has a kernel of 9x9 and gives pixels, with one of 2 a kernel
    of 3x3. The map, which is larger than the output, is not copied to widen it: what
    sees beyond the border is computed of strips and joined to the output, which saves
    a twentieth of a pass.

    Args:
        filters: Channels of the output.
        kernel_size: Side of the kernel.
        stride: In pixels.
        **kwargs: As for the layer that it is one of.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        *,
        stride: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters, kernel_size, **kwargs)
        self.stride = stride

    def build(self, input_shape: Any) -> None:
        """Create the kernel of a convolution of pixels, `[k, k, C, F]`."""
        super().build((*input_shape[:-1], input_shape[-1] // 4))
        self.input_spec = None

    def call(self, x: Tensor) -> Tensor:
        """Return `[B, H, W, F]`, or half of both sides, of `[B, H / 2, W / 2, 4 C]`."""
        kernel = ops.convert_to_tensor(self.kernel)
        if self.stride == 2:
            kernel = ops.pad(kernel, ((1, 0), (1, 0), (0, 0), (0, 0)))
            return self._bordered(x, kernel_of_blocks(kernel))
        return ops.depth_to_space(self._bordered(x, _by_phases(kernel)), 2)

    def _bordered(self, x: Tensor, kernel: Tensor) -> Tensor:
        """Return the convolution of a map with its border mirrored."""
        near = kernel.shape[0] - 1  # Blocks that the outermost see of the map.
        width = self.kernel_size[0] // 2

        def strips(axis: int) -> list[Tensor]:
            before, after = ends_of_blocks(x, width, axis)
            cut = [slice(None)] * axis
            found = [ops.concatenate([before, x[(*cut, slice(None, near))]], axis=axis)]
            if after is not None:
                last = x[(*cut, slice(-near, None))]
                found.append(ops.concatenate([last, after], axis=axis))
            return found

        def widened(x: Tensor) -> Tensor:
            before, after = ends_of_blocks(x, width, 2)
            parts = [before, x] if after is None else [before, x, after]
            return ops.concatenate(parts, axis=2)

        left, *right = (self.convolve(strip, kernel) for strip in strips(2))
        inner = ops.concatenate([left, self.convolve(x, kernel), *right], axis=2)
        top, *bottom = (self.convolve(widened(strip), kernel) for strip in strips(1))
        return ops.concatenate([top, inner, *bottom], axis=1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Enlarge both sides where the stride is 1."""
        factor = 2 // self.stride
        sides = [side and factor * side for side in input_shape[1:3]]
        return (input_shape[0], *sides, self.filters)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "stride": self.stride}


@keras.saving.register_keras_serializable("nst_tf")
class UpsamplingConv2D(_Keeping):
    """Nearest-neighbour upsampling by 2, reflection padding, 3x3 convolution.

    By phases nothing is upsampled: two rows of the kernel that see the same row of the
    input are added, and four 2x2 kernels remain of the 3x3, 16 products instead of 36.
    A position of this convolution sees 2x2 pixels, and gives the four of the output
    around the corner where they meet: with the edge repeated, a border too many.

    With `keep`, `like` is in blocks, too, and the kernels get a third row and column of
    zeros: 36 products, but no phase has to be moved to where the others are, which
    takes longer.
    """

    def call(self, x: Tensor, like: Tensor) -> Tensor:
        """Return `[B, H, W, F]` of `[B, ceil(H/2), ceil(W/2), C]`.

        Args:
            x: The features to enlarge.
            like: `[B, H, W, ...]`, which says how much to cut off.
        """
        kernel = ops.convert_to_tensor(self.kernel)
        if not self.lowering.in_phases(like):
            x = ops.depth_to_space(ops.concatenate([x] * 4, axis=-1), 2)
            _, height, width, _ = ops.shape(like)
            sides = ((0, 0), (1, 1), (1, 1), (0, 0))
            padded = ops.pad(x[:, :height, :width], sides, mode="reflect")
            return self.convolve(padded, kernel)
        # Mirrored about the enlarged edge pixel's centre is the edge pixel, repeated.
        x = self.lowering.repeat_edge(x)
        if self.keep:
            return self.convolve(x, _upsampled(kernel, seen=3))
        return self.lowering.without_border(
            ops.depth_to_space(self.convolve(x, _upsampled(kernel)), 2)
        )

    def compute_output_spec(self, x: Any, like: Any) -> Any:
        """Take the sides of `like`."""
        channels = 4 * self.filters if self.keep else self.filters
        shape = (x.shape[0], *like.shape[1:3], channels)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)


@keras.saving.register_keras_serializable("nst_tf")
class SubpixelConv2D(LoweredLayer):
    """A convolution to twice the resolution with a kernel for each of the four phases.

    The kernels start alike, as if the map were enlarged: no checkerboard to unlearn.

    Args:
        filters: Channels of the output.
        kernel_size: Side of the kernels, odd.
        **kwargs: Passed to `LoweredLayer`.

    Reference:
        Aitken et al. 2017 (the start), https://arxiv.org/abs/1707.02937
    """

    def __init__(self, filters: int, kernel_size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.kernel_size = filters, kernel_size

    def build(self, input_shape: Any) -> None:
        """Create the kernels, `[k, k, C, 4 F]`, and the bias, `[F]`."""
        side = self.kernel_size
        self.kernel = self.add_weight(
            shape=(side, side, input_shape[-1], 4 * self.filters),
            initializer=_four_alike,
            name="kernel",
        )
        self.bias = self.add_weight(
            shape=(self.filters,), initializer="zeros", name="bias"
        )
        self.built = True

    def call(self, x: Tensor, like: Tensor) -> Tensor:
        """Return `[B, H, W, F]` of a padded `[B, ceil(H/2) + k - 1, ..., C]`.

        Args:
            x: The features to enlarge.
            like: `[B, H, W, ...]`, which says how much to cut off.
        """
        kernel, bias = ops.convert_to_tensor(self.kernel), self.bias
        found = ops.conv(x, kernel, padding="valid")
        found = found + ops.concatenate([ops.convert_to_tensor(bias)] * 4)
        picture = ops.depth_to_space(found, 2)
        if self.lowering.in_phases(like):
            return picture
        _, height, width, _ = ops.shape(like)
        return picture[:, :height, :width]

    def compute_output_spec(self, x: Any, like: Any) -> Any:
        """Take the sides of `like`."""
        shape = (x.shape[0], *like.shape[1:3], self.filters)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
        }


def _four_alike(shape: Any, dtype: Any = None) -> Tensor:
    """Return Glorot's random kernel, the same for each of four phases."""
    *first, filters = shape
    one = keras.initializers.GlorotUniform()((*first, filters // 4), dtype=dtype)
    return ops.concatenate([one] * 4, axis=-1)


def _by_phases(kernel: Tensor) -> Tensor:
    """Turn `[k, k, C, F]` into the kernel of all phases, for maps in blocks of 2x2.

    A stride of 2 over pixels is one of 1 over blocks, which is faster.
    """
    moved = [
        ops.pad(kernel, ((row, 1 - row), (column, 1 - column), (0, 0), (0, 0)))
        for row in (0, 1)
        for column in (0, 1)
    ]
    return kernel_of_blocks(ops.concatenate(moved, axis=-1))


def _upsampled(kernel: Tensor, *, seen: int = 2) -> Tensor:
    """Turn `[3, 3, C, F]` into the kernels of the phases, `[seen, seen, C, 4 F]`.

    Args:
        kernel: Of the enlarged map.
        seen: Rows and columns of the map that the kernels see. Of 3 the middle ones
            are the pixel of the four phases; of 2 the phases are the four pixels
            around the corner between them.
    """
    rows = _fold(kernel, 0, seen)
    return ops.concatenate(
        [part for row in rows for part in _fold(row, 1, seen)], axis=-1
    )


def _fold(kernel: Tensor, axis: int, seen: int) -> list[Tensor]:
    """Add the two of three taps that see the same pixel: the last two, the first."""
    first, middle, last = ops.split(kernel, 3, axis=axis)
    even, odd = [first, middle + last], [first + middle, last]
    if seen == 3:
        none = ops.zeros_like(first)
        parts = [[*even, none], [none, *odd]]
    else:
        parts = [odd, even]
    return [ops.concatenate(part, axis=axis) for part in parts]
