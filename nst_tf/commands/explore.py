"""`nst explore`: a contact sheet of settings, to choose some by eye."""

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import tyro

from nst_tf import __version__
from nst_tf.commands import INTERRUPTED, PROGRAM, console
from nst_tf.commands.pipes import piped
from nst_tf.commands.program import program
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import StyleLoss
from nst_tf.settings.optimize import OptimizeSettings

if TYPE_CHECKING:
    from nst_tf.inspection.explore import Trial
    from nst_tf.painting.events import Observer, Step


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What `nst explore` reads, writes and shows."""

    content: tyro.conf.Positional[Path]
    """The photograph."""
    style: tyro.conf.Positional[Path]
    """The painting."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The sheet; .png, .jpg, .webp, .avif, .tif or .bmp chooses the format."""
    strengths: tuple[float, ...] = (0.3, 0.6, 0.9)
    """From left to right."""
    style_scales: tuple[float, ...] = (0.5, 1.0)
    """Sizes of the painting relative to the result's."""
    style_losses: tuple[StyleLoss, ...] = get_args(StyleLoss)
    """What is compared."""
    size: int = 160
    """Long side of each picture in pixels."""
    steps: int = 30
    """Evaluations of each picture."""
    overwrite: bool = False
    """Let the sheet take the place of a file that is read."""
    quiet: bool = False
    """Draw no progress and print nothing."""


def explore(job: Job) -> int:
    """Run `nst explore`; return the exit code."""
    with piped(job, "content", "style") as whole:
        return _checked(whole)


def _checked(job: Job) -> int:
    """Run `nst explore` on files."""
    from nst_tf.imaging.write import check_output
    from nst_tf.places import check_places, held

    check_output(job.output)
    check_places([job.output], inputs=[job.content, job.style], overwrite=job.overwrite)
    with held(job.output):
        return _explore(job)


def _explore(job: Job) -> int:
    """Run `nst explore` into a file that is its own."""
    from nst_tf.imaging.read import load_image
    from nst_tf.imaging.write import save_image

    base = OptimizeSettings(size=job.size, steps=job.steps, scales=1, schedule="whole")
    base = console.choose(base, quiet=job.quiet)
    content, style = (load_image(path).pixels for path in (job.content, job.style))
    console.import_quietly()
    from nst_tf.imaging.contact_sheet import Cell, draw_sheet
    from nst_tf.inspection.explore import plan_trials, run_trials

    trials = plan_trials(base, job.strengths, job.style_scales, job.style_losses)
    shared = (
        f"--size {job.size} --steps {job.steps} --scales 1 --schedule whole"
        f" --network {base.extractor.network}"
    )
    cells: list[Cell] = []
    with (
        console.interruptible() as stop,
        console.progress(
            len(trials) * job.steps, 0, fields=("trial", "loss"), quiet=job.quiet
        ) as show,
    ):

        def observer(trial: "Trial") -> "Observer":
            before = len(cells) * job.steps
            label = trial.label.replace("\n", ", ")

            def observe(step: "Step") -> bool:
                loss = console.short(step.loss.total)
                show(before + step.evaluation, trial=label, loss=loss)
                return stop.is_set

            return observe

        for trial, result in run_trials(content, style, trials, observer=observer):
            if stop.is_set:
                done = f"{len(cells)} of {len(trials)} pictures were painted"
                print(f"stopped: {done}, and no sheet is written", file=sys.stderr)
                return INTERRUPTED
            if result.reason == "not finite":
                raise InputError(f"the loss stopped being finite at {trial.flags}")
            cells.append(Cell(result.pixels, trial.label))
    sheet = draw_sheet(cells, columns=len(job.strengths), side=job.size)
    flags = [f"{shared} {trial.flags}" for trial in trials]
    facts = {
        "program": f"nst-tf {__version__}",
        "content": console.fingerprint(job.content),
        "style": console.fingerprint(job.style),
        "cells": flags,
    }
    save_image(job.output, sheet, settings=facts)
    if not job.quiet:
        print(f"{job.output}: row by row, flags of {PROGRAM} optimize")
        print(*flags, sep="\n")
    return 0


main = program(
    explore,
    Job,
    command="explore",
    description="Paint small pictures at many settings, on one sheet.",
)
