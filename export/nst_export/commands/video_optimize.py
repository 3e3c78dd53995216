"""`nst video --optimize`: a film in the manner of a painting, by the loss itself."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from nst_export.commands.video_run import FilmJob, run_film
from nst_tf.commands import console
from nst_tf.commands.flags import read_flags
from nst_tf.commands.needs import check_extra
from nst_tf.commands.optimize import GROUPS, chosen_settings
from nst_tf.commands.regions import read_regions
from nst_tf.machine import keras_backend
from nst_tf.settings.checks import InputError
from nst_tf.settings.codec import to_dict
from nst_tf.settings.film import FRAME_STEPS, STEADINESS
from nst_tf.settings.optimize import OptimizeSettings
from nst_tf.settings.recipes import RECIPES

if TYPE_CHECKING:
    from nst_tf.video.film import Film
    from nst_tf.video.run import Painter

_PART = 8
"""Frames after which a killed run goes on: each may take a minute."""
_HIDDEN = ("size", "side", "memory")
"""Settings of pictures that a film decides."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job(FilmJob):
    """What `nst video --optimize` reads, writes and shows."""

    style: tyro.conf.Positional[Path]
    """The painting."""
    optimize: bool = True
    """Paint by the loss itself."""
    frame_steps: int = FRAME_STEPS
    """Evaluations of a frame that starts from the last picture; a scene's first frame
    takes those of --steps and --coarse-steps."""
    steadiness: float = STEADINESS
    """Weight of staying near the last picture, moved along; 0 only starts from it."""
    styles: tuple[Path, ...] = ()
    """More paintings; --style-shares says how much of each, --masks where."""
    masks: tuple[Path, ...] = ()
    """Where each painting goes, in every frame: white on the frame's shape, grey for
    soft edges, one file a painting. What no mask covers stays the film."""
    style_masks: tuple[Path, ...] = ()
    """With --masks: which part of each painting is the style, one file a painting."""
    map: Path | None = None
    """The frames' regions as flat colours, each painted like the part of the same
    colour on --style-maps."""
    style_maps: tuple[Path, ...] = ()
    """The paintings' regions as flat colours, one file a painting."""
    recipe: str = "default"
    """Settings to start from (default, gatys, gatys-2015, ng-course, johnson); every
    other flag changes one of them."""
    like: Path | None = None
    """A picture made by nst optimize: start from its settings instead."""

    @property
    def paintings(self) -> tuple[Path, ...]:
        """All paintings."""
        return (self.style, *self.styles)

    @property
    def read(self) -> tuple[Path, ...]:
        """All files that are read besides the film."""
        named = [path for path in (self.map, self.like) if path is not None]
        return (
            *(*self.paintings, *self.masks, *self.style_masks, *self.style_maps),
            *named,
        )


def video_optimize(job: Job, settings: OptimizeSettings) -> int:
    """Run `nst video --optimize`; return the exit code."""
    check_extra("tf", command="video --optimize")
    _check(job)
    settings = console.choose(settings, quiet=job.quiet)
    network, start = settings.extractor, Path(settings.init)
    named = (network.vgg_weights, network.lite_weights, start)
    inputs = (*job.read, *(path for path in named if path is not None))
    return run_film(job, _Paints(job, settings), inputs=inputs, part=_PART)


def _check(job: Job) -> None:
    """Refuse flags that don't fit."""
    if job.frame_steps < 1:
        raise InputError(f"frame_steps must be at least 1, got {job.frame_steps}")
    if not 0 <= job.steadiness < float("inf"):
        raise InputError(f"steadiness must be at least 0, got {job.steadiness:g}")
    if job.style_masks and not job.masks:
        raise InputError("--style-masks needs --masks")
    if bool(job.map) != bool(job.style_maps):
        raise InputError("give --map and --style-maps together")
    if job.masks and job.map:
        raise InputError("give --masks or --map, not both")


class _Paints:
    """Makes what paints the frames of a film, when the film is known to be one."""

    def __init__(self, job: Job, settings: OptimizeSettings) -> None:
        self.job, self.settings = job, settings

    def __call__(self, film: "Film") -> "tuple[Painter, Mapping[str, Any]]":
        """Return the painter, and what decides the pictures."""
        from nst_tf.imaging.read import load_image
        from nst_tf.imaging.resize import size_of
        from nst_tf.video.following import Following

        job, settings = self.job, self.settings
        paintings = [load_image(path).pixels for path in job.paintings]
        sizes = [size_of(x) for x in paintings]
        sizes = [(film.width, film.height), *sizes]
        regions = read_regions(job, sizes, settings.style_shares)
        console.import_quietly()
        from nst_tf.backend.precision import resolve_precision
        from nst_tf.painting.frames import ScenePainter
        from nst_tf.running.identity import extractor_facts

        scene = ScenePainter(
            paintings,
            settings,
            regions=regions,
            steps=job.frame_steps,
            steadiness=job.steadiness,
        )
        values = to_dict(settings)
        start = [path for path in [Path(settings.init)] if path.is_file()]
        values["extractor"] = extractor_facts(settings.extractor)
        facts = {
            "settings": values,
            "dtype": resolve_precision(settings.precision),
            "backend": keras_backend(),
            "files": [console.fingerprint(path) for path in (*job.read, *start)],
            "frame_steps": job.frame_steps,
            "steadiness": job.steadiness,
        }
        return Following(scene), facts


_OWN = ("style", "optimize", "frame_steps", "steadiness")
_FILM = (*(field.name for field in dataclasses.fields(FilmJob)), *_OWN)
_PICTURE = (
    *("content", "log", "preview_every", "checkpoint_every", "live", "live_port"),
    *("depth", "profile", "max_megapixels"),
)
"""Flags of `nst optimize` that a film has no use for."""
_LEFT_OUT = {*_FILM, *_PICTURE, *_HIDDEN}
FLAGS = {
    "film": _FILM,
    **{
        title: tuple(name for name in names if name not in _LEFT_OUT)
        for title, names in GROUPS.items()
    },
}
"""The flags by groups: those of a film, then those of `nst optimize`."""


def _base(given: Mapping[str, Any]) -> OptimizeSettings:
    """Find what the flags change; the memory of a picture's run is not a film's."""
    return dataclasses.replace(chosen_settings(given), memory=None)


def main(arguments: list[str]) -> int:
    """Run `nst video --optimize`; return the exit code."""
    job, settings = read_flags(
        Job,
        arguments,
        command="video --optimize",
        description="Paint a film in the manner of STYLE, each frame from the last.",
        settings=RECIPES["default"],
        base=_base,
        groups=FLAGS,
        hidden=_HIDDEN,
    )
    return video_optimize(job, settings)
