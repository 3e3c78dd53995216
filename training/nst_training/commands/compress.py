"""`nst compress`: a loss network of a few megabytes from a VGG weight file."""

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from nst_tf.commands import INTERRUPTED, PROGRAM
from nst_tf.commands.console import (
    image_files,
    import_quietly,
    interruptible,
    progress,
    resuming,
)
from nst_tf.commands.flags import read_flags
from nst_tf.running.log import Log
from nst_tf.settings.checks import InputError
from nst_training.compress.settings import CompressSettings

if TYPE_CHECKING:
    from nst_training.compress.finetune import CompressStep


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What `nst compress` reads, writes and shows."""

    weights: tyro.conf.Positional[Path]
    """The HDF5 weight file of the VGG."""
    photos: Path
    """Folder of photographs."""
    paintings: Path
    """Folder of paintings."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The compressed network, .npz; log and state go beside it."""
    checkpoint_every: int = 100
    """Steps between two saved states."""
    overwrite: bool = False
    """Let the network take the place of a finished one."""
    resume: bool = False
    """Go on with the interrupted run of the same command."""
    quiet: bool = False
    """Draw no progress and print no summary."""


def main(arguments: list[str]) -> int:
    """Run `nst compress`; return the exit code."""
    job, settings = read_flags(
        Job,
        arguments,
        command="compress",
        description="Compress a VGG into a loss network of a few megabytes.",
        settings=CompressSettings(),
    )
    return compress(job, settings)


def compress(job: Job, settings: CompressSettings) -> int:
    """Run `nst compress`; return the exit code."""
    from nst_tf.places import check_places, held

    if job.output.suffix != ".npz":
        raise InputError(f"the compressed network {job.output} must end in .npz")
    if job.checkpoint_every < 1:
        raise InputError("checkpoint_every must be at least 1")
    photos, paintings = (
        image_files(folder, quiet=job.quiet) for folder in (job.photos, job.paintings)
    )
    import_quietly()
    from nst_training.compress.program import state_of

    state = state_of(job.output)
    check_places(
        [job.output, state, job.output.with_suffix(".jsonl")],
        inputs=[job.weights, *photos, *paintings],
        # What a stopped run has saved so far is no finished network.
        finished=() if state.exists() else (job.output,),
        overwrite=job.overwrite,
    )
    with held(job.output):
        return _compress(job, settings, photos, paintings)


def _compress(
    job: Job, settings: CompressSettings, photos: list[Path], paintings: list[Path]
) -> int:
    """Run `nst compress` on what was found."""
    from nst_training.compress.program import compress_network, state_of

    state = state_of(job.output)
    resume = resuming(state, wanted=job.resume, quiet=job.quiet)
    done = 0
    if resume:
        from nst_tf.running.checkpoint import steps_made

        done = steps_made(state)
    with (
        Log(job.output.with_suffix(".jsonl"), keep=done, key="step") as log,
        interruptible() as stop,
        progress(
            settings.steps, done, fields=("loss", "cosine"), quiet=job.quiet
        ) as show,
    ):

        def observe(now: "CompressStep") -> bool:
            log.write(now._asdict())
            show(now.step, loss=f"{now.loss:.3f}", cosine=f"{now.cosine:.3f}")
            return stop.is_set

        made = compress_network(
            job.weights,
            photos,
            paintings,
            job.output,
            settings=settings,
            checkpoint_every=job.checkpoint_every,
            observer=observe,
            resume=resume,
        )
    for why in [] if job.quiet else made.broken:
        print(f"{PROGRAM}: left out: {why}", file=sys.stderr)
    if not made.finished:
        print(
            f"stopped at step {made.done}: {made.path} holds the network so far; add"
            " --resume to go on",
            file=sys.stderr,
        )
        return INTERRUPTED
    if not job.quiet:
        size = made.path.stat().st_size / 1e6
        print(f"{made.path}: {made.done} steps, {size:.1f} MB")
    return 0
