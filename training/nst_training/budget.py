"""The content budget: how much of a photograph each style may give up.

A style weight means another thing for every painting: at the weight that leaves a
landscape by van Gogh recognisable, Hokusai's wave has eaten the photograph. Here the
content error is given, and each style's weight follows until it is met.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from nst_tf.running.transfer import replicas

Tensor = Any
_RATE = 0.03
"""Largest change of a weight's logarithm for each picture of its style."""
_RANGE = 4.0
"""Largest logarithm of a weight, up or down: 50 times."""
_MEMORY = 0.98
"""Momentum of the content errors that are told."""


class ContentBudget(keras.layers.Layer):
    """Factors of the style term, one a style, that hold content errors at a target.

    Args:
        targets: The content errors to reach, one a style: squared error of the content
            layers over the photograph's energy there.
        start: The factors to start from; 1 each without it.
    """

    def __init__(
        self, targets: Sequence[float], start: Sequence[float] | None = None
    ) -> None:
        super().__init__(dtype="float32", trainable=False, name="budget")
        self.targets = np.asarray(targets, "float32")
        count = len(targets)
        kept = {
            "shape": (count,),
            "trainable": False,
            "dtype": "float32",
            "aggregation": "mean",  # Over the devices that a batch is spread over.
        }
        self.weights_log = self.add_weight(
            initializer="zeros", name="log_weights", **kept
        )
        self.errors = self.add_weight(initializer="zeros", name="errors", **kept)
        if start is not None:
            self.weights_log.assign(np.log(np.asarray(start, "float32")))
        self.built = True

    def call(self, mix: Tensor) -> Tensor:
        """Return the factors `[B]` of mixes of styles `[B, N]`, geometric means."""
        return ops.exp(ops.matmul(mix, self.weights_log[:, None])[:, 0])

    def update(self, mix: Tensor, errors: Tensor) -> None:
        """Move the weights by what a batch has shown.

        Args:
            mix: float32 `[B, N]`; rows of zeros are not counted.
            errors: Content errors `[B]`.
        """
        errors = ops.stop_gradient(errors)
        wanted = ops.matmul(mix, ops.convert_to_tensor(self.targets)[:, None])[:, 0]
        gap = ops.clip(wanted / ops.maximum(errors, 1e-6) - 1.0, -1.0, 1.0)  # [B]
        step = replicas() * _RATE * ops.matmul(ops.transpose(mix), gap[:, None])[:, 0]
        self.weights_log.assign(ops.clip(self.weights_log + step, -_RANGE, _RANGE))
        seen = ops.sum(mix, axis=0)
        mean = ops.matmul(ops.transpose(mix), errors[:, None])[:, 0]
        mean = mean / ops.maximum(seen, 1e-6)
        # The first error is taken as it is; a style that was not seen keeps its own.
        fresh = ops.where(self.errors > 0.0, 1.0 - _MEMORY, 1.0)
        share = fresh * ops.minimum(seen, 1.0)
        self.errors.assign(self.errors + share * (mean - self.errors))

    def told(self) -> dict[str, list[float]]:
        """Return content errors and weights, one a style, as a log has them."""
        logs, errors = map(ops.convert_to_numpy, (self.weights_log, self.errors))
        return {
            "content_errors": [round(float(x), 4) for x in errors],
            "style_factors": [float(f"{x:.4g}") for x in np.exp(logs)],
        }
