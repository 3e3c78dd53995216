"""What a run needs in memory, before it starts: tiles and history that fit a limit.

The model was measured on a CPU (TensorFlow with the allocator of the system, as `nst
optimize --memory` sets it; peak resident memory): what the program itself takes, so
many pictures of state, and twice the activations of what is worked on at a time, which
is the picture or the crop of one tile.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple

from nst_tf.imaging.guides import Regions
from nst_tf.loss.choice import geometry_of
from nst_tf.loss.conventions import HARMONICS
from nst_tf.loss.geometry import Geometry
from nst_tf.loss.tiles import split
from nst_tf.painting.schedule import Pass
from nst_tf.settings.checks import InputError, parse_memory
from nst_tf.settings.loss import LossSettings
from nst_tf.settings.optimize import OptimizeSettings

_PROGRAM = 1.25e9
"""Bytes of the libraries, the network's weights and the compiled functions."""
_ACTIVATIONS = 2.1
"""Feature maps held at a time relative to one of every convolution."""
_ON_JAX = 1.6
"""The same on JAX, relative to TensorFlow."""
_COMPILED = 1.2e9
"""Bytes that JAX takes more for tiles: a function is compiled for every shape."""
_PICTURES = 5
"""Pictures besides the optimizer's: the photograph as read and resized, the last finite
one, the one that is evaluated, the gradient."""
_MORE = 2
"""Pictures more where masks are kept (how much of each pixel may change, what is behind
it), and as many with `color="luminance"` (the photograph's colours and their range)."""
_STEP = 4
"""Pictures that a step of the optimizer makes of the gradient, activations gone."""
_METRIC = 5
"""Pictures more where a metric filters the gradient: what it returns, and two channels
and their transforms at a time (counted, not measured)."""
_MARGIN = 1.05
"""Share by which a measured peak may exceed the model."""
_WHOLE = 2.5 / 3.5
"""Arithmetic of an evaluation without a pass for the sums alone, relative to with it.
Back-propagation takes one and a half times the forward pass, without the kernels'
gradients."""
_LEAST_TILE = 64
_EFFICIENT_TILE = 384
"""Pixels below which a shorter history is better than smaller tiles: halos would cost
more than half of the arithmetic."""
_HISTORIES = (20, 10, 7, 5, 3, 2)


class StageMemory(NamedTuple):
    """How one stage fits.

    Attributes:
        size: Width and height of the picture.
        tile: Longest side of a tile in pixels, or None: the picture as a whole.
        tiles: Number of tiles.
        peak: Bytes at the most.
        work: Numbers in all feature maps of one pass, halos included.
    """

    size: tuple[int, int]
    tile: int | None
    tiles: int
    peak: float
    work: float


class MemoryPlan(NamedTuple):
    """How a run fits into a limit.

    Attributes:
        stages: One entry a stage.
        history: Pairs of L-BFGS.
        history_dtype: Their dtype.
        metric: Whether L-BFGS has its metric.
    """

    stages: tuple[StageMemory, ...]
    history: int
    history_dtype: str
    metric: bool = False

    @property
    def work(self) -> float:
        """That of the stage with the most."""
        return max(stage.work for stage in self.stages)


class Need(NamedTuple):
    """What the planner must know of a stage.

    Attributes:
        size: Width and height of the picture.
        styles: The same of every style image.
        loss: The loss of this stage.
        regions: Number of masked regions, 0 without masks.
    """

    size: tuple[int, int]
    styles: Sequence[tuple[int, int]]
    loss: LossSettings
    regions: int = 0


def need_of(stage: Pass, regions: Regions) -> Need:
    """Return what the planner must know of a stage."""
    count = 0 if regions.masks is None else regions.masks.shape[-1]
    return Need(stage.picture, stage.styles, stage.loss, count)


