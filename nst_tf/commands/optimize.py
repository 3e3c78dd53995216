"""`nst optimize`: flags from the settings, console.progress, files."""

import contextlib
import dataclasses
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from nst_tf import __version__
from nst_tf.commands import INTERRUPTED, console
from nst_tf.commands.console import resuming
from nst_tf.commands.flags import read_flags
from nst_tf.commands.renamed import renamed
from nst_tf.running.log import Log
from nst_tf.settings.checks import InputError
from nst_tf.settings.codec import from_dict, to_dict
from nst_tf.settings.loss import TERMS
from nst_tf.settings.optimize import OptimizeSettings
from nst_tf.settings.recipes import RECIPES

if TYPE_CHECKING:
    import numpy as np

    from nst_tf.imaging.guides import Regions
    from nst_tf.imaging.picture import Picture
    from nst_tf.inspection.live import LiveView
    from nst_tf.painting.events import Result, Step
    from nst_tf.painting.schedule import Pass


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What `nst optimize` reads, writes and shows."""

    content: tyro.conf.Positional[Path]
    """The photograph."""
    style: tyro.conf.Positional[Path]
    """The painting."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The result; .png, .jpg, .webp, .tif or .bmp chooses the format."""
    styles: tuple[Path, ...] = ()
    """More paintings; --style-shares says how much of each, --masks where."""
    masks: tuple[Path, ...] = ()
    """Where each painting goes: white on the photograph's shape, grey for soft edges,
    one file a painting. What no mask covers stays the photograph."""
    style_masks: tuple[Path, ...] = ()
    """With --masks: which part of each painting is the style, one file a painting."""
    map: Path | None = None
    """The photograph's regions as flat colours, each painted like the part of the
    same colour on --style-maps."""
    style_maps: tuple[Path, ...] = ()
    """The paintings' regions as flat colours, one file a painting. Without --map
    CONTENT is a doodle: a map, and nothing but one."""
    recipe: str = "default"
    """Settings to start from (default, gatys, gatys-2015, ng-course, johnson); every
    other flag changes one of them."""
    like: Path | None = None
    """A picture made by this program: start from its settings instead."""
    log: Path | None = None
    """JSON lines, one a step; without it OUTPUT with the ending .jsonl."""
    preview_every: int = 0
    """Steps between previews in OUTPUT with the ending .preview.png (0: none)."""
    checkpoint_every: int = 25
    """Steps between two saved states (0: none; then there is no --resume)."""
    resume: bool = False
    """Go on with the interrupted run of the same command."""
    live: bool = False
    """Serve a page on this machine that shows the picture as it evolves and the loss,
    pauses the run and changes the weights."""
    live_port: int = 0
    """Port of the page (0: any that is free)."""
    quiet: bool = False
    """Draw no progress and print no summary."""

    def __post_init__(self) -> None:
        for name in ("preview_every", "checkpoint_every"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must be at least 0")
        if not 0 <= self.live_port <= 65535:
            raise InputError(f"live_port must be in 0..65535, got {self.live_port}")
        if self.style_masks and not self.masks:
            raise InputError("--style-masks needs --masks")
        if self.map and not self.style_maps:
            raise InputError("--map needs --style-maps")
        if self.masks and self.style_maps:
            raise InputError("give --masks or --style-maps, not both")

    @property
    def paintings(self) -> tuple[Path, ...]:
        """All paintings."""
        return (self.style, *self.styles)

    @property
    def doodle(self) -> bool:
        """Whether the content is a map and nothing but one."""
        return bool(self.style_maps) and self.map is None

    @property
    def log_path(self) -> Path:
        """Where the log goes."""
        return self.log or self.output.with_suffix(".jsonl")

    @property
    def checkpoint_path(self) -> Path:
        """Where the state goes; removed when the run ends well."""
        return self.output.with_suffix(".checkpoint.npz")


GROUPS = {
    "common": (
        *("content", "style", "output", "size", "strength", "style_weight", "color"),
        *("steps", "memory", "recipe", "live", "resume"),
    ),
    "schedule": (
        *("schedule", "scales", "scale_factor", "coarse_steps", "tolerance", "init"),
        *("seed", "weight_changes"),
    ),
    "optimizer": (
        *("optimizer", "learning_rate", "history", "backtracking", "ema"),
        *("constrained", "precision"),
    ),
    "color": ("linear_light",),
    "loss": (
        *("convention", *(f"{name}_weight" for name in TERMS if name != "style")),
        *("style_loss", "content_layers", "style_layers", "style_layer_weights"),
        *("style_layer_ratio", "border"),
    ),
    "loss network": (
        *("network", "pooling", "padding", "vgg_weights", "lite_weights"),
    ),
    "paintings and masks": (
        *("styles", "style_shares", "style_size", "style_scale", "side", "resample"),
        *("masks", "style_masks", "map", "style_maps"),
    ),
    "files": (
        *("like", "log", "preview_every", "checkpoint_every", "live_port", "quiet"),
    ),
}
"""The flags by groups, as `--help` shows them: the ones to know first."""


def main(arguments: list[str]) -> int:
    """Run `nst optimize`; return the exit code."""
    return optimize(*parse(arguments))


def parse(arguments: list[str]) -> tuple[Job, OptimizeSettings]:
    """Read the flags of `nst optimize`.

    Raises:
        SystemExit: With code 2, after a message, for flags that do not fit; with 0
            after `--help`.
    """
    return read_flags(
        Job,
        renamed(arguments),
        command="optimize",
        description="Paint CONTENT in the manner of STYLE.",
        settings=RECIPES["default"],
        base=_base,
        groups=GROUPS,
    )


def _base(given: Mapping[str, Any]) -> OptimizeSettings:
    """Find the settings that the other flags change: a picture's or a recipe's."""
    like, recipe = given.get("like"), given.get("recipe", Job.recipe)
    if like is not None:
        from nst_tf.imaging.metadata import read_settings

        values = read_settings(like)
        if "settings" not in values:
            raise InputError(f"{like} carries no settings of nst-tf")
        try:
            return from_dict(values["settings"])
        except InputError as error:
            raise InputError(f"{like}: {error}") from error
    if recipe not in RECIPES:
        raise InputError(f"there is no recipe {recipe}; there are {', '.join(RECIPES)}")
    return RECIPES[recipe]


def doodled(settings: OptimizeSettings) -> OptimizeSettings:
    """Return `settings` for a content that is a map: nothing of it is to be kept."""
    loss = dataclasses.replace(settings.loss, content_weight=0.0)
    if loss.strength is not None:
        loss = dataclasses.replace(loss, strength=1.0)
    init = "noise" if settings.init == "content" else settings.init
    return dataclasses.replace(settings, loss=loss, init=init)


def _read_inputs(
    job: Job, settings: OptimizeSettings
) -> tuple["Picture", "list[np.ndarray]", "Regions"]:
    """Read photograph, paintings, and masks or maps."""
    from nst_tf.imaging.guides import everywhere, from_maps, from_masks
    from nst_tf.imaging.read import load_image

    content = load_image(job.content)
    paintings = [load_image(path).pixels for path in job.paintings]
    shares = settings.style_shares
    size, *sizes = [
        (image.shape[1], image.shape[0]) for image in (content.pixels, *paintings)
    ]
    masks, style_masks, style_maps = (
        [load_image(path).pixels for path in paths]
        for paths in (job.masks, job.style_masks, job.style_maps)
    )
    if masks:
        return content, paintings, from_masks(size, sizes, masks, style_masks, shares)
    if style_maps:
        colors = load_image(job.map).pixels if job.map else content.pixels
        return content, paintings, from_maps(size, sizes, colors, style_maps, shares)
    return content, paintings, everywhere(len(paintings), shares)


def optimize(job: Job, settings: OptimizeSettings) -> int:
    """Run `nst optimize`; return the exit code."""
    from nst_tf.imaging.write import check_output

    if job.doodle:
        settings = doodled(settings)
    if job.live and not settings.weight_changes:
        first = (0.0, *settings.loss.term_weights.values())
        settings = dataclasses.replace(settings, weight_changes=first)
    settings = console.choose(settings, quiet=job.quiet)
    check_output(job.output)
    if job.preview_every:
        check_output(job.output.with_suffix(".preview.png"))
    content, styles, regions = _read_inputs(job, settings)
    checkpoint = job.checkpoint_path
    resume = resuming(checkpoint, wanted=job.resume, quiet=job.quiet)
    if settings.memory is not None:
        # TensorFlow's own allocator keeps what is freed, in pieces: twice as much and
        # more. Without it a step takes 3 % longer. It is read when TensorFlow starts.
        os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")
    console.import_quietly()
    from nst_tf.painting.run import optimize_image
    from nst_tf.painting.schedule import plan_passes

    size, *sizes = [(x.shape[1], x.shape[0]) for x in (content.pixels, *styles)]
    stages = plan_passes(size, sizes, settings)
    if settings.memory is not None:
        _announce(stages, settings, regions, quiet=job.quiet)
    done = 0
    if resume:
        from nst_tf.running.checkpoint import steps_made

        done = steps_made(checkpoint)
    total = sum(stage.steps for stage in stages)
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
            log.step(step.loss, step.seconds, **_place(step))
            show(step.evaluation, **_texts(step, step.seconds - last))
            last = step.seconds
            if job.preview_every and step.evaluation % job.preview_every == 0:
                _save(job.output.with_suffix(".preview.png"), step.image(), content)
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
            checkpoint_every=job.checkpoint_every or 1,
            resume=resume,
        )
        if view is not None:
            view.finish(result.reason, result.pixels)
        return _finish(job, result.settings, content, (styles, regions), result, log)


