"""A bulk run from its flags to its exit code."""

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nst_export.bulk import local, on_ray
from nst_export.bulk.manifest import Row, read_manifest
from nst_export.bulk.plan import Plan, plan_tasks
from nst_export.bulk.report import NAME, check_report, write_report
from nst_export.bulk.tasks import Result, Setup
from nst_export.painting import Manner
from nst_export.runtime.mix import chosen_mix, mix_weights
from nst_export.runtime.stylizer import Stylizer, bundled, model_file
from nst_tf import __version__
from nst_tf.commands import INTERRUPTED, PROGRAM, console
from nst_tf.commands.cluster import cluster, cluster_cpus
from nst_tf.commands.needs import check_extra
from nst_tf.imaging.formats import SUFFIXES
from nst_tf.places import check_places, held
from nst_tf.settings.checks import InputError
from nst_tf.shipped import is_shipped
from nst_tf.storage import Store

if TYPE_CHECKING:
    from nst_export.commands.stylize import Job

_SHOWN = 10
"""Broken photographs that are printed; the report has all."""
_MOST_AT_ONCE = 16
"""Photographs that a worker is handed at once, and may have to paint anew."""


def paint_in_bulk(job: "Job") -> int:
    """Run `nst stylize` over storages and processes; return the exit code.

    Raises:
        InputError: Flags that do not fit, a storage or a cluster that does not answer.
    """
    check_extra("ray", command="stylize in bulk")
    for flag in ("jobs", "overwrite"):
        if getattr(job, flag):
            raise InputError(
                f"--{flag} is not for a run in bulk"
                + (": say --workers" if flag == "jobs" else "")
            )
    if "-" in (*job.photos, job.output):
        raise InputError("a run in bulk takes files and folders, no pipe")
    folder, name = _output(job)
    report = job.report or (None if name else f"{folder.rstrip('/')}/{NAME}")
    if report:
        check_report(report)
        _check_manifest(report, job.manifest)
    output = Store(folder)
    with contextlib.ExitStack() as stack:
        looks = Looks(job)
        plan = _plan(job, output, name, looks)
        output.prepare()
        if output.local is not None:
            stack.enter_context(held(output.local, folder=True))
        if not plan.tasks:
            return _end(job, report, [], plan, 0)
        return _paint(job, report, plan, folder, tuple(looks.weights))


def _check_manifest(report: str, manifest: str | None) -> None:
    """Refuse a report in the manifest's place."""
    if manifest is None:
        return
    if "://" not in report and "://" not in manifest:
        check_places([Path(report)], inputs=[Path(manifest)], offered=False)
    elif report == manifest:
        raise InputError(f"the report {report} is the manifest: choose another")


class Looks:
    """The weights of styles that a run needs, each once.

    Args:
        job: Its flags say the style where a manifest's row does not.

    Raises:
        InputError: The model can't be loaded.
    """

    def __init__(self, job: "Job") -> None:
        with console.silence():
            path = model_file(job.model) if job.model else bundled()
            model = Stylizer.load(path, engine=job.engine, threads=1)
        self.job, self.styles = job, model.styles
        self.weights: list[tuple[float, ...]] = []
        self._known: dict[tuple[str | None, float | None], int] = {}

    def __call__(self, row: Row | None) -> int:
        """Return the number of the weights of a row, or of the flags alone.

        Raises:
            InputError: There is no such style, or none is given.
        """
        key = (row.style, row.strength) if row else (None, None)
        if key not in self._known:
            style, strength = key
            job = self.job
            mix = {style: 1.0} if style else chosen_mix(job.style, job.mix, self.styles)
            weights = mix_weights(
                self.styles,
                mix,
                strength=job.strength if strength is None else strength,
            )
            self._known[key] = len(self.weights)
            self.weights.append(tuple(weights))
        return self._known[key]


