"""The pairs of L-BFGS, and what they make of a gradient.

References:
    Byrd, Nocedal, Schnabel 1994 (compact form), https://doi.org/10.1007/BF01582063
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from nst_tf.optimizers.rows import Rows

Tensor = Any
AddVariable = Callable[..., keras.Variable]
"""Makes a variable of the optimizer, of zeros, of a shape, a dtype and a name."""


class Pairs:
    """The last steps s and changes of gradient y, with their products.

    The inverse Hessian that they stand for, in compact form, takes matrix products with
    the whole history and triangular solves of its size, instead of a chain of vector
    operations twice as long as the history. It starts from a metric M times the scale
    `s'y / y'My` of the newest pair: of y only M y is needed, which is what is kept.

    Args:
        add_variable: Of the optimizer.
        history: Number of pairs.
        chunks: Parts of the vector that are worked on at a time.
        dtype: Of the pairs.
    """

    def __init__(
        self,
        add_variable: AddVariable,
        *,
        history: int,
        chunks: Sequence[slice],
        dtype: str,
    ) -> None:
        self.history = m = history

        def rows(name: str, chunk: slice) -> Rows:
            shapes = Rows.shapes(m + 1, int(chunk.stop - chunk.start))
            return Rows(
                [
                    add_variable(
                        shape=shape, dtype=dtype, name=f"{name}_{chunk.start}_{row}"
                    )
                    for row, shape in enumerate(shapes)
                ]
            )

        def zeros(shape: tuple[int, ...], name: str, dtype: str = "float32") -> Any:
            return add_variable(shape=shape, dtype=dtype, name=name)

        # One row to spare, _head, which the next pair is written to: a refused pair
        # overwrites none. Rows not yet used are 0 and add nothing.
        self._s = [rows("s", chunk) for chunk in chunks]
        self._y = [rows("y", chunk) for chunk in chunks]
        self._head = zeros((), "head", "int32")
        # In order of age, oldest first.
        self._sy = zeros((m, m), "sy")
        self._yy = zeros((m, m), "yy")
        self._scale = zeros((), "scale")
        self._newest = np.eye(m, dtype="float32")[-1]

    @property
    def any(self) -> Tensor:
        """Whether there is any pair."""
        return self._scale > 0

    def write(self, index: int, s: Tensor, measured: Tensor, both: Tensor) -> Tensor:
        """Write a chunk of a pair to the spare row.

        Args:
            index: Of the chunk.
            s: The step, `[n]`.
            measured: M y, `[n]`.
            both: y and the gradient, `[2, n]`: the history is read once, not twice.

        Returns:
            The products of every s and of every M y with `both`, `[2, 2, slots]`.
        """
        self._s[index].write(self._head, s)
        self._y[index].write(self._head, measured)
        return ops.stack([self._s[index].product(both), self._y[index].product(both)])

    def remember(self, products: Tensor, accept: Tensor) -> Tensor:
        """Let the pair in the spare row replace the oldest if `accept` holds.

        Returns:
            The products of every s and of every y in use with the gradient, oldest
            first, `[2, m]`.
        """
        slots = self.history + 1
        head = ops.copy(self._head)
        head = ops.where(accept, (head + 1) % slots, head)
        self._head.assign(head)
        order = (head + 1 + ops.arange(self.history)) % slots
        products = ops.take(products, order, axis=2)  # [2, 2, m]
        sy, sg, yy, yg = (products[i, j] for i in (0, 1) for j in (0, 1))
        # In order of age s'y is upper triangular: no product with an older y counts.
        for matrix, column in ((self._sy, sy), (self._yy, yy)):
            aged = ops.pad(matrix[1:, 1:], ((0, 1), (0, 1)))
            aged = aged + column[:, None] * self._newest[None, :]
            matrix.assign(ops.where(accept, aged, ops.copy(matrix)))
        scale = sy[-1] / ops.maximum(yy[-1], 1e-38)
        self._scale.assign(ops.where(accept, scale, ops.copy(self._scale)))
        return ops.stack([sg, yg])

    def factors(
        self, products: Tensor, length: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return `-length H g` by the compact form of the inverse Hessian.

        Returns:
            What to multiply every row of s and of y with, `[slots]`, and the gradient,
            which is subtracted.
        """
        sy, yy = ops.copy(self._sy), ops.copy(self._yy)
        pivots = ops.diagonal(sy)
        upper = sy + ops.diag(ops.cast(ops.equal(pivots, 0.0), "float32"))
        gram = yy + ops.transpose(yy) - ops.diag(ops.diagonal(yy))
        scale = ops.copy(self._scale)
        scale = ops.where(scale > 0, scale, 1.0)
        sg, yg = products[0], products[1]
        on_y = _solve(upper, sg, lower=False)
        inner = pivots * on_y + scale * (ops.matmul(gram, on_y) - yg)
        on_s = _solve(ops.transpose(upper), inner, lower=True)
        # Signs and length go onto the small vectors, not onto those of n numbers.
        slots = self.history + 1
        age = (ops.arange(slots) - self._head - 1) % slots
        on_s = ops.take(ops.pad(-length * on_s, (0, 1)), age)
        on_y = ops.take(ops.pad(length * scale * on_y, (0, 1)), age)
        return on_s, on_y, length * scale

    def combine(self, index: int, on_s: Tensor, on_y: Tensor) -> Tensor:
        """Return the sum of the rows of a chunk times their factors, `[n]`."""
        return self._s[index].combine(on_s) + self._y[index].combine(on_y)


def _solve(matrix: Tensor, vector: Tensor, *, lower: bool) -> Tensor:
    return ops.solve_triangular(matrix, vector[:, None], lower=lower)[:, 0]
