"""A run of `nst optimize`: reads pictures, shows progress, saves what it makes."""

import contextlib
import dataclasses
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nst_tf import __version__
from nst_tf.commands import INTERRUPTED, console
from nst_tf.commands.console import resuming
from nst_tf.commands.regions import read_regions
from nst_tf.commands.within import within_memory
from nst_tf.places import check_places, held, same_file
from nst_tf.running.log import Log
from nst_tf.settings.checks import InputError
from nst_tf.settings.codec import to_dict
from nst_tf.settings.loss import TERMS
from nst_tf.settings.optimize import OptimizeSettings
from nst_tf.settings.weight_changes import records, weights_after

if TYPE_CHECKING:
    import numpy as np

    from nst_tf.commands.optimize import Job
    from nst_tf.imaging.guides import Regions
    from nst_tf.imaging.read import Photograph
    from nst_tf.inspection.live import LiveView
    from nst_tf.painting.events import Result, Step
    from nst_tf.painting.schedule import Pass


_STYLE = TERMS.index("style")


def _read_inputs(
    job: "Job", settings: OptimizeSettings
) -> tuple["Photograph", "list[np.ndarray]", "Regions"]:
    """Read photograph, paintings, and masks or maps."""
    from nst_tf.imaging.read import load_image, load_photograph
    from nst_tf.imaging.resize import size_of

    limit = None if job.max_megapixels is None else int(1e6 * job.max_megapixels)
    photo = load_photograph(job.content, max_pixels=limit)
    content = photo.picture
    paintings = [load_image(path, max_pixels=limit).pixels for path in job.paintings]
    sizes = [size_of(x) for x in (content.pixels, *paintings)]
    regions = read_regions(job, sizes, settings.style_shares, content.pixels)
    return photo, paintings, regions


def optimize(job: "Job", settings: OptimizeSettings) -> int:
    """Run `nst optimize` on files; return the exit code."""
    from nst_tf.imaging.write import check_output

    if job.live and not (settings.weight_changes or settings.searches):
        first = (0.0, *settings.loss.term_weights.values())
        settings = dataclasses.replace(settings, weight_changes=first)
    settings = console.choose(settings, quiet=job.quiet)
    check_output(job.output, depth=job.depth)
    check_places(job.outputs, inputs=_inputs(job, settings), overwrite=job.overwrite)
    if job.preview_every:
        check_output(job.output.with_suffix(".preview.png"))
    with held(job.checkpoint_path):
        return _optimize(job, settings)


def _inputs(job: "Job", settings: OptimizeSettings) -> list[Path]:
    """Return every file that a run reads."""
    network = settings.extractor
    named = (job.map, job.like, network.vgg_weights, network.lite_weights)
    return [
        *(job.content, *job.paintings, *job.masks, *job.style_masks, *job.style_maps),
        *(Path(path) for path in (*named, settings.init) if path),
    ]


def _optimize(job: "Job", settings: OptimizeSettings) -> int:
    photo, styles, regions = _read_inputs(job, settings)
    content = photo.picture
    checkpoint = job.checkpoint_path
    resume = resuming(checkpoint, wanted=job.resume, quiet=job.quiet)
    from nst_tf.imaging.resize import size_of
    from nst_tf.imaging.write import check_sides
    from nst_tf.painting.schedule import COARSEST, plan_passes, worth_a_pass

    size, *sizes = [size_of(x) for x in (content.pixels, *styles)]
    passes = plan_passes(size, sizes, settings)
    check_sides(job.output, *passes[-1].picture)
    scales = worth_a_pass(size, settings)
    if OptimizeSettings.scales < settings.scales > scales and not job.quiet:
        print(
            f"{scales} of {settings.scales} scales: at more the short side would have"
            f" fewer than {COARSEST} pixels",
            file=sys.stderr,
        )
    state = checkpoint if resume else None
    settings = within_memory(settings, passes, regions, state=state, quiet=job.quiet)
    if settings.memory is not None:
        # TensorFlow's own allocator keeps what is freed, in pieces: twice as much and
        # more. Without it a step takes 3 % longer. It is read when TensorFlow starts.
        os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")
    console.import_quietly()
    from nst_tf.painting.run import optimize_image

    if settings.memory is not None:
        _announce(passes, settings, regions, quiet=job.quiet)
    done = 0
    if resume:
        from nst_tf.running.checkpoint import steps_made

        done = steps_made(checkpoint)
    total = sum(one.steps for one in passes)
    with (
        Log(job.log_path, keep=done, key="evaluation") as log,
        console.interruptible() as stop,
        console.progress(
            total, done, fields=("size", "loss", "speed"), quiet=job.quiet
        ) as show,
        _viewed(job, settings, total, log) as view,
    ):
        last = 0.0

        def observe(step: "Step") -> bool:
            nonlocal last
            found = {"style_weight": step.weights[_STYLE]} if settings.searches else {}
            log.step(step.loss, step.seconds, **_place(step), **found)
            show(step.evaluation, **_texts(step, step.seconds - last))
            last = step.seconds
            if job.preview_every and step.evaluation % job.preview_every == 0:
                _save(job, job.output.with_suffix(".preview.png"), step.image(), photo)
            if view is not None:
                view.observe(step, stopped=lambda: stop.is_set)
            return stop.is_set

        result = optimize_image(
            content.pixels,
            styles,
            settings,
            regions=regions,
            observer=observe,
            checkpoint=checkpoint if job.checkpoint_every else None,
            checkpoint_every=job.checkpoint_every,
            resume=resume,
        )
        if view is not None:
            view.finish(result.reason, result.pixels)
        finished = result.reason not in ("stopped", "not finite")
        # The weight that a search is at when it is broken off is none to repeat.
        known = result.settings if finished or not settings.searches else settings
        return _finish(job, known, photo, (styles, regions), result, log)


