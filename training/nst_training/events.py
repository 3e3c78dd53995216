"""What a training tells its observer, and how it ends."""

import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nst_tf.loss.parts import LossParts
from nst_tf.running.progress import Reason


class TrainStep(NamedTuple):
    """One step of training, as the observer sees it.

    Attributes:
        step: Number of the step, from 1.
        loss: Parts of the loss of its batch.
        rate: Learning rate.
        seconds: Time since the start, without that between runs of a resumed one.
        broken: Photographs and paintings that could not be read, by name, with the
            reason.
        lowered: How often the loss was not finite and the rate was halved.
        preview: The sheet of previews that was written now, float32 `[H, W, 3]`.
        budget: `content_errors` (a running mean) and `style_factors`, one a style,
            where there is a content budget.
    """

    step: int
    loss: LossParts
    rate: float
    seconds: float
    broken: dict[str, str]
    lowered: int
    preview: np.ndarray | None = None
    budget: Mapping[str, list[float]] = types.MappingProxyType({})


class Trained(NamedTuple):
    """A trained network.

    Attributes:
        folder: Holds `model.keras`, `model.json` and, until the end, the state.
        step: Steps made.
        loss: Parts of the loss of the last batch.
        reason: `"finished"`, or `"stopped"` by the observer.
    """

    folder: Path
    step: int
    loss: LossParts
    reason: Reason


Observer = Callable[[TrainStep], bool | None]
"""Called after every step; returning True ends the run after a checkpoint."""
