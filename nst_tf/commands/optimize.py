"""`nst optimize`: its flags, and the settings that they start from."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from nst_tf.commands.flags import read_flags
from nst_tf.commands.optimize_run import optimize
from nst_tf.commands.pipes import is_stdout, piped
from nst_tf.commands.renamed import renamed
from nst_tf.settings.checks import InputError, at_least, reject
from nst_tf.settings.codec import from_dict
from nst_tf.settings.loss import TERMS, LossSettings
from nst_tf.settings.optimize import OptimizeSettings
from nst_tf.settings.recipes import RECIPES


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What `nst optimize` reads, writes and shows."""

    content: tyro.conf.Positional[Path]
    """The photograph."""
    style: tyro.conf.Positional[Path]
    """The painting."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The result; .png, .jpg, .webp, .avif, .tif or .bmp chooses the format, - writes a
    PNG to a pipe."""
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
    depth: Literal[8, 16] = 8
    """Bits a channel of the result: 16 for .png and .tif, for prints."""
    profile: Literal["srgb", "keep"] = "srgb"
    """Colours of the result: sRGB, or the photograph's profile."""
    max_megapixels: float | None = None
    """Largest photograph or painting that is read; without it 100."""
    overwrite: bool = False
    """Let the result take the place of a file that is read."""
    quiet: bool = False
    """Draw no progress and print no summary."""

    def __post_init__(self) -> None:
        for name in ("preview_every", "checkpoint_every"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must be at least 0")
        if self.max_megapixels is not None:
            reject(at_least("max_megapixels", self.max_megapixels, least=0.001))
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
    def log_path(self) -> Path:
        """Where the log goes."""
        return self.log or self.output.with_suffix(".jsonl")

    @property
    def outputs(self) -> tuple[Path, ...]:
        """All files that are written."""
        beside = (
            (self.output.with_suffix(".preview.png"),) if self.preview_every else ()
        )
        return (self.output, self.log_path, self.checkpoint_path, *beside)

    @property
    def checkpoint_path(self) -> Path:
        """Where the state goes; removed when the run ends well."""
        return self.output.with_suffix(".checkpoint.npz")


READ = ("content", "style", "styles", "masks", "style_masks", "map", "style_maps")
"""The fields of a job that are pictures."""
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
        *("optimizer", "learning_rate", "history", "metric", "backtracking", "ema"),
        *("constrained", "precision"),
    ),
    "color": ("linear_light",),
    "loss": (
        *("convention", *(f"{name}_weight" for name in TERMS if name != "style")),
        *("style_loss", "palette", "content_layers", "style_layers"),
        *("style_layer_weights", "style_layer_ratio", "border"),
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
        *("depth", "profile", "max_megapixels", "overwrite"),
    ),
}
"""The flags by groups, as `--help` shows them: the ones to know first."""


def main(arguments: list[str]) -> int:
    """Run `nst optimize`; return the exit code."""
    job, settings = parse(arguments)
    if not is_stdout(job.output):
        with piped(job, *READ) as whole:
            return optimize(whole, settings)
    # There is nothing to go on from, and no place beside a pipe.
    once = dataclasses.replace(job, checkpoint_every=0, preview_every=0, resume=False)
    with piped(once, *READ) as whole:
        return optimize(whole, settings)


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
        base=chosen_settings,
        groups=GROUPS,
    )


def chosen_settings(given: Mapping[str, Any]) -> OptimizeSettings:
    """Find the settings that the other flags change: a picture's or a recipe's.

    Args:
        given: The flags that are given, by name; those that count are `like`, `recipe`,
            maps and what changes the weight of style.

    Raises:
        InputError: There is no such recipe, or the picture carries no settings.
    """
    if given.get("strength") is not None and given.get("weight_changes"):
        raise InputError(
            "give --strength, which finds the weights, or --weight-changes, not both"
        )
    settings = _chosen(given)
    if given.get("style_maps") and given.get("map") is None:
        settings = _doodled(settings)
    loss = settings.loss
    if given.get("strength") is not None and loss.convention != "relative":
        # Their weights are of another convention, whose place a strength takes.
        loss = dataclasses.replace(
            loss,
            convention="relative",
            content_weight=LossSettings.content_weight,
            style_weight=None,
            tv_weight=LossSettings.tv_weight,
            style_layer_weights=None,
        )
    if {"strength", "convention", *(f"{name}_weight" for name in TERMS)} & set(given):
        # What was found for that picture's weights is not what is asked for.
        settings = dataclasses.replace(settings, weight_changes=())
    if {"style_weight", "convention"} & set(given) and "strength" not in given:
        loss = dataclasses.replace(loss, strength=None)
    return dataclasses.replace(settings, loss=loss)


def _doodled(settings: OptimizeSettings) -> OptimizeSettings:
    """Return settings for a content that is a map: nothing of it is to be kept."""
    if not settings.loss.content_weight:  # As a doodle's picture carries them.
        return settings
    loss = dataclasses.replace(settings.loss, content_weight=0.0, strength=None)
    init = "noise" if settings.init == "content" else settings.init
    return dataclasses.replace(settings, loss=loss, init=init, weight_changes=())


def _chosen(given: Mapping[str, Any]) -> OptimizeSettings:
    """Return a picture's settings or a recipe's."""
    like, recipe = given.get("like"), given.get("recipe", Job.recipe)
    if like is not None and "recipe" in given:
        raise InputError("give --like or --recipe, not both")
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
