"""How the layers of the transform network are written: one class a lowering.

All give equal pictures with equal weights; they differ in which operations a graph
holds, so that training and each converter get those that they run fastest.
"""

from typing import Any

from keras import ops

from nst_tf.backend.slicing import mirrored, slice_map
from nst_tf.settings.network import Lowering

Tensor = Any


class Native:
    """For training and any size: the operations with the cheapest gradients."""

    name: Lowering = "native"
    blocks = False
    """Whether maps of the full resolution are kept in blocks of 2x2 pixels: at half of
    it with four times the channels, which are rows, columns, channels."""
    squares = False
    """Whether variances are the mean of squares less the square of the mean."""

    def pad(self, x: Tensor, width: int) -> Tensor:
        """Mirror the border of `[B, H, W, C]`, without repeating the edge pixel."""
        return mirrored(x, width)

    def repeat_edge(self, x: Tensor) -> Tensor:
        """Repeat the outermost pixels once on every side of `[B, H, W, C]`."""
        return mirrored(x, 1, repeat=True)

    def without_border(self, x: Tensor) -> Tensor:
        """Return `[B, H, W, C]` without its outermost pixels."""
        return slice_map(x, slice(1, -1), slice(1, -1))

    def mix(self, style: Tensor, rows: Tensor) -> Tensor:
        """Mix rows `[N, C]` by weights `[B, N]` to `[B, 1, 1, C]`."""
        return ops.matmul(style, rows)[:, None, None, :]

    def in_phases(self, like: Tensor) -> bool:
        """Tell whether an output as high and wide as `like` is computed in phases.

        Only where both sides are known and even: others have a phase less somewhere.
        """
        height, width = like.shape[1:3]
        return bool(height and width and height % 2 == 0 and width % 2 == 0)


class Multiples(Native):
    """For ONNX and CoreML, sides that are multiples of 4 (hourglass: 8)."""

    name: Lowering = "multiples"

    def mix(self, style: Tensor, rows: Tensor) -> Tensor:
        """Mix channels-first, then transpose.

        Then tf2onnx finds transposes on all sides of a convolution and takes them out.
        """
        mixed = ops.matmul(style, rows)
        return ops.transpose(mixed[:, :, None, None], (0, 2, 3, 1))

    def in_phases(self, like: Tensor) -> bool:
        """Always: the sides are even, known or not."""
        return True


class Slices(Native):
    """For LiteRT, sides that are multiples of 4: all operations have CPU kernels."""

    name: Lowering = "slices"
    blocks = True
    squares = True  # XNNPACK takes it in one read of the map, and writes none.

    def pad(self, x: Tensor, width: int) -> Tensor:
        """Mirror with slices and concatenations, which XNNPACK takes whole."""
        rows = _mirror(x, width, axis=1)
        return _mirror(rows, width, axis=2)

    def repeat_edge(self, x: Tensor) -> Tensor:
        """Repeat the edge with slices and concatenations."""
        rows = ops.concatenate([x[:, :1], x, x[:, -1:]], axis=1)
        return ops.concatenate([rows[:, :, :1], rows, rows[:, :, -1:]], axis=2)

    def without_border(self, x: Tensor) -> Tensor:
        """Cut by indexing, whose operation all GPUs have."""
        return x[:, 1:-1, 1:-1]

    def in_phases(self, like: Tensor) -> bool:
        """Always: the sides are even, known or not."""
        return True


LOWERINGS = {kind.name: kind() for kind in (Native, Multiples, Slices)}
"""The lowerings by the names that settings and saved layers have."""


def ends_of_blocks(x: Tensor, width: int, axis: int) -> tuple[Tensor, Tensor | None]:
    """Return what the mirrored border of a map in blocks adds along an axis.

    Even pixels are mirrored about the first, odd ones about the edge.

    Args:
        x: `[B, H / 2, W / 2, 4 C]`.
        width: Pixels on every side, even; or 1, which gives a block before the first
            and none after the last: a convolution with a stride of 2 sees no further.
        axis: 1 for rows, 2 for columns.

    Returns:
        The blocks before the first, and those after the last.
    """
    if width == 1:
        return _line(x, 0, axis), None
    count = x.shape[-1] // 4
    odd_ones = (False, False, True, True) if axis == 1 else (False, True, False, True)

    def line(even: int, odd: int) -> Tensor:
        lines = _line(x, even, axis), _line(x, odd, axis)
        parts = [
            lines[is_odd][..., k * count : (k + 1) * count]
            for k, is_odd in enumerate(odd_ones)
        ]
        return ops.concatenate(parts, axis=-1)

    before = [line(k, k - 1) for k in range(width // 2, 0, -1)]
    after = [line(-1 - k, -2 - k) for k in range(width // 2)]
    return ops.concatenate(before, axis=axis), ops.concatenate(after, axis=axis)


def _line(x: Tensor, index: int, axis: int) -> Tensor:
    """Return one row or column of `[B, H, W, C]`; it keeps its axis."""
    cut = [slice(None)] * 4
    cut[axis] = slice(index, index + 1 or None)
    return x[tuple(cut)]


def find_lowering(name: Lowering) -> Native:
    """Return the lowering of a name.

    Raises:
        ValueError: There is none.
    """
    if name not in LOWERINGS:
        raise ValueError(f"there is no lowering {name!r}; there are {list(LOWERINGS)}")
    return LOWERINGS[name]


def _mirror(x: Tensor, width: int, *, axis: int) -> Tensor:
    """Mirror both ends of an axis with slices one pixel thin, at most 4 a join."""

    def join(parts: list[Tensor]) -> Tensor:
        while len(parts) > 1:
            parts = [
                ops.concatenate(parts[i : i + 4], axis=axis)
                if i + 1 < len(parts)
                else parts[i]
                for i in range(0, len(parts), 4)
            ]
        return parts[0]

    before = [_line(x, i, axis) for i in range(width, 0, -1)]
    after = [_line(x, -i - 1, axis) for i in range(1, width + 1)]
    return join([join(before), x, join(after)])


def kernel_of_blocks(kernel: Tensor) -> Tensor:
    """Turn `[2 k, 2 k, C, F]` for stride 2 into `[k, k, 4 C, F]` for blocks of 2x2."""
    side, _, channels, filters = kernel.shape
    half = side // 2
    split = ops.reshape(kernel, (half, 2, half, 2, channels, filters))
    split = ops.transpose(split, (0, 2, 1, 3, 4, 5))
    return ops.reshape(split, (half, half, 4 * channels, filters))
