"""`nst video`: a film in a style, with its sound."""

import dataclasses
import sys
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from nst_tf.commands import INTERRUPTED, console
from nst_tf.commands.flags import program
from nst_tf.settings.checks import MIN_SIDE, InputError

if TYPE_CHECKING:
    import numpy as np

    from nst_tf.video.film import Source
    from nst_tf.video.output import Output
    from nst_tf.video.run import Painter
if TYPE_CHECKING:
    Engine = str
else:
    from nst_export.runtime.engines.choose import Engine


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What `nst video` reads, writes and shows."""

    film: tyro.conf.Positional[Path]
    """A film, a GIF, an animated WebP, or numbered pictures: frames/%05d.png."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The result, by its ending: .mp4, .mov, .mkv, .webm, .gif, .webp, or numbered
    pictures."""
    style: str | None = None
    """The style; nst styles lists them."""
    mix: str | None = None
    """Several styles with their shares instead: night=0.6,wave=0.4."""
    strength: float = 1.0
    """0 is the film, 1 the whole style."""
    model: Path | None = None
    """A .tflite, an .onnx or a SavedModel folder; without it the bundled gallery."""
    size: int | None = None
    """Long side in pixels to which larger frames are reduced first."""
    keep_colors: bool = False
    """Paint the brightness only; colours stay the film's."""
    stabilize: bool = False
    """Hold each picture along the motion of the film, where that is certain."""
    frame_by_frame: bool = False
    """Paint every frame as if it were alone: it flickers."""
    start: str = "0"
    """Where to begin: seconds, or H:MM:SS."""
    end: str | None = None
    """Where to end; without it at the end of the film."""
    codec: str = "auto"
    """h264, vp9, av1, hevc or ffv1; auto is the first of the first three that this
    FFmpeg has and the container holds."""
    crf: int | None = None
    """Quality, the codec's own scale: less is better and larger. Without it 18 for
    H.264, 28 for VP9 and AV1, 20 for HEVC."""
    fps: float = 25.0
    """Pictures a second, where the film is numbered pictures."""
    mute: bool = False
    """Leave out sound and subtitles."""
    resume: bool = False
    """Go on with a run that was interrupted or killed."""
    engine: Engine = "auto"
    """What runs the model."""
    threads: int | None = None
    """Threads of the model; without it one a core."""
    quiet: bool = False
    """Print nothing."""


def video(job: Job) -> int:
    """Run `nst video`; return the exit code."""
    from nst_tf.video.mux import check_sound
    from nst_tf.video.needs import quiet_ffmpeg
    from nst_tf.video.run import describe, paint_film, parts_folder

    _check(job)
    quiet_ffmpeg()
    source = _source(job)
    if not job.mute:
        check_sound(job.output, source.film)
    output = _output(job, source)
    folder = parts_folder(job.output)
    resume = console.resuming(folder / "state.npz", wanted=job.resume, quiet=job.quiet)
    with console.silence():
        painter, facts = _painter(job)
    if job.stabilize:
        from nst_tf.video.stabilize import Stabilized

        painter = Stabilized(painter)
    if job.keep_colors:
        painter = _KeepColors(painter)
    if not job.quiet:
        print(f"{job.film}: {describe(source.film)}", file=sys.stderr)
    with (
        console.interruptible() as stop,
        console.progress(
            source.film.frames, 0, fields=("speed",), quiet=job.quiet
        ) as show,
    ):
        clock = console.Rate()

        def observe(count: int) -> bool:
            show(count, speed=f"{clock.tick():.2f} fps")
            return stop.is_set

        ended = paint_film(
            source,
            painter,
            output,
            observer=observe,
            identity={**_identity(job), **facts},
            resume=resume,
        )
    if ended.reason == "stopped":
        hint = "; add --resume to go on" if folder.exists() else ""
        print(
            f"stopped: {job.output} holds {ended.frames} of {source.film.frames}"
            f" frames{hint}",
            file=sys.stderr,
        )
        return INTERRUPTED
    if not job.quiet:
        print(f"{job.output}: {ended.frames} frames in {ended.took:.1f} s")
    return 0


def seconds_of(text: str) -> float:
    """Return the seconds of `12.5`, `1:02` or `1:02:03.5`.

    Raises:
        InputError: Another form.
    """
    parts = text.split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 3 or any(not 0 <= x < float("inf") for x in numbers):
        raise InputError(f"a time is seconds, M:SS or H:MM:SS; {text!r} is none")
    total = 0.0
    for number in numbers:
        total = 60 * total + number
    return total


