"""The one training step of the project: a generator driven by the objective."""

from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from nst_tf.loss.objective import Objective
from nst_tf.loss.parts import LossParts
from nst_tf.loss.targets import FixedTargets
from nst_tf.loss.term import Targets
from nst_tf.settings.loss import TERMS

Tensor = Any


def untuned(data: Any) -> Any:
    """Return a `tf.data.Dataset` that TensorFlow does not tune while it is read.

    When the reading ends, TensorFlow waits until the thread that tunes wakes up: 58 s
    after 262 s of steps, 6 s after 14. It has nothing to tune where nothing is read in
    parallel.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return data.with_options(options)


def counter(steps: int) -> Any:
    """Return data for `fit` whose `[1, 1]` batches only count the steps."""
    row = np.zeros((1, 1), "float32")
    if keras.backend.backend() != "tensorflow":
        return ((row,) for _ in range(steps))
    import tensorflow as tf

    return untuned(tf.data.Dataset.from_tensors(row).repeat(steps))


class LatestValue(keras.metrics.Metric):
    """The value of the last step, where Keras' `Mean` gives the mean of the epoch."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, dtype="float32")
        self.value = self.add_variable(shape=(), initializer="zeros", name="value")

    def update_state(self, value: Tensor) -> None:
        """Replace the value."""
        self.value.assign(ops.cast(value, "float32"))

    def result(self) -> Tensor:
        """Return the value."""
        return ops.convert_to_tensor(self.value)


class StyleTransfer(keras.Model):
    """Minimise the style-transfer loss over a generator, with `compile` and `fit`.

    The logs of every step hold `total` and every term by its name, the loss of the
    picture as it was before that step.

    Args:
        generator: A layer whose output is float32 `[B, H, W, 3]`, RGB 0..1.
        objective: The loss.
        targets: What every output is compared with, or a layer that makes it of the
            inputs, such as `MixedTargets`.
    """

    told: ClassVar[tuple[str, ...]] = TERMS
    """Names of the terms in the logs."""

    def __init__(
        self,
        generator: keras.layers.Layer,
        objective: Objective,
        targets: Targets | keras.layers.Layer,
    ) -> None:
        super().__init__(dtype="float32")
        self.generator = generator
        self.objective = objective
        self.parts = [LatestValue(name) for name in ("total", *self.told)]
        self.targets = (
            FixedTargets(targets) if isinstance(targets, Targets) else targets
        )

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """Return the generator's picture of `inputs`."""
        del training  # Keras tells the generator's layers, if it is named here.
        return self.generator(inputs)

    def compute_loss(
        self,
        x: Tensor = None,
        y: Tensor = None,
        y_pred: Tensor = None,
        sample_weight: Tensor = None,
        training: bool = True,
    ) -> Tensor:
        """Return the total loss of `y_pred` and keep its parts for the logs."""
        parts = self.judge(x, y_pred, training)
        count = replicas()
        if count > 1:  # Gradients and metrics are summed over them.
            parts = parts.map(lambda part: part / count)
        for metric in self.parts:
            metric.update_state(parts.flat()[metric.name])
        if hasattr(self.generator, "remember"):  # Pixels keep the last finite ones.
            self.generator.remember(y_pred, parts.total)
        return parts.total

    def judge(self, x: Tensor, y_pred: Tensor, training: bool) -> LossParts:
        """Return the loss of the generator's picture of `x`."""
        del training
        parts: LossParts = self.objective(y_pred, self.targets(x))
        return parts


def replicas() -> int:
    """Return over how many devices TensorFlow's strategy spreads a batch."""
    if keras.backend.backend() != "tensorflow":
        return 1  # JAX shards the batch of one program: means are over all of it.
    import tensorflow as tf

    return int(tf.distribute.get_strategy().num_replicas_in_sync)
