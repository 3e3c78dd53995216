"""Keeping a run to the memory that is there."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nst_tf.machine import cpu_precision, free_memory, has_gpu_driver, keras_backend
from nst_tf.settings.checks import InputError
from nst_tf.settings.optimize import OptimizeSettings

if TYPE_CHECKING:
    from nst_tf.imaging.guides import Regions
    from nst_tf.painting.schedule import Pass

_SHARE = 0.9
"""Of what is free that a run may take: other programs grow, too."""
_HOPELESS = 5.0
"""Times what is free that the least of a run may be: memory may become free meanwhile,
and the model is careful."""
_SURE = 0.9
"""Of what the model says that a picture as a whole takes at the most: it is careful
(0.81 to 0.90 of it at 256 to 1024 pixels), and small tiles take 20 times as long."""


def within_memory(
    settings: OptimizeSettings,
    passes: "Sequence[Pass]",
    regions: "Regions",
    *,
    state: Path | None,
    quiet: bool,
) -> OptimizeSettings:
    """Return settings with a limit where a run would not fit without one.

    A system that has no memory left ends the program, and says nothing. Neither Keras
    nor its backend is loaded: TensorFlow's allocator is chosen before.

    Args:
        settings: Of the run; a limit that they name is kept to.
        passes: All of the run.
        regions: Its regions.
        state: The state that it goes on from, whose limit it shares.
        quiet: Do not say what is done.

    Raises:
        InputError: The state can't be read; or not even tiles come near what is free.
    """
    from nst_tf.painting.memory import least_memory, need_of, plan_memory
    from nst_tf.running.checkpoint import read_meta

    if settings.memory is not None:
        return settings
    if state is not None:
        theirs = read_meta(state).get("identity", {}).get("settings", {})
        settings = dataclasses.replace(settings, memory=theirs.get("memory"))
        if settings.memory is not None:
            return settings
    if has_gpu_driver():  # Whose memory is another.
        return settings
    backend = keras_backend()
    dtype = cpu_precision(settings.precision, backend)
    needs = [need_of(stage, regions) for stage in passes]
    whole = plan_memory(needs, settings, dtype, backend=backend)
    largest = max(whole.stages, key=lambda one: one.peak)
    free = free_memory()
    if free is None or _SURE * largest.peak <= free:
        return settings
    least = least_memory(needs, settings, dtype, backend=backend)
    limit = max(_SHARE * free // 1e8 * 1e8, least)
    memory = f"{limit / 1e9:g}GB"
    width, height = largest.size
    text = (
        f"{width}x{height} as a whole would take about {largest.peak / 1e9:.1f} GB of"
        f" memory, and {free / 1e9:.1f} GB are free: "
    )
    if state is not None:
        text += (
            "the run to go on with was begun without a limit and has none; if the"
            f" system ends it for want of memory, begin it anew with --memory {memory}"
        )
    else:
        if least > _HOPELESS * free:
            text += f"even in tiles it takes {least / 1e9:.1f} GB. Choose a smaller"
            raise InputError(f"{text} --size")
        settings = dataclasses.replace(settings, memory=memory)
        text += f"working with --memory {memory}"
        if limit > free:
            text += (
                ", the least that it can; if the system ends it for want of memory,"
                " choose a smaller --size"
            )
    if not quiet:
        print(text, file=sys.stderr, flush=True)
    return settings
