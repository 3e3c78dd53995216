"""`nst evaluate`: a scorecard and a contact sheet of a trained network."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from nst_tf.commands import console
from nst_tf.commands.program import program
from nst_tf.settings.checks import InputError
from nst_tf.shipped import model_folder

if TYPE_CHECKING:
    from nst_training.scores import Score


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What `nst evaluate` reads, writes and shows."""

    model: tyro.conf.Positional[Path]
    """Folder that nst train wrote, or gallery or any, those that ship."""
    photos: Path | None = None
    """Folder of photographs that it was not trained on. Only with films that --video
    names is none needed."""
    recipe: Path | None = None
    """The recipe it was trained by; it names the paintings."""
    paintings: tuple[Path, ...] = ()
    """For a model for any painting, image files of paintings to score it on instead."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The scorecard, .json; the contact sheet is the same with .png (none of films)."""
    video: tuple[Path, ...] | None = None
    """Score films instead: how much they flicker, frame by frame, with statistics that
    run, and with --stabilize. Film files; without any, ten clips with exact motion made
    of the photographs."""
    frames: int = 24
    """With --video, frames of a clip."""
    against: Path | None = None
    """With --video, folder of another model of the same styles: figures are told over
    those of its frames painted alone, instead of this model's."""
    size: int = 512
    """Long side in pixels at which pictures, or frames, are judged."""
    limit: int = 150
    """Evaluations of L-BFGS after which a comparison ends (0: no comparison, which
    takes most of the time)."""
    strengths: tuple[float, ...] = ()
    """Rising, between 0 and 1: strengths at which pictures are measured too, to see
    that content error rises and style error falls from each to the next."""
    blends: tuple[float, ...] = ()
    """Rising, between 0 and 1: shares of each style against the next one at which
    blends are measured, to see that the style error falls from each to the next."""
    beside: Path | None = None
    """Folder of another program's pictures of these photographs, as large, to put on
    the sheet and into the scorecard: each with the names of style and photograph in its
    own, such as the_scream_kodim01.jpg."""
    overwrite: bool = False
    """Let the scorecard take the place of a file that is read."""
    resume: bool = False
    """Go on where a run with the same output was killed."""
    quiet: bool = False
    """Print nothing."""


def evaluate(job: Job) -> int:
    """Run `nst evaluate`; return the exit code."""
    from nst_tf.commands.needs import check_extra
    from nst_tf.imaging.write import check_output
    from nst_tf.places import check_places, held, inside
    from nst_training.settings import read_recipe

    _check(job)
    job = dataclasses.replace(
        job,
        model=model_folder(job.model),
        against=job.against and model_folder(job.against),
    )
    if job.video is not None:
        check_extra("video", command="evaluate --video")
    elif job.photos is not None and inside(job.output.parent, job.photos):
        raise InputError(
            f"the sheet {_sheet(job)} would lie among the photographs, and be one the"
            " next time: name another folder with -o"
        )
    check_output(_sheet(job))
    photos = console.image_files(job.photos, quiet=job.quiet) if job.photos else []
    paintings = [*job.paintings]
    if job.recipe is not None:
        paintings = [style.image for style in read_recipe(job.recipe).styles]
    models = [job.model, *([job.against] if job.against else [])]
    check_places(
        [job.output, _sheet(job), _state(job)],
        inputs=[
            *([job.recipe] if job.recipe else []),
            *(job.video or ()),
            *(
                model / name
                for model in models
                for name in ("model.keras", "model.json")
            ),
            *paintings,
            *photos,
        ],
        overwrite=job.overwrite,
    )
    with held(job.output):
        resume = console.resuming(_state(job), wanted=job.resume, quiet=job.quiet)
        job = dataclasses.replace(job, resume=resume)
        if job.video is None:
            return _evaluate(job, paintings, photos)
        from nst_training.commands.evaluate_films import score_films

        card = score_films(job, job.video, paintings, photos, _state(job))
        _finish(job, card)
        if not job.quiet:
            print(job.output)
        return 0


def _check(job: Job) -> None:
    """Refuse flags that don't fit."""
    if job.output.suffix != ".json":
        raise InputError(f"the scorecard {job.output} must end in .json")
    if job.size < 64 or job.limit < 0:
        raise InputError("size must be at least 64, limit at least 0")
    for name in ("strengths", "blends"):
        given = getattr(job, name)
        if [*given] != sorted({x for x in given if 0 < x < 1}):
            raise InputError(f"{name} must rise and lie between 0 and 1")
    if (job.recipe is None) == (not job.paintings):
        raise InputError(
            "give --recipe, or --paintings to a model for any painting; not both"
        )
    if job.frames < 2:
        raise InputError(f"frames must be at least 2, got {job.frames}")
    if job.video is None and job.against is not None:
        raise InputError("--against is for --video; --beside compares pictures")
    if job.video is not None and job.beside is not None:
        raise InputError("--beside is for pictures; --against compares films")
    if job.video is not None and (job.strengths or job.blends):
        raise InputError("--strengths and --blends are for pictures, not for --video")
    if job.photos is None and not job.video:
        raise InputError("give --photos, a folder of photographs")


def _sheet(job: Job) -> Path:
    return job.output.with_suffix(".png")


def _state(job: Job) -> Path:
    return job.output.with_suffix(".part.json")


def _evaluate(job: Job, paintings: list[Path], photos: list[Path]) -> int:
    """Run `nst evaluate` on what was read."""
    import numpy as np

    from nst_tf.imaging.write import save_image

    console.import_quietly()
    from nst_training.evaluate import evaluate as run

    def show(found: "Score") -> None:
        if job.quiet:
            return
        style = " ".join(f"{value:.3f}" for value in found.errors.style)
        count = found.evaluations
        compared = "" if count is None else f"; {count} evaluations of L-BFGS"
        print(
            f"{found.photo} {found.style}: content {found.errors.content:.2f},"
            f" style {style}{compared}",
            flush=True,
        )

    card, picture = run(
        job.model,
        photos,
        paintings,
        size=job.size,
        limit=job.limit,
        strengths=job.strengths,
        blends=job.blends,
        beside=job.beside,
        observer=show,
        state=_state(job),
        resume=job.resume,
    )
    save_image(_sheet(job), picture)
    _finish(job, card)
    if not job.quiet:
        for name, found in card["styles"].items():
            style = " ".join(f"{value:.3f}" for value in found["style"])
            print(f"{name}: content {found['content']:.2f}, style {style} (medians)")
            if job.strengths:
                print(f"{name}: {found['monotone']:.0%} of the steps of strength rise")
            if job.blends:
                share = found["blends_monotone"]
                print(f"{name}: {share:.0%} of the steps of blends come nearer to it")
        if "by_itself" in card:
            stays = np.median([*card["by_itself"].values()])
            print(f"photographs that are their own painting: SSIM {stays:.2f} (median)")
        print(f"{job.output}, {_sheet(job)}")
    return 0


def _finish(job: Job, card: Mapping[str, Any]) -> None:
    """Write the scorecard, whole or not at all; forget what led to it."""
    from nst_tf.files import replacing

    with replacing(job.output) as part:
        part.write_text(json.dumps(card, indent=2) + "\n", "utf-8")
    _state(job).unlink(missing_ok=True)


main = program(
    evaluate,
    Job,
    command="evaluate",
    description="Score a trained network on photographs it has not seen.",
)
