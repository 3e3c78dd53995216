"""The loss of finished pictures; what a run will take."""

import dataclasses
import time
from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from nst_tf.backend.precision import resolve_precision
from nst_tf.imaging import color
from nst_tf.imaging.arrays import PictureLike, as_pixels
from nst_tf.imaging.guides import Regions
from nst_tf.imaging.resize import size_of
from nst_tf.loss.parts import LossParts
from nst_tf.loss.tiled import TiledObjective, tiled
from nst_tf.painting.inputs import build_objective, graph_of, prepare
from nst_tf.painting.memory import (
    MemoryPlan,
    Need,
    measuring_tile,
    need_of,
    plan_memory,
)
from nst_tf.painting.schedule import Pass, plan_passes
from nst_tf.settings.checks import InputError
from nst_tf.settings.optimize import OptimizeSettings
from nst_tf.settings.weight_changes import records

_TRIAL = 256
"""Side of the picture on which the speed is measured, in pixels."""


def measure_loss(
    pixels: PictureLike,
    content: PictureLike,
    style: PictureLike | Sequence[PictureLike],
    settings: OptimizeSettings,
    *,
    regions: Regions | None = None,
) -> LossParts:
    """Return the loss of a finished picture, as `measure_losses`."""
    return measure_losses([pixels], content, style, settings, regions=regions)[0]


def measure_losses(
    pictures: Sequence[PictureLike],
    content: PictureLike,
    style: PictureLike | Sequence[PictureLike],
    settings: OptimizeSettings,
    *,
    regions: Regions | None = None,
) -> list[LossParts]:
    """Return the losses of finished pictures in float32 arithmetic, as floats.

    Of their luminance, if that alone is painted.

    Args:
        pictures: float32 `[H, W, 3]`, RGB 0..1, of the final size of `settings`, or
            what `as_pixels` makes that of.
        content: The photograph as given to `optimize_image`.
        style: The style images as given to `optimize_image`.
        settings: The settings of the run.
        regions: The regions as given to `optimize_image`.

    Raises:
        InputError: A picture is none, or of another size.
    """
    inputs = prepare(content, style, settings, regions)
    stage = plan_passes(inputs.size, inputs.style_sizes, settings)[-1]
    shown = [as_pixels(one, clipped=False) for one in pictures]
    for one in shown:
        if size_of(one) != stage.picture:
            width, height = size_of(one)
            raise InputError(
                f"the picture has {width}x{height} pixels; by these settings that of"
                f" this photograph has {stage.picture.width}x{stage.picture.height}"
            )
    need, backend = need_of(stage, inputs.regions), keras.backend.backend()
    tile = measuring_tile(need, settings, "float32", backend=backend)
    objective = tiled(build_objective(settings, "float32"), tile)
    targets = inputs.targets(objective, stage, settings)
    if settings.weight_changes:
        *_, (_, weights) = records(settings.weight_changes)
        last = np.asarray(list(weights.values()), "float32")
        targets = targets._replace(weights=last)
    measure = graph_of(objective, objective.measure)
    losses = []
    for pixels in shown:
        if settings.color == "luminance":
            pixels = color.grey(color.luma(pixels))
        parts = measure(pixels[None], targets)
        losses.append(parts.map(lambda x: float(ops.convert_to_numpy(x))))
    return losses


def memory_plan(
    stages: Sequence[Pass],
    settings: OptimizeSettings,
    regions: Regions,
) -> MemoryPlan:
    """Return how the stages of a run fit into `settings.memory`.

    Raises:
        InputError: They don't; the message names the least limit that would do.
    """
    needs = [need_of(stage, regions) for stage in stages]
    dtype = resolve_precision(settings.precision)
    return plan_memory(needs, settings, dtype, backend=keras.backend.backend())


def step_seconds(settings: OptimizeSettings, seed: int = 0) -> float:
    """Measure how long a tiled evaluation takes on this machine.

    It takes some seconds itself: a small picture is evaluated twice.

    Returns:
        Seconds for one number of `StageMemory.work`.
    """
    size, dtype = (_TRIAL, _TRIAL), resolve_precision(settings.precision)
    extractor = build_objective(settings, dtype).extractor
    objective = TiledObjective(extractor, settings.loss, tile=_TRIAL)
    image = np.random.default_rng(seed).random((1, *size, 3)).astype("float32")
    targets = objective.targets(image, image)
    objective.loss_and_gradient(image, targets)
    start = time.monotonic()
    objective.loss_and_gradient(image, targets)
    seconds = time.monotonic() - start
    free = dataclasses.replace(settings, memory=None)
    return seconds / plan_memory([Need(size, (), settings.loss)], free, dtype).work