def plan_memory(
    needs: Sequence[Need],
    settings: OptimizeSettings,
    dtype: str,
    *,
    backend: str = "tensorflow",
) -> MemoryPlan:
    """Choose tiles and history.

    Args:
        needs: One entry a stage.
        settings: With the limit, or without one: then nothing is tiled.
        dtype: Of the extractor.
        backend: Keras'.

    Raises:
        InputError: No choice fits; the message names the least limit that would do.
    """
    for need in needs:
        geometry_of(settings.extractor).check(need.loss.layers)
    choices = _choices(settings)
    fitting = []
    for history, kind, metric in choices:
        state = _state(settings, history, kind, metric=metric)
        model = _Model(settings, dtype, state, metric=metric, backend=backend)
        stages = [model.best(need) for need in needs]
        if all(stage is not None for stage in stages):
            fit = tuple(stage for stage in stages if stage is not None)
            plan = MemoryPlan(fit, history, kind, metric)
            if all((s.tile or _EFFICIENT_TILE) >= _EFFICIENT_TILE for s in plan.stages):
                return plan
            fitting.append(plan)
    if fitting:
        return max(fitting, key=lambda plan: min(s.tile or 0 for s in plan.stages))
    size = max((need.size for need in needs), key=math.prod)
    least = least_memory(needs, settings, dtype, backend=backend)
    raise InputError(
        f"{settings.memory} of memory is too little for {size[0]}x{size[1]}; the least"
        f" that works is {least / 1e9:g}GB"
    )


def least_memory(
    needs: Sequence[Need],
    settings: OptimizeSettings,
    dtype: str,
    *,
    backend: str = "tensorflow",
) -> float:
    """Return the bytes that a run takes in the smallest tiles, to the next 0.1 GB.

    Args:
        needs: One entry a stage.
        settings: Of the run; what limit they name does not matter.
        dtype: Of the extractor.
        backend: Keras'.
    """
    limited = dataclasses.replace(settings, memory="1GB")  # Any: it shortens histories.
    history, kind, _ = _choices(limited)[-1]
    model = _Model(settings, dtype, _state(settings, history, kind), backend=backend)
    least = max(model.stage(need, _LEAST_TILE).peak for need in needs)
    return math.ceil(least / 1e8) * 1e8


def measuring_tile(
    need: Need, settings: OptimizeSettings, dtype: str, *, backend: str = "tensorflow"
) -> int | None:
    """Return the tile in which a finished picture is measured, None for as a whole.

    No optimizer takes memory then. If no tile fits it is the least: a run that has done
    its work is not refused.

    Args:
        need: The last stage.
        settings: With the limit, or without one.
        dtype: Of the extractor that measures.
        backend: Keras'.
    """
    fitting = _Model(settings, dtype, 0.0, backend=backend).best(need)
    return _LEAST_TILE if fitting is None else fitting.tile


def describe(plan: MemoryPlan, settings: OptimizeSettings, rate: float) -> str:
    """Say what the stage with the most work will take.

    Args:
        plan: From `plan_memory`.
        settings: Of the run.
        rate: Seconds a tiled evaluation takes a number of work.
    """
    stage = max(plan.stages, key=lambda stage: stage.work)
    width, height = stage.size
    share = 1.0 if stage.tile else _WHOLE
    form = f"in {stage.tiles} tiles of {stage.tile}" if stage.tile else "as a whole"
    text = f"{width}x{height} {form}: about {stage.peak / 1e9:.1f} GB, about"
    text += f" {_number(share * rate * stage.work)} s a step"
    if settings.optimizer == "lbfgs" and plan.history < settings.history:
        text += f"; L-BFGS keeps {plan.history} pairs instead of {settings.history}"
    if settings.optimizer == "lbfgs" and settings.metric != "none" and not plan.metric:
        text += "; without its metric"
    return text


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1g}"


