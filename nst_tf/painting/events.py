"""What a run tells its observer, and how it ends."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from nst_tf.loss.parts import LossParts
from nst_tf.painting.schedule import Size
from nst_tf.running.progress import Reason
from nst_tf.settings.optimize import Depth, OptimizeSettings


class Step(NamedTuple):
    """One evaluation of loss and gradient, as the observer sees it.

    Attributes:
        stage: Index of the pass, from 0.
        size: Size of the picture in this pass.
        depth: What counted of the loss, see `Pass`.
        step: Evaluation within the pass, from 1.
        evaluation: Evaluation within the run, from 1.
        loss: The parts of the loss of the picture before this step.
        seconds: Time since the start, without that between runs of a resumed one.
        image: Call it for the picture after this step, float32 `[H, W, 3]`.
        weights: Weights of the terms, in the order of `TERMS`.
        weigh: Call it with as many new ones for the steps to come; the settings must
            have weight_changes.
    """

    stage: int
    size: Size
    depth: Depth
    step: int
    evaluation: int
    loss: LossParts
    seconds: float
    image: Callable[[], np.ndarray]
    weights: tuple[float, ...]
    weigh: Callable[..., None]


class Result(NamedTuple):
    """An optimised picture.

    Attributes:
        pixels: float32 `[H, W, 3]`, RGB 0..1 (beyond it when unconstrained).
        loss: Parts of the loss at the last evaluation, as floats.
        evaluations: Evaluations of loss and gradient, all stages together.
        seconds: Time of the run.
        reason: Why it ended: `"finished"`, `"converged"`, `"stopped"` by the observer,
            or `"not finite"` (the picture is the last one whose loss was finite).
        settings: Those given, with the changes of the weights that the observer made:
            they make the same picture again.
    """

    pixels: np.ndarray
    loss: LossParts
    evaluations: int
    seconds: float
    reason: Reason
    settings: OptimizeSettings


Observer = Callable[[Step], bool | None]
"""Called after every step; returning True ends the run."""
