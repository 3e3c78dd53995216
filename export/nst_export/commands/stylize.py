"""`nst stylize`: an exported model on photographs."""

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from nst_export.painting import Manner, painted
from nst_export.runtime.drafts import DRAFT
from nst_export.runtime.engines.choose import Engine
from nst_export.runtime.guests import chosen_model, chosen_styles, files_meant
from nst_export.runtime.mix import mix_weights
from nst_export.runtime.stylizer import Stylizer
from nst_tf.commands import INTERRUPTED, PROGRAM, console
from nst_tf.commands.pipes import is_stdout, piped
from nst_tf.commands.program import program
from nst_tf.settings.checks import MIN_SIDE, InputError, at_least, reject

if TYPE_CHECKING:
    from nst_export.pairs import Pair


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What `nst stylize` reads, writes and shows."""

    photos: tuple[str, ...]
    """Photographs, or folders of them; - reads one from a pipe. URLs (s3://, gs://) are
    painted in bulk, see docs/scale.md."""
    output: str
    """The result, or - for a pipe; for several photographs a folder, made if it is not
    there."""
    style: str | None = None
    """The style; nst styles lists them. Or a file of a style, .style.json, that nst
    train --add-style wrote."""
    mix: str | None = None
    """Several styles with their shares instead: night=0.6,wave=0.4. Or paintings:
    mine.jpg=0.5,other.jpg=0.5."""
    painting: Path | None = None
    """Any painting, in whose manner to paint."""
    strength: float = 1.0
    """0 is the photograph, 1 the style as trained; up to 1.5 it takes more."""
    model: Path | None = None
    """A .tflite, an .onnx or a SavedModel folder, or a model that ships: gallery,
    which it is without this, or any, which it is for paintings."""
    size: int | None = None
    """Long side in pixels to which larger photographs are reduced first."""
    draft: int | None = DRAFT
    """Short side in pixels at which larger photographs are drafted, before finer
    brushwork up to their own size: forms are as large as in a picture of that size.
    None paints in one pass."""
    keep_colors: bool = False
    """Paint the brightness only; colours stay the photograph's."""
    engine: Engine = "auto"
    """What runs the model."""
    threads: int | None = None
    """Threads a picture; without it the cores are shared out (a SavedModel takes
    all)."""
    jobs: int | None = None
    """Photographs painted at a time; without it one a core, at most 4."""
    depth: Literal[8, 16] = 8
    """Bits a channel of the result: 16 for .png and .tif, for prints."""
    profile: Literal["srgb", "keep"] = "srgb"
    """Colours of the result: sRGB, or the photograph's profile."""
    max_megapixels: float | None = None
    """Largest photograph that is read; without it 100, with --size 400."""
    resume: bool = False
    """Pass over photographs whose picture is there and newer."""
    overwrite: bool = False
    """Let a picture take the place of its photograph."""
    manifest: str | None = None
    """In bulk: a .csv or .parquet with columns path, style, strength."""
    workers: int | None = None
    """In bulk: processes, or actors with --ray; without it one a core, at most 4, with
    --ray one a core of the cluster."""
    ray: str | None = None
    """In bulk: on a Ray cluster, HOST:PORT or auto; alone that of RAY_ADDRESS or one of
    this machine."""
    report: str | None = None
    """In bulk: a .jsonl or .parquet of what was left out; without it report.jsonl in
    the output."""
    quiet: bool = False
    """Print nothing."""

    @property
    def in_bulk(self) -> bool:
        """Whether a flag or a URL asks for more than files of this machine."""
        asked = (self.manifest, self.workers, self.ray, self.report)
        urls = ("://" in place for place in (*self.photos, self.output))
        return any(value is not None for value in asked) or any(urls)


def stylize(job: Job) -> int:
    """Run `nst stylize`; return the exit code: 2 if a photograph was left out."""
    if not job.photos and job.manifest is None:
        raise InputError("give at least one photograph")
    leasts = {
        "size": MIN_SIDE,
        "draft": MIN_SIDE,
        "threads": 1,
        "jobs": 1,
        "workers": 1,
    }
    for name, least in leasts.items():
        value = getattr(job, name)
        if value is not None and value < least:
            raise InputError(f"{name} must be at least {least}, got {value}")
    if job.max_megapixels is not None:
        reject(at_least("max_megapixels", job.max_megapixels, least=0.001))
    if job.in_bulk:
        if files := files_meant(job.style, job.mix, job.painting):
            raise InputError(
                f"{files[0]}: paintings and files of styles are for photographs of this"
                " machine, not in bulk"
            )
        from nst_export.bulk.run import paint_in_bulk

        return paint_in_bulk(job)
    if is_stdout(Path(job.output)) and (
        len(job.photos) > 1 or Path(job.photos[0]).is_dir()
    ):
        raise InputError("standard output takes one photograph")
    with piped(job, "photos") as whole:
        return _stylize(whole)


def _stylize(job: Job) -> int:
    """Run `nst stylize` on files."""
    from nst_export.pairs import plan_pairs
    from nst_tf.imaging.write import check_output
    from nst_tf.places import held, same_file

    path = chosen_model(job.model, job.style, job.mix, job.painting)
    files = files_meant(job.style, job.mix, job.painting)
    plan = plan_pairs(
        [Path(photo) for photo in job.photos],
        Path(job.output),
        depth=job.depth,
        others=[path, *files],
        overwrite=job.overwrite,
    )
    if job.resume and any(same_file(x.output, [x.photo]) for x in plan.pairs):
        raise InputError(
            "--resume can't tell what is painted where a picture takes the place of its"
            " photograph: choose another output"
        )
    if plan.passed_over and not job.quiet:
        print(f"{PROGRAM}: {plan.passed_over}", file=sys.stderr)
    check_output(plan.pairs[0].output, depth=job.depth)
    with held(plan.folder or plan.pairs[0].output, folder=plan.folder is not None):
        done = [pair for pair in plan.pairs if job.resume and pair.is_done]
        pairs = [pair for pair in plan.pairs if not (job.resume and pair.is_done)]
        if done and not job.quiet:
            print(
                f"{PROGRAM}: {len(done)} of {len(plan.pairs)} are painted already",
                file=sys.stderr,
            )
        return _paint_all(job, path, pairs) if pairs else 0


def _paint(job: Job, model: Stylizer, weights: list[float], pair: "Pair") -> str:
    """Paint one photograph; return what its file has no room for."""
    from nst_tf.imaging.write import write_file

    data, lost = painted(model, pair.photo, weights, Manner.of(job), output=pair.output)
    pair.output.parent.mkdir(parents=True, exist_ok=True)
    write_file(pair.output, data)
    return f"{pair.output} has no room for {', '.join(lost)}" if lost else ""


def _paint_all(job: Job, path: Path, pairs: "list[Pair]") -> int:
    """Paint photographs, several side by side; return the exit code."""
    cores = os.cpu_count() or 1
    jobs = min(job.jobs or min(cores, 4), len(pairs))
    threads = job.threads or max(1, cores // jobs)

    def load() -> Stylizer:
        with console.silence():
            return Stylizer.load(path, engine=job.engine, threads=threads)

    model = load()
    with console.silence():
        mix, guests = chosen_styles(path, model, job.style, job.mix, job.painting)
    model = model.with_styles(guests)
    weights = mix_weights(model.styles, mix, strength=job.strength)
    if len(pairs) == 1 and pairs[0].output == Path(job.output):
        with console.silence():
            note = _paint(job, model, weights, pairs[0])
        if note and not job.quiet:
            print(f"{PROGRAM}: {note}", file=sys.stderr)
        if not job.quiet:
            print(pairs[0].output)
        return 0
    import concurrent.futures  # With logging, longer than reading a photograph.

    # An interpreter is no two threads' at once.
    models = [model, *(load().with_styles(guests) for _ in range(jobs - 1))]
    with console.silence():  # What LiteRT says of its first pass would break the bar.
        model(np.zeros((MIN_SIDE, MIN_SIDE, 3), "float32"), weights)

    def paint(pair: "Pair") -> str | InputError:
        model = models.pop()
        try:
            return _paint(job, model, weights, pair)
        except OSError as error:
            return InputError(f"can't write {pair.output}: {error}")
        except InputError as error:
            return error
        finally:
            models.append(model)

    with (
        console.interruptible() as stop,
        console.progress(len(pairs), 0, fields=("photo",), quiet=job.quiet) as show,
        concurrent.futures.ThreadPoolExecutor(jobs) as pool,
    ):
        futures = {pool.submit(paint, pair): pair for pair in pairs}
        completed = concurrent.futures.as_completed(futures)
        for done, future in enumerate(completed, 1):
            if stop.is_set:
                pool.shutdown(cancel_futures=True)  # Those in hand are painted.
                break
            future.result()
            show(done, photo=futures[future].photo.name)
    results = [future.result() for future in futures if not future.cancelled()]
    broken = [result for result in results if isinstance(result, InputError)]
    notes = [result for result in results if result and isinstance(result, str)]
    for note in [] if job.quiet else notes:
        print(f"{PROGRAM}: {note}", file=sys.stderr)
    for error in broken:
        print(f"{PROGRAM}: left out: {error}", file=sys.stderr)
    if not job.quiet:
        done = len(results) - len(broken)
        print(f"{job.output}: {done} of {len(pairs)} photographs painted")
    if stop.is_set:
        return INTERRUPTED
    return 2 if broken else 0


main = program(
    stylize,
    Job,
    plainly=True,
    flags="nst_export.commands.stylize_flags:Flags",
    command="stylize",
    description="Paint photographs with an exported model, in one pass each.",
)