def _output(job: "Job") -> tuple[str, str]:
    """Return the folder of the pictures, and the name of the one picture if given."""
    folder, _, last = job.output.rpartition("/")
    ending = os.path.splitext(last)[1].lower()  # noqa: PTH122 (a URL is no path)
    single = len(job.photos) == 1 and job.manifest is None
    if ending in SUFFIXES and single and Store(job.photos[0]).kind() == "file":
        return folder or ("/" if job.output.startswith("/") else "."), last
    if ending in SUFFIXES:
        raise InputError(
            f"for several photographs the output must be a folder, got {job.output}"
        )
    return job.output, ""


def _plan(job: "Job", output: Store, name: str, looks: Looks) -> Plan:
    """Find what is left to do, and say what is passed over."""
    rows: list[Row] = []
    places = job.photos
    if job.manifest is not None:
        rows, others = read_manifest(job.manifest)
        places = places or (job.manifest.rpartition("/")[0] or ".",)
        if others and not job.quiet:
            print(
                f"{PROGRAM}: {job.manifest}: not used: {', '.join(others)}",
                file=sys.stderr,
            )
    plan = plan_tasks(places, output, name=name, rows=rows, look=looks, depth=job.depth)
    if plan.passed_over and not job.quiet:
        print(f"{PROGRAM}: {plan.passed_over}", file=sys.stderr)
    if plan.done and not job.quiet:
        every = plan.done + len(plan.tasks)
        print(f"{PROGRAM}: {plan.done} of {every} are painted already", file=sys.stderr)
    return plan


def _paint(
    job: "Job",
    report: str | None,
    plan: Plan,
    folder: str,
    looks: tuple[tuple[float, ...], ...],
) -> int:
    """Paint what is left; return the exit code."""
    cores = os.cpu_count() or 1
    workers = job.workers or min(cores, 4)
    model = job.model
    if model is not None and not is_shipped(model):
        model = model.resolve()
    threads = job.threads or (1 if job.ray is not None else max(1, cores // workers))
    said: list[Result] = []
    done = 0
    with contextlib.ExitStack() as stack:
        paint = local.paint
        if job.ray is not None:
            paint = on_ray.paint
            stack.enter_context(cluster(job.ray, cpus=workers * threads))
            workers = job.workers or max(1, cluster_cpus() // threads)
        workers = min(workers, len(plan.tasks))
        setup = Setup(
            model=model,
            engine=job.engine,
            threads=threads,
            output=_everywhere(folder),
            looks=looks,
            manner=Manner.of(job),
            version=__version__,
        )
        tasks = [task._replace(place=_everywhere(task.place)) for task in plan.tasks]
        batch = min(_MOST_AT_ONCE, -(-len(tasks) // (16 * workers)))
        stop = stack.enter_context(console.interruptible())
        show = stack.enter_context(
            console.progress(len(tasks), 0, fields=("photo",), quiet=job.quiet)
        )
        results = paint(setup, tasks, workers=workers, batch=batch, stop=stop)
        for result in stack.enter_context(contextlib.closing(results)):
            if result.fatal:
                raise InputError(result.fatal)
            if result.error or result.note:
                said.append(result)
            done += 1
            show(done, photo=result.path.rpartition("/")[2])
    code = _end(job, report, said, plan, done)
    return INTERRUPTED if stop.is_set else code


def _end(
    job: "Job", report: str | None, said: list[Result], plan: Plan, done: int
) -> int:
    """Write the report, say how it went, return the exit code."""
    broken = [result for result in said if result.error]
    if report:
        write_report(report, said)
    elif not job.quiet:
        for result in said:
            if result.note:
                print(f"{PROGRAM}: {result.note}", file=sys.stderr)
    for result in broken[:_SHOWN]:
        print(f"{PROGRAM}: left out: {result.error}", file=sys.stderr)
    if len(broken) > _SHOWN:
        more = len(broken) - _SHOWN
        print(f"{PROGRAM}: left out: {more} more, see {report}", file=sys.stderr)
    if not job.quiet:
        painted, all_ = done - len(broken), len(plan.tasks)
        where = f", the others are in {report}" if report and said else ""
        print(f"{job.output}: {painted} of {all_} photographs painted{where}")
    return 2 if broken else 0


def _everywhere(place: str) -> str:
    """Return a place that means the same in every process."""
    return place if "://" in place else os.path.abspath(place)  # noqa: PTH100
