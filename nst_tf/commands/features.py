"""`nst features`: what a layer of the network sees, on a few sheets."""

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from nst_tf import __version__
from nst_tf.commands import INTERRUPTED, console
from nst_tf.commands.pipes import is_stdout, piped
from nst_tf.commands.program import program
from nst_tf.settings.checks import InputError
from nst_tf.settings.codec import to_dict
from nst_tf.settings.loss import ExtractorSettings, Part

if TYPE_CHECKING:
    import numpy as np

    from nst_tf.painting.events import Step

_COLUMNS, _SIDE, _PATCH = 4, 192, 128
"""Columns of the sheet of maps; long sides of its cells and of a patch in pixels."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What `nst features` reads, writes and shows."""

    image: tyro.conf.Positional[Path]
    """The picture to look at."""
    layer: str
    """Keras name of a convolution, block3_conv1 for instance."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder for the sheets, made if it is not there."""
    maps: int = 15
    """Feature maps on the sheet LAYER.maps.png, the strongest ones (0: no sheet)."""
    photos: Path | None = None
    """Folder of photographs: LAYER.unitN.png shows the nine patches that excite a
    unit most."""
    units: tuple[int, ...] = ()
    """The units to search patches for; without it the three strongest in the image."""
    reconstruct: tuple[Part, ...] = ()
    """Rebuild the picture from the content or the style of the layer alone, or from
    each: LAYER.content.png, LAYER.style.png."""
    size: int = 256
    """Long side in pixels at which image and photographs are looked at."""
    steps: int = 200
    """Evaluations of a reconstruction."""
    seed: int = 0
    """Seed of the noise that a reconstruction starts from."""
    overwrite: bool = False
    """Let a sheet take the place of the picture."""
    quiet: bool = False
    """Draw no progress and print nothing."""

    def __post_init__(self) -> None:
        problems = [
            f"{name} must be at least {least}, got {getattr(self, name)}"
            for name, least in (("maps", 0), ("size", 64), ("steps", 1), ("seed", 0))
            if getattr(self, name) < least
        ]
        if self.units and self.photos is None:
            problems.append("units need photos, the folder to search for patches")
        if not (self.maps or self.photos or self.reconstruct):
            problems.append("there is nothing to do: maps is 0; give photos or more")
        if problems:
            raise InputError("; ".join(problems))


def features(job: Job, settings: ExtractorSettings) -> int:
    """Run `nst features`; return the exit code."""
    from nst_tf.imaging.write import check_output
    from nst_tf.places import held

    if is_stdout(job.output):
        raise InputError("the sheets are several files: name a folder with -o")
    check_output(job.output / f"{job.layer}.png")
    with held(job.output, folder=True), piped(job, "image") as whole:
        return _features(whole, settings)


def _features(job: Job, settings: ExtractorSettings) -> int:
    """Run `nst features` in a folder that is its own."""
    from nst_tf.imaging.read import load_image
    from nst_tf.loss.choice import describe_choice, networks_of

    image = load_image(job.image).pixels
    photos = console.image_files(job.photos, quiet=job.quiet) if job.photos else []
    line = describe_choice(settings)
    settings = dataclasses.replace(settings, network=networks_of(settings)[-1])
    if settings.network == "lite" and not job.quiet:
        hint = "A unit of lite is VGG-19's but for what compression changed."
        print(*filter(None, [line, hint]), sep="\n", file=sys.stderr)
    console.import_quietly()
    from nst_tf.backend.precision import resolve_precision
    from nst_tf.inspection.features import (
        check_size,
        check_units,
        compute_features,
        strongest_units,
    )
    from nst_tf.loss.extractor import build_extractor

    extractor = build_extractor(
        [job.layer], settings=settings, dtype=resolve_precision("auto")
    )
    check_units(job.units, job.layer, network=settings.network)
    looked = _sized(image, job.size)
    check_size(looked, job.layer, settings, str(job.image))
    found = compute_features(extractor, job.layer, looked)
    if job.maps:
        _draw_maps(job, settings, image, found)
    if photos:
        units = list(dict.fromkeys(job.units)) or strongest_units(found, 3)
        _draw_patches(job, settings, extractor, units, photos)
    for part in dict.fromkeys(job.reconstruct):
        if not _rebuild(job, settings, image, part):
            return INTERRUPTED
    return 0


