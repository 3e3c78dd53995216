"""`nst evaluate`: a scorecard and a contact sheet of a trained network."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from nst_tf.commands import PROGRAM, console
from nst_tf.commands.flags import program
from nst_tf.settings.checks import InputError

if TYPE_CHECKING:
    from nst_training.scores import Score
    from nst_training.settings import TrainSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What `nst evaluate` reads, writes and shows."""

    model: tyro.conf.Positional[Path]
    """Folder that nst train wrote."""
    photos: Path
    """Folder of photographs that it was not trained on."""
    recipe: Path
    """The recipe it was trained by; it names the paintings."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The scorecard, .json; the contact sheet is the same with .png."""
    size: int = 512
    """Long side in pixels at which pictures are judged."""
    limit: int = 150
    """Evaluations of L-BFGS after which a comparison ends (0: no comparison, which
    takes most of the time)."""
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
    from nst_tf.imaging.folder import Folder
    from nst_tf.imaging.write import check_output
    from nst_tf.places import check_places, held
    from nst_training.settings import read_recipe

    if job.output.suffix != ".json":
        raise InputError(f"the scorecard {job.output} must end in .json")
    if job.size < 64 or job.limit < 0:
        raise InputError("size must be at least 64, limit at least 0")
    sheet = job.output.with_suffix(".png")
    state = job.output.with_suffix(".part.json")
    check_output(sheet)
    folder = Folder(job.photos)
    photos = folder.files
    if folder.passed_over and not job.quiet:
        print(f"{PROGRAM}: {job.photos}: {folder.passed_over}", file=sys.stderr)
    recipe = read_recipe(job.recipe)
    check_places(
        [job.output, sheet, state],
        inputs=[
            *(job.recipe, job.model / "model.keras", job.model / "model.json"),
            *(style.image for style in recipe.styles),
            *photos,
        ],
        overwrite=job.overwrite,
    )
    with held(job.output):
        return _evaluate(job, recipe, photos)


def _evaluate(job: Job, recipe: "TrainSettings", photos: list[Path]) -> int:
    """Run `nst evaluate` on what was read."""
    from nst_tf.files import replacing
    from nst_tf.imaging.write import save_image

    sheet = job.output.with_suffix(".png")
    state = job.output.with_suffix(".part.json")
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
        [style.image for style in recipe.styles],
        size=job.size,
        limit=job.limit,
        beside=job.beside,
        observer=show,
        state=state,
        resume=job.resume,
    )
    with replacing(job.output) as part:
        part.write_text(json.dumps(card, indent=2) + "\n", "utf-8")
    save_image(sheet, picture)
    state.unlink(missing_ok=True)
    if not job.quiet:
        for name, found in card["styles"].items():
            style = " ".join(f"{value:.3f}" for value in found["style"])
            print(f"{name}: content {found['content']:.2f}, style {style} (medians)")
        print(f"{job.output}, {sheet}")
    return 0


main = program(
    evaluate,
    Job,
    command="evaluate",
    description="Score a trained network on photographs it has not seen.",
)