@contextlib.contextmanager
def _viewed(
    job: Job, settings: OptimizeSettings, total: int, log: Log
) -> Iterator["LiveView | None"]:
    """Serve the live view, if it is wanted, and say where."""
    if not job.live:
        yield None
        return
    from nst_tf.inspection.live import LiveView

    name = job.output.name
    weights = tuple(settings.loss.term_weights.values())
    with LiveView(
        total=total, weights=weights, name=name, port=job.live_port, note=log.write
    ) as view:
        print(f"live view: {view.address}", file=sys.stderr, flush=True)
        yield view


def _announce(
    stages: "Sequence[Pass]",
    settings: OptimizeSettings,
    regions: "Regions",
    *,
    quiet: bool,
) -> None:
    """Say what the largest stage will take, or refuse it."""
    from nst_tf.painting.measure import memory_plan, step_seconds
    from nst_tf.painting.memory import describe

    plan = memory_plan(stages, settings, regions)
    if not quiet:
        text = describe(plan, settings, step_seconds(settings))
        print(text, file=sys.stderr, flush=True)


def _finish(
    job: Job,
    settings: OptimizeSettings,
    content: "Picture",
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
    _save(job.output, result.pixels, content, facts)
    if result.reason == "not finite":
        raise InputError(
            f"the loss stopped being finite at evaluation {result.evaluations}; the"
            f" last finite picture is in {job.output}. Lower the weights or the"
            " learning rate"
        )
    if result.reason == "stopped":
        hint = "; add --resume to go on" if job.checkpoint_every else ""
        print(f"stopped: {job.output} holds the picture so far{hint}", file=sys.stderr)
        return INTERRUPTED
    styles, regions = style

    exact, saved = measure_losses(
        [result.pixels, load_image(job.output).pixels],
        content.pixels,
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
    job.output.with_suffix(".preview.png").unlink(missing_ok=True)
    if not job.quiet:
        height, width = result.pixels.shape[:2]
        print(
            f"{job.output}: {width}x{height}, {result.evaluations} evaluations in "
            f"{result.seconds:.0f} s ({result.reason}); loss in float32"
            f" {console.precise(exact.total)}, of the saved file"
            f" {console.precise(saved.total)}"
        )
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
    path: Path,
    pixels: Any,
    content: "Picture",
    facts: dict[str, Any] | None = None,
) -> None:
    from nst_tf.imaging.resize import resize
    from nst_tf.imaging.write import save_image

    alpha = content.alpha
    if alpha is not None:
        alpha = resize(alpha, pixels.shape[1], pixels.shape[0])
    save_image(path, pixels, alpha=alpha, settings=facts)


def _texts(step: "Step", took: float) -> dict[str, str]:
    """Return what the progress bar says of a step."""
    return {
        "size": f"{step.size.width}x{step.size.height}",
        "loss": step.loss.text(console.short),
        "speed": f"{took:.2f} s" if step.step > 1 else "",
    }
