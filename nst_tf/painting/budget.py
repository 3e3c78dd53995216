"""The style weight that leaves the content error which a strength stands for."""

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
from keras import ops

from nst_tf.loss.extractor import build_extractor
from nst_tf.loss.objective import Objective
from nst_tf.loss.term import Targets
from nst_tf.loss.tiled import tiled
from nst_tf.painting.inputs import graph_of
from nst_tf.painting.schedule import Pass
from nst_tf.painting.weights import TermWeights
from nst_tf.running.callbacks import RunCallback
from nst_tf.running.progress import Progress
from nst_tf.settings.budget import CONTENT_LAYER
from nst_tf.settings.loss import TERMS, ExtractorSettings, LossSettings

_CONTENT, _STYLE = TERMS.index("content"), TERMS.index("style")
_PACE = 6
"""Evaluations from one change of the weight to the next; half in a short pass. With a
change at every one L-BFGS has no pair of one loss, and its steps go wild."""
_STEP = 4.0
"""Most by which one changes it: L-BFGS keeps its pairs."""
_RISE, _DECAY = 0.95, 10.0
"""How much larger the content error is when a picture has just been enlarged than at
the end of the pass, and in how many evaluations that shrinks to a third: as measured on
two pictures, 1.35 times after 10 evaluations, 1.05 after 30."""
_CLOSE = 0.02
"""Part of the goal within which the weight stays."""
_BOUNDS = 1e-4, 1e6


class BudgetSearch(RunCallback):
    """Changes the weight of style until the content error is the one wanted.

    The error grows about as the root of the weight, and answers to it in some ten
    evaluations: so the weight follows the ratio of the errors itself, which is half of
    what would do, every few evaluations. At the final size it does so in two thirds of
    the evaluations; then it stays. All of it follows from the losses alone: a run
    repeats and resumes with equal bits.

    Args:
        progress: Where the run stands.
        weights: Gets the changes.
        goal: The content error that the picture is to end with.
        error: Gives that of now.
        until: Evaluation of the pass after which the weight stays.
        final: Whether the pass is of the final size.
    """

    def __init__(
        self,
        progress: Progress,
        weights: TermWeights,
        goal: float,
        error: Callable[[], float],
        *,
        until: int,
        final: bool,
    ) -> None:
        super().__init__(progress)
        self.weights, self.goal, self.error = weights, goal, error
        self.until, self.final = until, final

    def after_step(self) -> None:
        """Change the weight for the next evaluation, if it is time."""
        done = self.progress.done
        pace = max(_PACE // 2, min(_PACE, self.progress.steps // 10))
        if not self.weights.searching or done % pace or not pace < done <= self.until:
            return
        ahead = _RISE * math.exp(-done / _DECAY) if self.final else 0.0
        goal = self.goal * (1 + ahead)
        error = self.error()
        if abs(error - goal) <= _CLOSE * goal:
            return
        factor = min(max(goal / max(error, 1e-9), 1 / _STEP), _STEP)
        now = list(self.weights.at(self.progress.step))
        now[_STYLE] = min(max(now[_STYLE] * factor, _BOUNDS[0]), _BOUNDS[1])
        self.weights.note(self.progress.step, tuple(now))


def build_search(
    progress: Progress,
    weights: TermWeights,
    passes: Sequence[Pass],
    index: int,
    *,
    cover: np.ndarray | None,
    photo: Callable[[], np.ndarray],
    picture: Callable[[], np.ndarray],
    tile: int | None,
    dtype: str,
) -> list[BudgetSearch]:
    """Return the search of a pass, or nothing where the weight is not looked for.

    Args:
        progress: Where the run stands.
        weights: Of the run.
        passes: All of the run.
        index: Of the pass.
        cover: How much of each pixel may change, `[H, W]`: where only a part may, the
            error is that of the part.
        photo: Gives the photograph at the size of the pass, float32 `[H, W, 3]`.
        picture: Gives the picture as it is now.
        tile: Longest side of the tiles in pixels, or None.
        dtype: Of the network.
    """
    stage, settings = passes[index], weights.settings
    goal = settings.loss.content_error
    last = [one for one in passes if one.picture == passes[-1].picture]
    last = [one for one in last if one.depth != "shallow"]
    final = stage in last
    if goal is None or not weights.searching or stage.depth == "shallow":
        return []
    if final and stage is not last[0]:
        return []
    if settings.loss.content_layers == (CONTENT_LAYER,):

        def error() -> float:
            weight = weights.at(progress.step - 1)[_CONTENT]
            return float(progress.loss.terms["content"]) / weight

    else:
        network = dataclasses.replace(settings.extractor, network=stage.network)
        measure = error_measure(photo(), network, dtype, tile)

        def error() -> float:
            return measure(picture())

    if cover is not None:
        goal = goal * float(cover.mean())
    whole = sum(one.steps for one in last)
    until = min(stage.steps, 2 * whole // 3) if final else stage.steps
    return [BudgetSearch(progress, weights, goal, error, until=until, final=final)]


def error_measure(
    photo: np.ndarray, extractor: ExtractorSettings, dtype: str, tile: int | None
) -> Callable[[np.ndarray], float]:
    """Return what measures the content error of pictures of a photograph.

    Args:
        photo: float32 `[H, W, 3]`, RGB 0..1.
        extractor: Names the network.
        dtype: Of the network.
        tile: Longest side of the tiles in pixels, or None.
    """
    loss = LossSettings(
        content_layers=(CONTENT_LAYER,), style_layers=(), style_weight=0.0, tv_weight=0
    )
    network = build_extractor(loss.layers, settings=extractor, dtype=dtype)
    objective = tiled(Objective(network, loss), tile)
    targets = Targets(graph_of(objective, objective.content_targets)(photo[None]), {})
    measure = graph_of(objective, objective.measure)

    def error(picture: np.ndarray) -> float:
        total = measure(picture[None], targets).total
        return float(ops.convert_to_numpy(total))

    return error