def _check(job: Job) -> None:
    """Refuse flags that don't fit, before anything is opened."""
    for name, least in (("size", MIN_SIDE), ("threads", 1)):
        value = getattr(job, name)
        if value is not None and value < least:
            raise InputError(f"{name} must be at least {least}, got {value}")
    if not 0 < job.fps <= 1000:
        raise InputError(f"fps must be above 0 and at most 1000, got {job.fps:g}")
    if job.end is not None and seconds_of(job.end) <= seconds_of(job.start):
        raise InputError(f"the end {job.end} must come after the start {job.start}")


def _source(job: Job) -> "Source":
    """Open what is to be painted."""
    from nst_tf.imaging.animation import ANIMATIONS
    from nst_tf.video.decode import FilmSource
    from nst_tf.video.pictures import AnimationSource, SequenceSource, is_sequence

    options: dict[str, Any] = {
        "start": seconds_of(job.start),
        "end": None if job.end is None else seconds_of(job.end),
        "size": job.size,
    }
    if is_sequence(job.film):
        rate = Fraction(job.fps).limit_denominator(1001)
        return SequenceSource(job.film, rate=rate, **options)
    if job.film.suffix.lower() in ANIMATIONS:
        return AnimationSource(job.film, **options)
    return FilmSource(job.film, **options)


def _output(job: Job, source: "Source") -> "Output":
    """Choose where pictures go, and what goes with them."""
    from nst_tf.video.decode import FilmSource
    from nst_tf.video.output import choose_output

    options: dict[str, Any] = {"copied": False}
    if isinstance(source, FilmSource):
        options = {"copied": not job.mute, **source.cut()}
    return choose_output(
        job.output,
        source.film,
        codec=job.codec,
        crf=job.crf,
        loop=getattr(source, "loop", 0),
        say=lambda text: None if job.quiet else print(text, file=sys.stderr),
        **options,
    )


def _painter(job: Job) -> "tuple[Painter, Mapping[str, Any]]":
    """Return what paints the frames, and what decides how besides the flags."""
    import numpy as np

    from nst_export.commands.stylize import chosen_mix
    from nst_export.runtime.clip import ClipStylizer
    from nst_export.runtime.mix import mix_weights
    from nst_export.runtime.stylizer import Stylizer, bundled
    from nst_tf.video.statistics import MEMORY

    path = job.model or bundled()
    model = Stylizer.load(path, engine=job.engine, threads=job.threads)
    mix = chosen_mix(job.style, job.mix, model.styles)
    weights = mix_weights(model.styles, mix, strength=job.strength)
    memory = 0.0 if job.frame_by_frame else MEMORY
    clip = ClipStylizer(model, weights, memory=memory)
    # What LiteRT says of its first pass would break the bar.
    clip(np.zeros((MIN_SIDE, MIN_SIDE, 3), "float32"), 0.0)
    clip.restore({"seconds": np.asarray(0.0)})
    return clip, {"model": _fingerprint(path), "weights": weights}


class _KeepColors:
    """A painter whose pictures have the colours of the film."""

    def __init__(self, painter: "Painter") -> None:
        self.painter = painter
        self.state, self.restore = painter.state, painter.restore

    def __call__(self, pixels: "np.ndarray", seconds: float) -> "np.ndarray":
        from nst_tf.imaging.color import keep_colors

        return keep_colors(self.painter(pixels, seconds), pixels)


def _identity(job: Job) -> dict[str, Any]:
    """Return what must be the same for a run to go on with another's parts."""
    names: tuple[str, ...] = (
        "size",
        "keep_colors",
        "frame_by_frame",
        "stabilize",
        "start",
        "end",
    )
    names += ("codec", "crf")
    return {name: getattr(job, name) for name in names} | {
        "film": _fingerprint(job.film),
        "fps": job.fps,
    }


def _fingerprint(path: Path) -> list[Any]:
    """Return what tells a file from another without reading all of it."""
    if not path.exists():
        return [path.name]
    status = path.stat()
    return [path.name, status.st_size, status.st_mtime_ns]


main = program(
    video,
    Job,
    command="video",
    description="Paint a film with an exported model, and keep its sound.",
)
