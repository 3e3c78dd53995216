"""The history of L-BFGS in memory: tall matrices that are written a row at a time."""

import math
from typing import Any

import keras
from keras import ops

Tensor = Any


class Rows:
    """A tall matrix `[slots, n]` in blocks of rows.

    Writing a row copies its block alone. As one variable the whole matrix would be
    copied at each step: about 10 ms for 20 rows at 512x683.
    """

    def __init__(self, blocks: list[keras.Variable]) -> None:
        self.blocks = blocks

    @staticmethod
    def shapes(slots: int, n: int) -> list[tuple[int, int]]:
        """Return the shapes of the blocks."""
        size = math.isqrt(slots - 1) + 1
        return [(min(size, slots - start), n) for start in range(0, slots, size)]

    def write(self, index: Tensor, row: Tensor) -> None:
        """Replace row `index`."""
        row = ops.cast(row, self.blocks[0].dtype)
        for block in self.blocks:
            count = block.shape[0]
            here = (index >= 0) & (index < count)
            position = ops.clip(index, 0, count - 1)
            block.assign(
                ops.cond(
                    here,
                    lambda block=block, position=position: ops.slice_update(
                        ops.copy(block), (position, 0), row[None]
                    ),
                    lambda block=block: ops.copy(block),
                )
            )
            index = index - count

    def product(self, pair: Tensor) -> Tensor:
        """Return the products of both of `pair` with every row, `[2, slots]`."""
        parts = [
            ops.matmul(pair, ops.transpose(ops.cast(block, "float32")))
            for block in self.blocks
        ]
        return ops.concatenate(parts, axis=1)

    def combine(self, factors: Tensor) -> Tensor:
        """Return the sum of the rows times `factors`, `[n]`."""
        total, start = 0.0, 0
        for block in self.blocks:
            stop = start + block.shape[0]
            part = ops.matmul(factors[None, start:stop], ops.cast(block, "float32"))
            total, start = total + part[0], stop
        return total
