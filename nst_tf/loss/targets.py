"""What a picture must match: fixed for one picture, or made anew for every batch."""

import concurrent.futures
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from nst_tf.loss.objective import Objective
from nst_tf.loss.term import Targets
from nst_tf.settings.checks import InputError

Tensor = Any


STRENGTH_POWER = 2.5
"""The style term's factor at strength s is s to this power: content errors grow about
with the root of the style's weight and a little slower (0.38 to 0.46), so that half the
strength gives up half as much of the photograph."""


class FixedTargets(keras.layers.Layer):
    """The same targets at every step.

    They are kept as weights: state to every backend, not constants baked into a graph.

    Args:
        targets: From `Objective.targets`.
    """

    def __init__(self, targets: Targets) -> None:
        super().__init__(dtype="float32", trainable=False, name="targets")
        self._held = Targets(*(self._hold(v, k) for k, v in targets._asdict().items()))
        self.built = True

    def weigh(self, weights: Sequence[float]) -> None:
        """Change the weights of the terms, if the targets have any.

        Args:
            weights: In the order of `TERMS`.
        """
        variable: Any = self._held.weights
        variable.assign(ops.convert_to_tensor(weights, "float32"))

    def replace(self, targets: Targets) -> None:
        """Put other targets of the same shapes in the place of these."""
        for name, value in targets._asdict().items():
            held = getattr(self._held, name)
            if isinstance(held, dict):
                for key, variable in held.items():
                    _put(variable, value[key])
            elif held is not None:
                _put(held, value)

    def _hold(self, value: Any, name: str) -> Any:
        if value is None:
            return None
        if isinstance(value, dict):
            return {
                key: self._hold(part, f"{name}_{key}") for key, part in value.items()
            }
        weight = self.add_weight(
            shape=value.shape,
            dtype=keras.backend.standardize_dtype(value.dtype),
            initializer="zeros",
            trainable=False,
            autocast=False,
            name=name.replace("/", "_"),
        )
        _put(weight, value)
        return weight

    def call(self, inputs: Tensor) -> Targets:
        """Return the targets, whatever the inputs."""
        return Targets(*(_read(value) for value in self._held))


def _put(variable: keras.Variable, value: Tensor) -> None:
    """Give a variable a copy of a value, which others may hold too.

    JAX would keep the value itself, and give its memory away with the variable's at
    the next step.
    """
    variable.assign(ops.copy(value) if ops.is_tensor(value) else value)


def _read(value: Any) -> Any:
    """Return the tensors of the variables that `FixedTargets` holds."""
    if isinstance(value, dict):
        return {key: _read(part) for key, part in value.items()}
    return None if value is None else ops.convert_to_tensor(value)


class MixedTargets(keras.layers.Layer):
    """Targets of a batch of photographs, each with its own mix of styles.

    The Gram matrices to match are the mix of those of the styles. The share of style 0,
    the photograph itself, makes the style term lighter.

    Args:
        objective: The loss they are for.
        styles: The style images, float32 `[H, W, 3]` RGB 0..1, each of its own size.
        strengths: Factor of the style term, one a style; 1 each without it.

    Reference:
        Dumoulin et al. 2017 (mixes of styles), https://arxiv.org/abs/1610.07629
    """

    def __init__(
        self,
        objective: Objective,
        styles: Sequence[Tensor],
        strengths: Sequence[float] | None = None,
    ) -> None:
        super().__init__(dtype="float32", trainable=False, name="targets")
        self.objective = objective
        settings = objective.settings
        if settings.strength is not None:
            raise InputError(
                "strength is for the optimisation of one picture; in training each"
                " style has a strength of its own"
            )
        # No deeper than the content: a sixth less of the step's arithmetic.
        self.content = objective.extractor.only(settings.content_layers)
        factors = [float(value) for value in strengths or [1.0] * len(styles)]
        self._strengths = self._hold(ops.convert_to_tensor(factors), "strengths")
        painted = _moments(objective, styles)
        self._grams = {
            name: self._hold(
                ops.concatenate([gram[name] for gram in painted]),
                name.replace("/", "_"),
            )
            for name in painted[0]
        }
        self.built = True

    def _hold(self, value: Tensor, name: str) -> keras.Variable:
        weight = self.add_weight(
            shape=value.shape, initializer="zeros", trainable=False, name=name
        )
        weight.assign(value)
        return weight

    def ratios(self, style: Tensor) -> Tensor:
        """Return the shares `[B, N]` of the paintings in `style` `[B, N + 1]`."""
        painted = style[:, 1:]
        return painted / ops.maximum(ops.sum(painted, axis=-1, keepdims=True), 1e-6)

    def call(self, inputs: dict[str, Tensor]) -> Targets:
        """Return the targets of `image` `[B, H, W, 3]` and `style` `[B, N + 1]`."""
        mix = self.ratios(inputs["style"])
        style = {name: _mixed(mix, grams) for name, grams in self._grams.items()}
        style = self.objective.style.targets(style)
        strength = ops.matmul(mix, ops.convert_to_tensor(self._strengths))
        less = ops.maximum(1.0 - inputs["style"][:, 0], 0.0)
        strength = strength * less**STRENGTH_POWER
        content = self.objective.inner(self.content(inputs["image"]))
        return Targets(content, style, strength)


def _moments(objective: Objective, styles: Sequence[Tensor]) -> list[dict[str, Tensor]]:
    """Return the moments of every style.

    On JAX side by side: there every operation is compiled anew for a painting's size.
    """
    workers = 1 if keras.backend.backend() == "tensorflow" else None
    with concurrent.futures.ThreadPoolExecutor(workers) as threads:
        return list(threads.map(lambda x: objective.style_moments(x[None]), styles))


def _mixed(mix: Tensor, moments: keras.Variable) -> Tensor:
    """Return the mix `[B, ...]` of `[N, ...]` by `[B, N]`.

    `einsum` would take 95 ms instead of 5 for the Gram matrices of six styles.
    """
    rows = ops.reshape(ops.convert_to_tensor(moments), (moments.shape[0], -1))
    return ops.reshape(ops.matmul(mix, rows), (-1, *moments.shape[1:]))