@contextlib.contextmanager
def _viewed(
    job: "Job", settings: OptimizeSettings, total: int, log: Log
) -> Iterator["LiveView | None"]:
    """Serve the live view, if it is wanted, and say where."""
    if not job.live:
        yield None
        return
    from nst_tf.inspection.live import LiveView

    name = job.output.name
    first = weights_after(settings.weight_changes, 0, settings.loss.term_weights)
    weights = tuple(first.values())
    with LiveView(
        total=total, weights=weights, name=name, port=job.live_port, note=log.write
    ) as view:
        print(f"live view: {view.address}", file=sys.stderr, flush=True)
        yield view


def _announce(
    passes: "Sequence[Pass]",
    settings: OptimizeSettings,
    regions: "Regions",
    *,
    quiet: bool,
) -> None:
    """Say what the largest pass will take, or refuse it."""
    from nst_tf.painting.measure import memory_plan, step_seconds
    from nst_tf.painting.memory import describe

    plan = memory_plan(passes, settings, regions)
    if not quiet:
        text = describe(plan, settings, step_seconds(settings))
        print(text, file=sys.stderr, flush=True)


def _finish(
    job: "Job",
    settings: OptimizeSettings,
    photo: "Photograph",
    style: "tuple[list[np.ndarray], Regions]",
    result: "Result",
    log: Log,
) -> int:
    """Save the picture, measure the file, and say what became of the run."""
    from nst_tf.imaging.read import load_image
    from nst_tf.painting.measure import measure_losses

    facts = {
        "program": f"nst-tf {__version__}",
        "settings": to_dict(settings),
        "content": console.fingerprint(job.content),
        "style": console.fingerprint(job.style),
        "evaluations": result.evaluations,
    }
    for name in ("styles", "masks", "style_masks", "style_maps"):
        if getattr(job, name):
            facts[name] = [console.fingerprint(path) for path in getattr(job, name)]
    if job.map:
        facts["map"] = console.fingerprint(job.map)
    stopped = result.reason == "stopped"
    if stopped and same_file(job.output, _inputs(job, settings)):
        print("stopped; add --resume to go on", file=sys.stderr)
        return INTERRUPTED
    _save(job, job.output, result.pixels, photo, facts)
    if result.reason == "not finite":
        raise InputError(
            f"the loss stopped being finite at evaluation {result.evaluations}; the"
            f" last finite picture is in {job.output}. Lower the weights or the"
            " learning rate"
        )
    if stopped:
        hint = "; add --resume to go on" if job.checkpoint_every else ""
        print(f"stopped: {job.output} holds the picture so far{hint}", file=sys.stderr)
        return INTERRUPTED
    styles, regions = style

    exact, saved = measure_losses(
        [result.pixels, load_image(job.output).pixels],
        photo.picture.pixels,
        styles,
        settings,
        regions=regions,
    )
    log.write(
        {
            "event": "saved",
            "evaluations": result.evaluations,
            "reason": result.reason,
            # In float32; the optimiser's own, in half precision, is 2 to 3 % lower.
            "loss": exact.total,
            "loss_saved": saved.total,
            "seconds": round(result.seconds, 3),
        }
    )
    job.checkpoint_path.unlink(missing_ok=True)
    if job.preview_every:
        job.output.with_suffix(".preview.png").unlink(missing_ok=True)
    if not job.quiet:
        height, width = result.pixels.shape[:2]
        text = (
            f"{job.output}: {width}x{height}, {result.evaluations} evaluations in "
            f"{result.seconds:.0f} s ({result.reason}); loss in float32"
            f" {console.precise(exact.total)}, of the saved file"
            f" {console.precise(saved.total)}"
        )
        if settings.loss.content_error is not None:
            *_, (_, weights) = records(settings.weight_changes)
            text += f"; style weight {weights['style']:.3g}"
        print(text)
    return 0


def _place(step: "Step") -> dict[str, Any]:
    """Return where in the run a step is, as the log says it."""
    return {
        "stage": step.stage,
        "depth": step.depth,
        **step.size._asdict(),
        "step": step.step,
        "evaluation": step.evaluation,
    }


def _save(
    job: "Job",
    path: Path,
    pixels: Any,
    photo: "Photograph",
    facts: dict[str, Any] | None = None,
) -> None:
    """Write the picture, or a preview, which needs neither depth nor profile."""
    from nst_tf.imaging.resize import resize, size_of
    from nst_tf.imaging.write import save_image

    alpha = photo.picture.alpha
    if alpha is not None:
        alpha = resize(alpha, *size_of(pixels))
    final = path == job.output
    lost = save_image(
        path,
        pixels,
        alpha=alpha,
        settings=facts,
        depth=job.depth if final else 8,
        profile=photo.profile if final and job.profile == "keep" else None,
    )
    if lost and not job.quiet:
        print(f"{path} has no room for {', '.join(lost)}", file=sys.stderr)


def _texts(step: "Step", took: float) -> dict[str, str]:
    """Return what the progress bar says of a step."""
    return {
        "size": f"{step.size.width}x{step.size.height}",
        "loss": step.loss.text(console.short),
        "speed": f"{took:.2f} s" if step.step > 1 else "",
    }
