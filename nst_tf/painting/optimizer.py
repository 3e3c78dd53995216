"""The optimizer of a pass, and what it takes over from the scale before."""

import keras
import numpy as np

from nst_tf.imaging.resize import resize_nearest
from nst_tf.optimizers.average import WarmAverage
from nst_tf.optimizers.lbfgs import LBFGS
from nst_tf.optimizers.metric import SpatialMetric
from nst_tf.painting.memory import MemoryPlan
from nst_tf.settings.optimize import OptimizeSettings

_FIRST_CHANGE = (4 / 255, 1 / 255)
"""Mean change of L-BFGS' first step at the first pass and at the later ones."""


class Adam(WarmAverage, keras.optimizers.Adam):
    """Adam, whose average can begin anew at any step."""

    def build(self, variables: list[keras.Variable]) -> None:
        """Create the moments, and the step at which the average began."""
        if self.built:
            return
        super().build(variables)
        self.begun = self.add_variable(
            (), dtype=self.iterations.dtype, name="average_begun"
        )

    def begin_average(self) -> None:
        """Let the next step's picture be the first of the average."""
        self.begun.assign(self.iterations)


def build_optimizer(
    settings: OptimizeSettings, plan: MemoryPlan, index: int
) -> keras.optimizers.Optimizer:
    """Return the optimizer of the pass of an index, from 0."""
    if settings.optimizer == "adam":
        return Adam(
            settings.learning_rate or 0.02,
            beta_2=0.99,
            use_ema=settings.ema > 0,
            ema_momentum=settings.ema or None,
        )
    return LBFGS(
        settings.learning_rate or 1.0,
        history=plan.history,
        history_dtype=plan.history_dtype,
        backtracking=settings.backtracking,
        first_change=_FIRST_CHANGE[min(index, 1)],
        metric=SpatialMetric() if plan.metric else None,
    )


def carry_moments(earlier: Adam, optimizer: Adam) -> None:
    """Start Adam from the moments of the scale before, resized (as crowsonkb does).

    The average begins anew: that before is of coarser pictures. L-BFGS starts anew,
    too: its pairs are differences of another objective's gradient.
    """
    for old, new in zip(earlier.variables, optimizer.variables, strict=True):
        value = np.asarray(old)
        if len(value.shape) == 4:
            _, height, width, _ = new.shape
            # No filter may turn a second moment negative.
            planes = [resize_nearest(value[0, ..., k], width, height) for k in range(3)]
            value = np.stack(planes, axis=-1)[None]
        new.assign(value)
    optimizer.begin_average()
