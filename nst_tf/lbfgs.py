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
        self._s = _Rows([zeros(shape, "s") for shape in _Rows.shapes(m + 1, n)])
        self._y = _Rows([zeros(shape, "y") for shape in _Rows.shapes(m + 1, n)])
        self._head = zeros((), "head", "int32")
        # In order of age, oldest first.
        self._sy = zeros((m, m), "sy")
        self._yy = zeros((m, m), "yy")
        self._scale = zeros((), "scale")
        self._cuts = zeros((), "cuts", "int32")
        self._started = zeros((), "started", "int32")
        self._newest = np.eye(m, dtype="float32")[-1]
        self._last_x = zeros((n,), "last_x")
        self._last_g = zeros((n,), "last_g")

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

    def _next_point(self, x: Tensor, g: Tensor, rate: Tensor) -> Tensor:
        last_x, last_g = ops.copy(self._last_x), ops.copy(self._last_g)
        started = ops.equal(self._started, 1)
        s, y = x - last_x, g - last_g
        finite = ops.isfinite(ops.sum(g))

        old_slope, new_slope = _dot(s, last_g), _dot(s, g)
        too_far = new_slope > (1.0 - 2.0 * _SUFFICIENT) * ops.abs(old_slope)
        cut = started & too_far & (self._cuts < self.backtracking)
        kept = started & ~cut & finite
        curvature = new_slope - old_slope
        accept = kept & (curvature > self.curvature_tolerance)
        y = _choose(finite, y, ops.zeros_like(y))
        products = self._remember(s, y, accept, g)
        first = ops.cond(
            self._scale > 0, lambda: ops.ones(()), lambda: self._first_length(g)
        )
        step = self._step(g, products, rate * first)
        ahead = _choose(finite, x + step, x)
        if self.backtracking:
            secant = -old_slope / ops.maximum(curvature, 1e-38)
            back = last_x + ops.clip(secant, 0.1, 0.5) * s
            ahead = _choose(cut, back, ahead)
            self._cuts.assign(ops.where(cut, self._cuts + 1, 0))
            x, g = _choose(cut, last_x, x), _choose(cut, last_g, g)
        self._last_x.assign(_choose(finite, x, last_x))
        self._last_g.assign(_choose(finite, g, last_g))
        self._started.assign(ops.cast(started | finite, "int32"))
        return ahead

    def _first_length(self, g: Tensor) -> Tensor:
        """Return the factor of the negative gradient at the very first step."""
        total = ops.maximum(ops.sum(ops.abs(g)), 1e-28)  # At rest: 0, not inf * 0.
        if self.first_change:
            return self.first_change * float(g.shape[0]) / total
        return ops.minimum(1.0, 1.0 / total)

    def _remember(self, s: Tensor, y: Tensor, accept: Tensor, g: Tensor) -> Tensor:
        """Write a pair, and let it replace the oldest if `accept` holds.

        Returns:
            The products of every s with `g` and of every y with `g`, `[2, m]`.
        """
        head = ops.copy(self._head)
        self._s.write(head, s)
        self._y.write(head, y)
        self._head.assign(ops.where(accept, (head + 1) % (self.history + 1), head))
        # Both vectors at once: the history is read once, not twice.
        pair = ops.stack([y, g])
        (sy, sg), (yy, yg) = self._product(self._s, pair), self._product(self._y, pair)
        # In order of age s'y is upper triangular: no product with an older y counts.
        for matrix, column in ((self._sy, sy), (self._yy, yy)):
            aged = ops.pad(matrix[1:, 1:], ((0, 1), (0, 1)))
            aged = aged + column[:, None] * self._newest[None, :]
            matrix.assign(ops.where(accept, aged, ops.copy(matrix)))
        scale = sy[-1] / ops.maximum(yy[-1], 1e-38)
        self._scale.assign(ops.where(accept, scale, ops.copy(self._scale)))
        return ops.stack([sg, yg])

    def _step(self, g: Tensor, products: Tensor, length: Tensor) -> Tensor:
        """Return `-length H g` by the compact form of the inverse Hessian."""
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
        on_s, on_y = -length * on_s, length * scale * on_y
        history = self._combine(on_s, self._s) + self._combine(on_y, self._y)
        return history - length * scale * g

    def _product(self, rows: "_Rows", pair: Tensor) -> tuple[Tensor, Tensor]:
        """Return the products of the rows in use with two vectors, oldest first."""
        order = (self._head + 1 + ops.arange(self.history)) % (self.history + 1)
        first, second = rows.product(pair)
        return ops.take(first, order), ops.take(second, order)

    def _combine(self, factors: Tensor, rows: "_Rows") -> Tensor:
        """Return the sum of the rows in use times `factors`, oldest first."""
        slots = self.history + 1
        age = (ops.arange(slots) - self._head - 1) % slots
        return rows.combine(ops.take(ops.pad(factors, (0, 1)), age))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "history": self.history,
            "curvature_tolerance": self.curvature_tolerance,
            "backtracking": self.backtracking,
            "first_change": self.first_change,
        }


def _size(variable: Any) -> int:
    size = 1
    for side in variable.shape:
        size *= int(side)
    return size


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

    def product(self, pair: Tensor) -> tuple[Tensor, Tensor]:
        """Return the products of every row with both of `pair`, `[slots]` each."""
        parts = [
            ops.matmul(pair, ops.transpose(ops.convert_to_tensor(block)))
            for block in self.blocks
        ]
        products = ops.concatenate(parts, axis=1)
        return products[0], products[1]

    def combine(self, factors: Tensor) -> Tensor:
        """Return the sum of the rows times `factors`, `[n]`."""
        total, start = 0.0, 0
        for block in self.blocks:
            stop = start + block.shape[0]
            total = (
                total
                + ops.matmul(factors[None, start:stop], ops.convert_to_tensor(block))[0]
            )
            start = stop
        return total
