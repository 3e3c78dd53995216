"""Limited-memory BFGS as a Keras optimizer, in compiled graph code.

References:
    Nocedal, Wright, Numerical Optimization, 2nd ed., algorithm 7.4 and theorem 7.4,
    https://doi.org/10.1007/978-0-387-40065-5
    Hager, Zhang 2005 (approximate Wolfe test), https://doi.org/10.1137/030601880
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from nst_tf.optimizers.pairs import Pairs

Tensor = Any
Metric = Callable[[list[Tensor]], list[Tensor]]
"""Applies a symmetric positive operator to gradients, one a variable, float32."""
_CHUNK = 1 << 22
"""Numbers that are worked on at a time, for little memory besides the history."""
_SUFFICIENT = 1e-4
"""Fraction of the predicted descent that a step must keep (Nocedal, Wright, 3.1)."""


@keras.saving.register_keras_serializable("nst_tf")
class LBFGS(keras.optimizers.Optimizer):
    """L-BFGS with one evaluation of loss and gradient a step, for any Keras model.

    The direction is that of the two-loop recursion, computed in the compact form.

    With a `metric` M the recursion starts from a multiple of M instead of the identity:
    the same path as without it in variables z where `x = M^(1/2) z`. One that is near
    the inverse Hessian saves steps, such as `SpatialMetric` for pictures.

    Pairs come from the steps really made: whatever the variables' constraints did to
    the last step is seen at the next one. So with a projection as constraint this is a
    projected quasi-Newton method.

    As in torch.optim.LBFGS without line search, the first step is along the negative
    gradient g (times M) with length `learning_rate * min(1, 1 / sum(abs(g)))`, and a
    pair enters the history when `s'y > curvature_tolerance`.

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
        metric: Takes the gradients of the variables, float32 in their shapes, and
            returns them times a symmetric positive operator, the same at every step.
            It costs one more vector of memory.
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
        metric: Metric | None = None,
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
        self.metric = metric

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Create the history for `variables`, joined to one vector of n numbers."""
        if self.built:
            return
        super().build(variables)
        n = sum(math.prod(variable.shape) for variable in variables)
        self._chunks = [slice(a, min(a + _CHUNK, n)) for a in range(0, n, _CHUNK)]
        self._pairs = Pairs(
            self.add_variable,
            history=self.history,
            chunks=self._chunks,
            dtype=self.history_dtype,
        )
        self._cuts = self.add_variable(shape=(), dtype="int32", name="cuts")
        self._started = self.add_variable(shape=(), dtype="int32", name="started")
        kept = ["last_x", "last_g", *(["last_d"] if self.metric else [])]
        self._last = {
            name: [
                self.add_variable(
                    shape=(chunk.stop - chunk.start,),
                    dtype="float32",
                    name=f"{name}_{chunk.start}",
                )
                for chunk in self._chunks
            ]
            for name in kept
        }

    def _backend_update_step(
        self, grads: Sequence[Tensor], variables: Sequence[Any], learning_rate: Tensor
    ) -> None:
        if len(variables) != len(self._trainable_variables):
            raise ValueError(
                "L-BFGS needs a gradient for each of the "
                f"{len(self._trainable_variables)} variables it was built with, got "
                f"{len(variables)}"
            )
        now = {"last_x": _join(variables), "last_g": _join(grads)}
        if self.metric is not None:
            slopes = [ops.cast(gradient, "float32") for gradient in grads]
            now["last_d"] = _join(self.metric(slopes))
        target = self._next_point(now, ops.cast(learning_rate, "float32"))
        start = 0
        for variable in variables:
            stop = start + math.prod(variable.shape)
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

    def _next_point(self, now: dict[str, Tensor], rate: Tensor) -> Tensor:
        """Return where to go, `[n]`, from the point, its gradient and M times it."""
        g, ahead_of = now["last_g"], now.get("last_d", now["last_g"])
        started = ops.equal(self._started, 1)
        finite = ops.isfinite(ops.sum(g))
        old_slope, new_slope, products = self._observe(now, finite)
        too_far = new_slope > (1.0 - 2.0 * _SUFFICIENT) * ops.abs(old_slope)
        cut = started & too_far & (self._cuts < self.backtracking)
        kept = started & ~cut & finite
        curvature = new_slope - old_slope
        accept = kept & (curvature > self.curvature_tolerance)
        products = self._pairs.remember(products, accept)
        first = ops.cond(
            self._pairs.any,
            lambda: ops.ones(()),
            lambda: self._first_length(ahead_of),
        )
        on_s, on_y, on_g = self._pairs.factors(products, rate * first)
        secant = -old_slope / ops.maximum(curvature, 1e-38)
        shortened = ops.clip(secant, 0.1, 0.5)
        if self.backtracking:
            self._cuts.assign(ops.where(cut, self._cuts + 1, 0))
        points = []
        for index in range(len(self._chunks)):
            here, last = self._at(index, now)
            point, downhill = here["last_x"], here.get("last_d", here["last_g"])
            history = self._pairs.combine(index, on_s, on_y)
            ahead = _choose(finite, point + (history - on_g * downhill), point)
            if self.backtracking:
                back = last["last_x"] + shortened * (point - last["last_x"])
                ahead = _choose(cut, back, ahead)
                here = {k: _choose(cut, last[k], here[k]) for k in here}
            for name, kept_one in self._last.items():
                kept_one[index].assign(_choose(finite, here[name], last[name]))
            points.append(ahead)
        self._started.assign(ops.cast(started | finite, "int32"))
        return points[0] if len(points) == 1 else ops.concatenate(points)

    def _at(
        self, index: int, now: dict[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return a chunk of what is now, and of the last."""
        if len(self._chunks) > 1:
            now = {name: value[self._chunks[index]] for name, value in now.items()}
        return now, {name: ops.copy(v[index]) for name, v in self._last.items()}

    def _observe(
        self, now: dict[str, Tensor], finite: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Write the pair of the last step to the spare row.

        Returns:
            The slopes along that step before and after it, and the products of every s
            and of every M y with the new y and with the gradient, `[2, 2, slots]`.
        """
        old_slope = new_slope = products = 0.0
        for index in range(len(self._chunks)):
            here, last = self._at(index, now)
            s, *changes = (here[name] - last[name] for name in here)
            old_slope = old_slope + _dot(s, last["last_g"])
            new_slope = new_slope + _dot(s, here["last_g"])
            y, *_ = kept = [_choose(finite, y, ops.zeros_like(y)) for y in changes]
            if self.metric is None:  # Products are with what is kept of y.
                y = ops.cast(ops.cast(y, self.history_dtype), "float32")
                kept = [y]
            both = ops.stack([y, here["last_g"]])
            products = products + self._pairs.write(index, s, kept[-1], both)
        return old_slope, new_slope, products

    def _first_length(self, direction: Tensor) -> Tensor:
        """Return the factor of the negative direction at the very first step."""
        # At rest: 0, not inf * 0.
        total = ops.maximum(ops.sum(ops.abs(direction)), 1e-28)
        if self.first_change:
            return self.first_change * float(direction.shape[0]) / total
        return ops.minimum(1.0, 1.0 / total)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "history": self.history,
            "curvature_tolerance": self.curvature_tolerance,
            "backtracking": self.backtracking,
            "first_change": self.first_change,
            "history_dtype": self.history_dtype,
            "metric": self.metric and keras.saving.serialize_keras_object(self.metric),
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> "LBFGS":
        """Return the optimizer of what `get_config` returned."""
        if config.get("metric") is not None:
            metric = keras.saving.deserialize_keras_object(config["metric"])
            config = {**config, "metric": metric}
        made: LBFGS = super().from_config(config, custom_objects)
        return made


def _join(tensors: Sequence[Any]) -> Tensor:
    flat = [ops.reshape(ops.cast(t, "float32"), (-1,)) for t in tensors]  # [n_i]
    return flat[0] if len(flat) == 1 else ops.concatenate(flat)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return ops.matmul(a[None, :], b[:, None])[0, 0]


def _choose(condition: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Return `first` or `second` by a scalar, without `where`'s copy."""
    return ops.cond(condition, lambda: first, lambda: second)