def _choices(settings: OptimizeSettings) -> list[tuple[int, str, bool]]:
    """Return histories, and whether with a metric, from the best to the smallest."""
    history = settings.history
    measured = settings.optimizer == "lbfgs" and settings.metric != "none"
    shorter = [count for count in _HISTORIES if count < history]
    if settings.optimizer != "lbfgs" or settings.memory is None:
        return [(history, "float32", measured)]
    histories = [
        (history, "float32"),
        (history, "bfloat16"),
        *((count, "bfloat16") for count in shorter),
    ]
    metrics = (True, False) if measured else (False,)
    return [(*chosen, metric) for chosen in histories for metric in metrics]


def _state(
    settings: OptimizeSettings, history: int, kind: str, *, metric: bool = False
) -> float:
    """Return how many pictures the optimizer takes."""
    if settings.optimizer == "lbfgs":
        return 2 + metric + 2 * (history + 1) * (0.5 if kind == "bfloat16" else 1.0)
    return 3.0 + 4.0  # Moments and average; what Adam's step makes.


class _Model:
    """The memory of stages with an optimizer that takes so many pictures."""

    def __init__(
        self,
        settings: OptimizeSettings,
        dtype: str,
        state: float,
        *,
        metric: bool = False,
        backend: str = "tensorflow",
    ) -> None:
        self.step = _STEP + _METRIC * metric
        self.settings, self.item = settings, 2 if dtype == "bfloat16" else 4
        self.geometry = geometry_of(settings.extractor)
        self.state = state
        memory = settings.memory
        self.limit = math.inf if memory is None else parse_memory(memory)
        self.on_jax = backend == "jax"

    def best(self, need: Need) -> StageMemory | None:
        """Return the stage in the largest tiles that fit the limit, or None."""
        whole = self.stage(need, None)
        if whole.peak <= self.limit:
            return whole
        longest = max(need.size)
        for tile in range(longest // 16 * 16, _LEAST_TILE - 1, -16):
            stage = self.stage(need, tile)
            if stage.peak <= self.limit:
                return stage
        return None

    def stage(self, need: Need, tile: int | None) -> StageMemory:
        """Return what a stage takes in tiles of a size."""
        used = self.geometry.upto(need.loss.layers)
        width, height = need.size
        crops = _areas(need.size, tile, used)
        # Of a style nothing is differentiated: half of the activations.
        seen = [0.5 * max(_areas(size, tile, used)) for size in need.styles]
        largest = max([*crops, *seen])
        channels = sum(layer.work for layer in used.layers)
        content = 1.5 * self.item * self._numbers(need.loss.content_layers)
        activations = self.item * (
            _ACTIVATIONS * (_ON_JAX if self.on_jax else 1.0) * channels
            + 2 * need.regions * self._numbers(need.loss.style_layers)
        )
        masks = sum(
            4 * need.regions / 4 ** used[name].level for name in need.loss.style_layers
        )
        kept = bool(need.regions) + (self.settings.color == "luminance")
        pictures = _PICTURES + self.state + _MORE * kept
        program = _PROGRAM + (_COMPILED if self.on_jax and tile else 0.0)
        peak = program + width * height * (12 * pictures + content + masks)
        peak += sum(12 * w * h for w, h in need.styles)
        if need.loss.palette:
            activations += 12 * HARMONICS
        peak += max(activations * largest, 12 * self.step * width * height)
        work = sum(crops) * channels
        return StageMemory(need.size, tile, len(crops), _MARGIN * peak, work)

    def _numbers(self, layers: Sequence[str]) -> float:
        """Return the numbers of a pixel in the maps of these layers."""
        return sum(self.geometry[name].density for name in layers)


def _areas(size: tuple[int, int], tile: int | None, used: Geometry) -> list[int]:
    """Return the pixels of every crop of a picture."""
    width, height = size
    if tile is None:
        return [width * height]
    return [
        (t.rows.crop[1] - t.rows.crop[0]) * (t.columns.crop[1] - t.columns.crop[0])
        for t in split(height, width, tile, used.halo)
    ]
