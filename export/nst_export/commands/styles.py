"""`nst styles`: what an exported model can paint like."""

import dataclasses
from pathlib import Path

from nst_export.runtime.mix import mix_weights
from nst_export.runtime.stylizer import Stylizer, bundled, model_file
from nst_tf.commands import console
from nst_tf.commands.program import program
from nst_tf.places import check_places, held
from nst_tf.settings.checks import InputError

_SIDE = 540
"""Long side in pixels of a photograph on the sheet."""
_COLUMNS = (4, 5, 3)
"""Cells of a row: what leaves the fewest places of the last one empty."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What `nst styles` shows."""

    model: Path | None = None
    """A .tflite, an .onnx or a SavedModel folder, or a model that ships: gallery,
    which it is without this, or any."""
    names: bool = False
    """Print bare names, one a line."""
    sheet: Path | None = None
    """Write a contact sheet too: each style on a drawn scene, with its name below."""
    photo: Path | None = None
    """A photograph of your own for the sheet, instead of the drawn scene."""


def styles(job: Job) -> int:
    """Run `nst styles`; return the exit code."""
    if job.photo is not None and job.sheet is None:
        raise InputError("--photo is for --sheet: say where the sheet is to go")
    path = model_file(job.model) if job.model else bundled()
    with console.silence():
        model = Stylizer.load(path)
    if job.sheet is not None:
        inputs = [path] if job.photo is None else [path, job.photo]
        check_places([job.sheet], inputs=inputs, offered=False)
        with held(job.sheet):
            _sheet(job.sheet, model, job.photo)
    for name, style in zip(model.styles, model.card["styles"], strict=True):
        credit = "" if job.names else style.get("credit", "")
        print(f"{name:24} {credit}".rstrip())
    return 0


def _sheet(path: Path, model: Stylizer, photo: Path | None) -> None:
    """Write a photograph and what each style makes of it, with their names."""
    from nst_tf.imaging.contact_sheet import Cell, draw_sheet
    from nst_tf.imaging.read import load_image
    from nst_tf.imaging.scene import landscape
    from nst_tf.imaging.write import check_output, save_image

    check_output(path)
    scene = landscape() if photo is None else load_image(photo, size=_SIDE).pixels
    cells = [Cell(scene, "")]
    with console.silence():
        for name in model.styles:
            cells.append(Cell(model(scene, mix_weights(model.styles, {name: 1})), name))
    columns = min(_COLUMNS, key=lambda count: -len(cells) % count)
    save_image(path, draw_sheet(cells, columns=columns, side=max(scene.shape)))


main = program(
    styles,
    Job,
    plainly=True,
    command="styles",
    description="List the styles of an exported model.",
)
