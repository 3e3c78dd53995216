"""Limited-memory BFGS as a Keras optimizer, in compiled graph code.

References:
    Nocedal, Wright, Numerical Optimization, 2nd ed., algorithm 7.4 and theorem 7.4,
    https://doi.org/10.1007/978-0-387-40065-5
    Byrd, Nocedal, Schnabel 1994 (compact form), https://doi.org/10.1007/BF01582063
    Hager, Zhang 2005 (approximate Wolfe test), https://doi.org/10.1137/030601880
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

Tensor = Any
_CHUNK = 1 << 22
"""Numbers that are worked on at a time, for little memory besides the history."""
_SUFFICIENT = 1e-4
"""Fraction of the predicted descent that a step must keep (Nocedal, Wright, 3.1)."""


@keras.saving.register_keras_serializable("nst_tf")
class LBFGS(keras.optimizers.Optimizer):
    """L-BFGS with one evaluation of loss and gradient a step, for any Keras model.

    The direction is that of the two-loop recursion, computed in the compact form:
    matrix products with the whole history and triangular solves of its size, instead
    of a chain of vector operations twice as long as the history.

    Pairs come from the steps really made: whatever the variables' constraints did to
    the last step is seen at the next one. So with a projection as constraint this is a
    projected quasi-Newton method.

    As in torch.optim.LBFGS without line search, the first step is along the negative
    gradient with length `learning_rate * min(1, 1 / sum(abs(gradient)))`, and a pair
    enters the history when `s'y > curvature_tolerance`.

    Differs from the papers: with `backtracking` a step is tested by slopes alone,
    Hager and Zhang's approximate form of sufficient decrease, because Keras gives an
    optimizer the gradient but not the loss. A step that fails is cut to the secant's
    zero (0.1 to 0.5 of its length) from where it started.

    Args:
        learning_rate: Length of a step relative to the quasi-Newton step.
        history: Number of pairs kept; memory is `2 * history + 4` times the variables.
        curvature_tolerance: Least `s'y` of a pair.
        backtracking: How many times in a row a step may be cut; 0 accepts every step.
        first_change: When positive, the first step changes the variables by this much
            on average (mean absolute change) instead. The default rule's step is lost
            in the rounding of a half-precision model, and the pair made of noise.
        history_dtype: Of the pairs; in `"bfloat16"` they take half the memory.
        name: Name of the optimizer.
        **kwargs: Passed to `keras.optimizers.Optimizer`.

    Example:
        >>> model.compile(optimizer=LBFGS(history=10), loss="mse")
        >>> model.fit(x, y, batch_size=len(x), epochs=100)
    """

    def __init__(
        self,
        learning_rate: float = 1.0,
        *,
        history: int = 20,
        curvature_tolerance: float = 1e-10,
        backtracking: int = 0,
        first_change: float = 0.0,
        history_dtype: str = "float32",
        name: str = "lbfgs",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        if history < 1:
            raise ValueError(f"history must be at least 1, got {history}")
        if backtracking < 0:
            raise ValueError(f"backtracking must be at least 0, got {backtracking}")
        self.history = history
        self.curvature_tolerance = curvature_tolerance
        self.backtracking = backtracking
        self.first_change = first_change
        self.history_dtype = history_dtype

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Create the history for `variables`, joined to one vector of n numbers."""
        if self.built:
            return
        super().build(variables)
        m = self.history
        n = sum(_size(variable) for variable in variables)

        def zeros(shape: tuple[int, ...], name: str, dtype: str = "float32") -> Any:
            return self.add_variable(shape=shape, dtype=dtype, name=name)

        # One row to spare, _head, which the next pair is written to: a refused pair
        # overwrites none. Rows not yet used are 0 and add nothing.
        self._chunks = [slice(a, min(a + _CHUNK, n)) for a in range(0, n, _CHUNK)]
        self._s = [self._rows("s", m + 1, chunk) for chunk in self._chunks]
        self._y = [self._rows("y", m + 1, chunk) for chunk in self._chunks]
        self._head = zeros((), "head", "int32")
        # In order of age, oldest first.
        self._sy = zeros((m, m), "sy")
        self._yy = zeros((m, m), "yy")
        self._scale = zeros((), "scale")
        self._cuts = zeros((), "cuts", "int32")
        self._started = zeros((), "started", "int32")
        self._newest = np.eye(m, dtype="float32")[-1]
        self._last_x, self._last_g = (
            [zeros((_length(c),), f"{name}_{c.start}") for c in self._chunks]
            for name in ("last_x", "last_g")
        )

    def _rows(self, name: str, slots: int, chunk: slice) -> "_Rows":
        shapes = _Rows.shapes(slots, _length(chunk))
        return _Rows(
            [
                self.add_variable(
                    shape=shape,
                    dtype=self.history_dtype,
                    name=f"{name}_{chunk.start}_{row}",
                )
                for row, shape in enumerate(shapes)
            ]
        )

    def _backend_update_step(
        self, grads: Sequence[Tensor], variables: Sequence[Any], learning_rate: Tensor
    ) -> None:
        if len(variables) != len(self._trainable_variables):
            raise ValueError(
                "L-BFGS needs a gradient for each of the "
                f"{len(self._trainable_variables)} variables it was built with, got "
                f"{len(variables)}"
            )
        x = _join(variables)
        target = self._next_point(x, _join(grads), ops.cast(learning_rate, "float32"))
        start = 0
        for variable in variables:
            stop = start + _size(variable)
            part = ops.reshape(target[start:stop], variable.shape)
            variable.assign(ops.cast(part, variable.dtype))
            start = stop

    def reset(self) -> None:
        """Forget the history: the function that is minimised has changed."""
        kept = {id(self.iterations), id(self._learning_rate)}
        for variable in self.variables:
            if id(variable) not in kept:
                variable.assign(ops.zeros(variable.shape, variable.dtype))

    def forget_last(self) -> None:
        """Make no pair of the last gradient and the next: the function has changed.

        The pairs there are stay in use.
        """
        self._started.assign(0)

    def _next_point(self, x: Tensor, g: Tensor, rate: Tensor) -> Tensor:
        started = ops.equal(self._started, 1)
        finite = ops.isfinite(ops.sum(g))
        old_slope, new_slope, products = self._observe(x, g, finite)
        too_far = new_slope > (1.0 - 2.0 * _SUFFICIENT) * ops.abs(old_slope)
        cut = started & too_far & (self._cuts < self.backtracking)
        kept = started & ~cut & finite
        curvature = new_slope - old_slope
        accept = kept & (curvature > self.curvature_tolerance)
        products = self._remember(products, accept)
        first = ops.cond(
            self._scale > 0, lambda: ops.ones(()), lambda: self._first_length(g)
        )
        on_s, on_y, on_g = self._factors(products, rate * first)
        secant = -old_slope / ops.maximum(curvature, 1e-38)
        shortened = ops.clip(secant, 0.1, 0.5)
        if self.backtracking:
            self._cuts.assign(ops.where(cut, self._cuts + 1, 0))
        points = []
        for index in range(len(self._chunks)):
            here, slope, last_x, last_g = self._at(index, x, g)
            history = self._s[index].combine(on_s) + self._y[index].combine(on_y)
            ahead = _choose(finite, here + (history - on_g * slope), here)
            if self.backtracking:
                back = last_x + shortened * (here - last_x)
                ahead = _choose(cut, back, ahead)
                here, slope = _choose(cut, last_x, here), _choose(cut, last_g, slope)
            self._last_x[index].assign(_choose(finite, here, last_x))
            self._last_g[index].assign(_choose(finite, slope, last_g))
            points.append(ahead)
        self._started.assign(ops.cast(started | finite, "int32"))
        return points[0] if len(points) == 1 else ops.concatenate(points)

    def _at(self, index: int, x: Tensor, g: Tensor) -> tuple[Tensor, ...]:
        """Return a chunk of the point, the gradient and the last ones of both."""
        if len(self._chunks) > 1:
            x, g = x[self._chunks[index]], g[self._chunks[index]]
        return x, g, ops.copy(self._last_x[index]), ops.copy(self._last_g[index])

    def _observe(
        self, x: Tensor, g: Tensor, finite: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Write the pair of the last step to the spare row.

        Returns:
            The slopes along that step before and after it, and the products of every
            row of s and of y with the new y and with `g`, `[2, 2, slots]`.
        """
        old_slope = new_slope = products = 0.0
        for index, (rows_s, rows_y) in enumerate(zip(self._s, self._y, strict=True)):
            here, slope, last_x, last_g = self._at(index, x, g)
            s, y = here - last_x, slope - last_g
            old_slope = old_slope + _dot(s, last_g)
            new_slope = new_slope + _dot(s, slope)
            y = _choose(finite, y, ops.zeros_like(y))
            y = ops.cast(ops.cast(y, self.history_dtype), "float32")
            rows_s.write(self._head, s)
            rows_y.write(self._head, y)
            # Both vectors at once: the history is read once, not twice.
            pair = ops.stack([y, slope])
            found = ops.stack([rows_s.product(pair), rows_y.product(pair)])
            products = products + found
        return old_slope, new_slope, products

    def _first_length(self, g: Tensor) -> Tensor:
        """Return the factor of the negative gradient at the very first step."""
        total = ops.maximum(ops.sum(ops.abs(g)), 1e-28)  # At rest: 0, not inf * 0.
        if self.first_change:
            return self.first_change * float(g.shape[0]) / total
        return ops.minimum(1.0, 1.0 / total)

    def _remember(self, products: Tensor, accept: Tensor) -> Tensor:
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

    def _factors(
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

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "history": self.history,
            "curvature_tolerance": self.curvature_tolerance,
            "backtracking": self.backtracking,
            "first_change": self.first_change,
            "history_dtype": self.history_dtype,
        }


def _size(variable: Any) -> int:
    size = 1
    for side in variable.shape:
        size *= int(side)
    return size


def _length(chunk: slice) -> int:
    return int(chunk.stop - chunk.start)


def _join(tensors: Sequence[Any]) -> Tensor:
    flat = [ops.reshape(ops.cast(t, "float32"), (-1,)) for t in tensors]  # [n_i]
    return flat[0] if len(flat) == 1 else ops.concatenate(flat)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return ops.matmul(a[None, :], b[:, None])[0, 0]


def _choose(condition: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Return `first` or `second` by a scalar, without `where`'s copy."""
    return ops.cond(condition, lambda: first, lambda: second)


def _solve(matrix: Tensor, vector: Tensor, *, lower: bool) -> Tensor:
    return ops.solve_triangular(matrix, vector[:, None], lower=lower)[:, 0]


class _Rows:
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