def _sized(image: "np.ndarray", size: int) -> "np.ndarray":
    from nst_tf.imaging.resize import resize_to

    return resize_to(image, size)


def _save(job: Job, name: str, pixels: "np.ndarray", facts: dict[str, Any]) -> None:
    from nst_tf.imaging.write import save_image
    from nst_tf.places import check_places

    path = job.output / f"{job.layer}.{name}.png"
    check_places([path], inputs=[job.image], overwrite=job.overwrite)
    save_image(path, pixels, settings={"program": f"nst-tf {__version__}", **facts})
    if not job.quiet:
        print(path)


def _draw_maps(
    job: Job, settings: ExtractorSettings, image: "np.ndarray", found: "np.ndarray"
) -> None:
    """Write the sheet of the strongest maps, each as bright as its own maximum."""
    from nst_tf.imaging.contact_sheet import Cell, draw_sheet
    from nst_tf.inspection.features import strongest_units

    height, width, channels = found.shape
    cells = [Cell(_sized(image, job.size), "the picture")]
    for unit in strongest_units(found, job.maps):
        plane = found[..., unit]
        mean, most = console.short(plane.mean()), console.short(plane.max())
        label = f"unit {unit}: mean {mean}, max {most}"
        cells.append(Cell(plane / max(plane.max(), 1e-6), label))
    title = f"{settings.network} {job.layer}: {channels} maps of {width}x{height}"
    sheet = draw_sheet(cells, columns=_COLUMNS, side=_SIDE, title=title)
    _save(job, "maps", sheet, {"image": console.fingerprint(job.image)})


def _draw_patches(
    job: Job,
    settings: ExtractorSettings,
    extractor: Any,
    units: list[int],
    photos: list[Path],
) -> None:
    """Write a sheet of nine patches for every unit."""
    from nst_tf.imaging.contact_sheet import Cell, draw_sheet
    from nst_tf.imaging.read import load_image
    from nst_tf.inspection.features import check_size, find_patches

    with console.progress(len(photos), 0, fields=("photo",), quiet=job.quiet) as show:
        done = 0

        def loaded() -> Iterator[tuple[str, "np.ndarray"]]:
            for path in photos:
                photo = _sized(load_image(path).pixels, job.size)
                check_size(photo, job.layer, settings, str(path))
                yield path.name, photo

        def observe(name: str) -> None:
            nonlocal done
            done += 1
            show(done, photo=name)

        patches = find_patches(extractor, job.layer, units, loaded(), observer=observe)
    for unit, best in patches.items():
        if not best:
            raise InputError(
                f"no photograph of {job.photos} excites unit {unit} of {job.layer}"
            )
        cells = [
            Cell(p.pixels, f"{console.short(p.activation)} {p.photo}") for p in best
        ]
        title = f"{settings.network} {job.layer}, unit {unit}"
        sheet = draw_sheet(cells, columns=3, side=_PATCH, title=title)
        places = [dict(zip(p._fields[:-1], p[:-1], strict=True)) for p in best]
        _save(job, f"unit{unit}", sheet, {"patches": places})


def _rebuild(
    job: Job, extractor: ExtractorSettings, image: "np.ndarray", part: Part
) -> bool:
    """Write a reconstruction; return False if the user broke it off."""
    from nst_tf.inspection.features import reconstruction
    from nst_tf.painting.run import optimize_image

    settings = reconstruction(
        part,
        job.layer,
        size=job.size,
        steps=job.steps,
        seed=job.seed,
        extractor=extractor,
    )
    with (
        console.interruptible() as stop,
        console.progress(
            job.steps, 0, fields=("part", "loss"), quiet=job.quiet
        ) as show,
    ):

        def observe(step: "Step") -> bool:
            show(step.evaluation, part=part, loss=console.short(step.loss.total))
            return stop.is_set

        result = optimize_image(image, image, settings, observer=observe)
    source = console.fingerprint(job.image)
    facts = {"settings": to_dict(settings), "content": source, "style": source}
    _save(job, part, result.pixels, facts)
    if result.reason == "not finite":
        raise InputError(
            f"the loss stopped being finite at evaluation {result.evaluations}; the"
            f" last finite picture is {job.output / f'{job.layer}.{part}.png'}"
        )
    return result.reason != "stopped"


main = program(
    features,
    Job,
    command="features",
    description="Show what a layer of the network sees in a picture.",
    settings=ExtractorSettings(),
)
