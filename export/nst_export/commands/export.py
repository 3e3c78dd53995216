"""`nst export`: a trained model to files for apps, each compared with it."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro

from nst_export.formats.table import check_formats
from nst_export.hub import check_repository, push
from nst_export.settings import ExportSettings
from nst_tf.commands import console
from nst_tf.commands.needs import check_extra
from nst_tf.commands.program import program
from nst_tf.settings.checks import InputError
from nst_tf.shipped import model_folder

SHIPPED_LICENSE = "apache-2.0"
"""Of the networks that ship: the project's own."""
_PHOTOS, _SIDE = 4, 384
"""Photographs that files are compared on, and their long side in pixels."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What `nst export` reads, writes and shows."""

    model: tyro.conf.Positional[Path]
    """Folder that nst train wrote, or gallery or any, those that ship; for --formats
    web alone a .tflite will do."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder for the files and the model card."""
    photos: Path | None = None
    """Folder of photographs that it was not trained on, to compare the files on; needed
    for a folder that nst train wrote."""
    recipe: Path | None = None
    """The recipe it was trained by, which names the paintings: then the card compares
    files and network by the loss that was trained, too."""
    push_to_hub: str | None = None
    """OWNER/NAME of a repository of the Hugging Face Hub to upload the folder to."""
    quiet: bool = False
    """Print nothing."""


def export(job: Job, settings: ExportSettings) -> int:
    """Run `nst export`; return the exit code."""
    if settings.formats != ("web",):  # Each of the others needs TensorFlow first.
        check_extra("tf", command="export")
    check_formats(settings.formats)
    from nst_tf.places import held, inside

    given = (job.model, job.photos, job.recipe)
    for path in (path for path in given if path is not None and path.exists()):
        if inside(path, job.output):
            raise InputError(
                f"{path} is in the output {job.output}, which is replaced as a whole:"
                " choose another"
            )
    if inside(Path.cwd(), job.output):
        raise InputError(
            f"the output {job.output} holds the folder that you are in, and is replaced"
            " as a whole: name a folder to be made"
        )
    with held(job.output):
        return _export(job, settings)


def _export(job: Job, settings: ExportSettings) -> int:
    """Run `nst export` into a folder that is its own."""
    if settings.formats == ("web",) and not job.model.is_dir():
        return _web(job, settings)
    if job.photos is None:
        raise InputError("give --photos, to compare the files on")
    check_extra("tf", command="export")
    folder = model_folder(job.model)
    if folder != job.model and settings.license is None:
        settings = dataclasses.replace(settings, license=SHIPPED_LICENSE)
    if job.push_to_hub is not None:
        check_repository(job.push_to_hub)
        if settings.license is None:
            raise InputError(
                "a model that others download needs a licence: give --license, such"
                " as apache-2.0 or cc-by-4.0"
            )
    console.import_quietly()
    from nst_export.single import style_index
    from nst_tf.imaging.read import load_image
    from nst_tf.imaging.resize import reduce
    from nst_tf.network.trained import read_card
    from nst_tf.settings.recipe_file import read_recipe

    card = read_card(folder)
    if settings.style is not None and "any" not in card:  # Its styles are in files.
        style_index([style["name"] for style in card["styles"]], settings.style)
    recipe = read_recipe(job.recipe) if job.recipe is not None else None
    if recipe is not None and recipe.paintings is not None:
        raise InputError(
            f"{job.recipe} is for any painting, whose loss files are not compared by:"
            " leave out --recipe"
        )
    files = console.image_files(job.photos, quiet=job.quiet)[:_PHOTOS]
    photos = [reduce(load_image(path).pixels, _SIDE) for path in files]
    import keras

    if keras.backend.backend() != "tensorflow":
        raise InputError(
            "export needs the TensorFlow backend: unset KERAS_BACKEND, or set it to"
            " tensorflow; a model trained on another backend loads there too"
        )
    from nst_export.export import export_model
    from nst_tf.inspection.recipe_loss import recipe_loss
    from nst_tf.network.trained import load_encoder, load_model

    def show(entry: Mapping[str, Any]) -> None:
        if not job.quiet:
            print(_line(entry), flush=True)

    model = load_model(folder)
    trained = model.card | _scorecard(folder)
    with console.silence():
        written = export_model(
            model.network,
            trained,
            job.output,
            photos,
            settings,
            encoder=load_encoder(folder) if "any" in card else None,
            loss=recipe_loss(recipe) if recipe is not None else None,
            observer=show,
        )
    if not job.quiet:
        print(f"{job.output}: {_verdict(written['files'])}")
    if job.push_to_hub is not None:
        address = push(job.output, job.push_to_hub)
        if not job.quiet:
            print(address)
    return 0


def _verdict(files: Sequence[Mapping[str, Any]]) -> str:
    """Return what the comparisons of all files come to."""
    checked = [entry.get("checked", True) for entry in files]
    if not any(checked):
        return "nothing here can compare the files with the Keras model"
    which = "all files" if all(checked) else "the files that were checked"
    return f"{which} equal the Keras model within their limits"


def _line(entry: Mapping[str, Any]) -> str:
    """Return what is printed of a file."""
    start = f"{entry['file']} ({entry['size']}): {entry['bytes'] / 1e6:.2f} MB"
    if not entry.get("checked", True):
        return f"{start}, not checked: nothing here runs it"
    if "psnr" not in entry:  # An encoder's vectors.
        return f"{start}, max difference {entry['max_difference']:.1e} of the length"
    *_, time = entry["milliseconds"].values()
    return (
        f"{start}, PSNR {entry['psnr']:.1f} dB, max difference"
        f" {entry['max_difference']:.1e}, {time:.0f} ms"
        f" at {entry['timed_at']}"
    )


def _web(job: Job, settings: ExportSettings) -> int:
    """Write the page around a file that is there already."""
    if settings.sizes:
        raise InputError("a page paints any size: leave out --sizes")
    made = {
        "--push-to-hub": job.push_to_hub,
        "--recipe": job.recipe,
        "--vectors": settings.vectors,
        "--license": settings.license,
    }
    for flag, value in made.items():
        if value not in (None, ()):
            raise InputError(
                f"{flag} is for files that are made of a trained model, not for a page"
                " around one that is there: add another format, such as litert, and"
                " --photos"
            )
    from nst_export.formats.web import export_web
    from nst_export.runtime.stylizer import model_file

    with console.silence():
        export_web(model_file(job.model), job.output)
    if not job.quiet:
        print(f"{job.output}: any static server will do, such as python -m http.server")
    return 0


def _scorecard(folder: Path) -> dict[str, Any]:
    """Return the summary of the scorecard that lies beside a model, if one does."""
    file = folder / "scorecard.json"
    if not file.is_file():
        return {}
    try:
        values = json.loads(file.read_text("utf-8"))
        return {
            "scorecard": {key: values[key] for key in ("size", "network", "styles")}
        }
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"can't read the scorecard {file}: {error}") from error


main = program(
    export,
    Job,
    command="export",
    description="Write a trained model as SavedModel, LiteRT and ONNX files.",
    settings=ExportSettings(),
)
