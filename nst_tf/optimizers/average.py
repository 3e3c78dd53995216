"""The moving average of what is optimised, without a memory of how it began.

References:
    Keras' own, https://keras.io/api/optimizers/ (`use_ema`), begins as the first value
    and holds on to it: at a momentum of 0.999 two thirds are left after 400 steps.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

_BEHIND = 9.0


class WarmAverage(keras.optimizers.Optimizer):
    """An optimizer whose moving average is that of the last tenth of a short run.

    Its momentum is `ema_momentum` at most, and n / (n + 9) after n steps, so that it
    begins as the first value and forgets it. Give it as the first base of a class.
    """

    begun: Any = 0
    """Step at which the average began."""

    def _update_model_variables_moving_average(
        self, trainable_variables: Sequence[keras.Variable]
    ) -> None:
        """Take the latest values into the average; Keras calls it at every step."""
        if not self.use_ema:
            return
        count = ops.cast(self.iterations - self.begun, "float32")
        rest = 1.0 - ops.minimum(self.ema_momentum, count / (count + _BEHIND))
        averages = self._model_variables_moving_average
        for value, average in zip(trainable_variables, averages, strict=True):
            if average is not None:
                change = ops.cast(rest, average.dtype) * (value - average)
                average.assign_add(change)
