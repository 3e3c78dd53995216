"""`nst stylize`: an exported model on photographs."""

import concurrent.futures
import dataclasses
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from nst_export.runtime.engines.choose import Engine
from nst_export.runtime.mix import mix_weights, parse_mix
from nst_export.runtime.stylizer import Stylizer, bundled
from nst_tf.commands import INTERRUPTED, PROGRAM, console
from nst_tf.commands.flags import program
from nst_tf.imaging.color import keep_colors
from nst_tf.settings.checks import MIN_SIDE, InputError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What `nst stylize` reads, writes and shows."""

    photos: tyro.conf.Positional[tuple[Path, ...]]
    """Photographs, or folders of them."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The result; for several photographs a folder, made if it is not there."""
    style: str | None = None
    """The style; nst styles lists them."""
    mix: str | None = None
    """Several styles with their shares instead: night=0.6,wave=0.4."""
    strength: float = 1.0
    """0 is the photograph, 1 the whole style."""
    model: Path | None = None
    """A .tflite, an .onnx or a SavedModel folder; without it the bundled gallery."""
    size: int | None = None
    """Long side in pixels to which larger photographs are reduced first."""
    keep_colors: bool = False
    """Paint the brightness only; colours stay the photograph's."""
    engine: Engine = "auto"
    """What runs the model."""
    threads: int | None = None
    """Threads a picture; without it the cores are shared out."""
    jobs: int | None = None
    """Photographs painted at a time; without it one a core, at most 4."""
    quiet: bool = False
    """Print nothing."""


def stylize(job: Job) -> int:
    """Run `nst stylize`; return the exit code: 2 if a photograph was left out."""
    from nst_tf.imaging.write import check_output

    if not job.photos:
        raise InputError("give at least one photograph")
    for name, least in (("size", 16), ("threads", 1), ("jobs", 1)):
        value = getattr(job, name)
        if value is not None and value < least:
            raise InputError(f"{name} must be at least {least}, got {value}")
    pairs = list(_pairs(job))
    check_output(pairs[0][1])
    cores = os.cpu_count() or 1
    jobs = min(job.jobs or min(cores, 4), len(pairs))
    path, threads = job.model or bundled(), job.threads or max(1, cores // jobs)

    def load() -> Stylizer:
        with console.silence():
            return Stylizer.load(path, engine=job.engine, threads=threads)

    model = load()
    mix = chosen_mix(job.style, job.mix, model.styles)
    weights = mix_weights(model.styles, mix, strength=job.strength)
    if len(pairs) == 1:
        with console.silence():
            _paint(job, model, weights, *pairs[0])
        if not job.quiet:
            print(pairs[0][1])
        return 0
    # An interpreter is no two threads' at once.
    models = [model, *(load() for _ in range(jobs - 1))]
    with console.silence():  # What LiteRT says of its first pass would break the bar.
        model(np.zeros((MIN_SIDE, MIN_SIDE, 3), "float32"), weights)
    return _paint_all(job, models, weights, pairs)


def _paint(
    job: Job, model: Stylizer, weights: list[float], photo: Path, output: Path
) -> None:
    """Paint one photograph."""
    from nst_tf.imaging.metadata import read_exif
    from nst_tf.imaging.picture import reduced
    from nst_tf.imaging.read import load_image
    from nst_tf.imaging.write import save_image

    loaded = load_image(photo)
    pixels, alpha = loaded if job.size is None else reduced(loaded, job.size)
    picture = model(pixels, weights)
    if job.keep_colors:
        picture = keep_colors(picture, pixels)
    save_image(output, picture, alpha=alpha, exif=read_exif(photo))


def _paint_all(
    job: Job,
    models: list[Stylizer],
    weights: list[float],
    pairs: list[tuple[Path, Path]],
) -> int:
    """Paint photographs side by side; return the exit code."""
    broken: list[InputError] = []

    def paint(pair: tuple[Path, Path]) -> InputError | None:
        model = models.pop()
        try:
            _paint(job, model, weights, *pair)
        except InputError as error:
            return error
        finally:
            models.append(model)
        return None

    done = 0
    with (
        console.interruptible() as stop,
        console.progress(len(pairs), 0, fields=("photo",), quiet=job.quiet) as show,
        concurrent.futures.ThreadPoolExecutor(len(models)) as pool,
    ):
        futures = {pool.submit(paint, pair): pair for pair in pairs}
        for future in concurrent.futures.as_completed(futures):
            if stop.is_set:
                pool.shutdown(cancel_futures=True)
                break
            if (error := future.result()) is not None:
                broken.append(error)
            done += 1
            show(done, photo=futures[future][0].name)
    for error in broken:
        print(f"{PROGRAM}: left out: {error}", file=sys.stderr)
    if not job.quiet:
        print(f"{job.output}: {done - len(broken)} of {len(pairs)} photographs painted")
    if stop.is_set:
        return INTERRUPTED
    return 2 if broken else 0


def _pairs(job: Job) -> Iterator[tuple[Path, Path]]:
    """Yield every photograph and where its picture goes."""
    from nst_tf.imaging.folder import image_files
    from nst_tf.imaging.formats import SUFFIXES

    single = len(job.photos) == 1 and not job.photos[0].is_dir()
    if single and job.output.suffix.lower() in SUFFIXES:
        yield job.photos[0], job.output
        return
    if job.output.suffix.lower() in SUFFIXES:
        raise InputError(
            f"for several photographs the output must be a folder, got {job.output}"
        )
    taken: set[Path] = set()
    found = False
    for given in job.photos:
        for file in image_files(given) if given.is_dir() else [given]:
            found = True
            inside = file.relative_to(given) if given.is_dir() else Path(file.name)
            lossy = file.suffix.lower() in (".jpg", ".jpeg")
            output = job.output / inside.with_suffix(".jpg" if lossy else ".png")
            if output in taken:
                output = output.with_name(f"{file.name}{output.suffix}")
            taken.add(output)
            try:
                output.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError(f"can't make {output.parent}: {error}") from error
            yield file, output
    if not found:
        raise InputError("there is no photograph in the folders given")


def chosen_mix(
    style: str | None, mix: str | None, styles: Sequence[str]
) -> dict[str, float]:
    """Return the share of each style that `--style` or `--mix` asks for.

    Raises:
        InputError: Neither or both are given, and there are several styles.
    """
    if style is not None and mix is None:
        return {style: 1.0}
    if mix is not None and style is None:
        return parse_mix(mix)
    if len(styles) == 1 and style is None:
        return {styles[0]: 1.0}
    raise InputError(f"give --style or --mix; the styles are {', '.join(styles)}")


main = program(
    stylize,
    Job,
    command="stylize",
    description="Paint photographs with an exported model, in one pass each.",
)
