"""A run of `nst video`, whatever paints: reads, paints, writes, goes on."""

import dataclasses
import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from nst_tf.commands import INTERRUPTED, console
from nst_tf.places import check_places, held, same_file
from nst_tf.settings.checks import MIN_SIDE, InputError

if TYPE_CHECKING:
    from nst_tf.video.film import Film, Source
    from nst_tf.video.output import Output
    from nst_tf.video.run import Painter

Paints = Callable[["Film"], "tuple[Painter, Mapping[str, Any]]"]
"""Of a film, what paints its frames, and what decides how besides the flags."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FilmJob:
    """What every run of `nst video` reads, writes and shows."""

    film: tyro.conf.Positional[Path]
    """A film, a GIF, an animated WebP, or numbered pictures: frames/%05d.png."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The result, by its ending: .mp4, .mov, .mkv, .webm, .gif, .webp, or numbered
    pictures."""
    size: int | None = None
    """Long side in pixels to which larger frames are reduced first."""
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
    fps: float | None = None
    """Pictures a second, where the film is numbered pictures; without it 25."""
    mute: bool = False
    """Leave out sound and subtitles."""
    resume: bool = False
    """Go on with a run that was interrupted or killed."""
    overwrite: bool = False
    """Let the result take the place of a file that is read."""
    quiet: bool = False
    """Print nothing."""


def run_film(
    job: FilmJob, paints: Paints, *, inputs: tuple[Path, ...] = (), part: int
) -> int:
    """Paint a film; return the exit code.

    Args:
        job: What is read and written.
        paints: Called when the film is known to be one.
        inputs: Files that are read besides the film.
        part: Frames after which a run that was killed goes on.
    """
    from nst_tf.video.mux import check_sound
    from nst_tf.video.needs import quiet_ffmpeg

    _check(job)
    pictures = _numbered(job.output)
    # Half of a film painted in its own place could not be gone on with.
    check_places(pictures, inputs=_numbered(job.film), offered=False)
    others = [file for path in inputs for file in (path, *_numbered(path))]
    check_places(
        [job.output, *pictures],
        inputs=[job.film, *others],
        overwrite=job.overwrite,
    )
    quiet_ffmpeg()
    source = _source(job)
    if not job.mute:
        check_sound(job.output, source.film)
    output = _output(job, source)
    with held(job.output):
        return _run(job, source, output, paints, part, (job.film, *inputs))


def _run(
    job: FilmJob,
    source: "Source",
    output: "Output",
    paints: Paints,
    part: int,
    inputs: Sequence[Path],
) -> int:
    from nst_tf.video.run import describe, paint_film, parts_folder

    folder = parts_folder(job.output)
    resume = console.resuming(folder / "state.npz", wanted=job.resume, quiet=job.quiet)
    # What is read is not to make way for half of what it becomes.
    partial = not same_file(job.output, inputs)
    painter, facts = paints(source.film)
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
            identity={**identity_of(job), **facts},
            resume=resume,
            part=part,
            partial=partial,
        )
    if ended.reason == "stopped":
        hint = "; add --resume to go on" if folder.exists() else ""
        what = f"holds {ended.frames} of {source.film.frames} frames"
        what = what if partial else "is as it was"
        print(f"stopped: {job.output} {what}{hint}", file=sys.stderr)
        return INTERRUPTED
    if not job.quiet:
        print(f"{job.output}: {ended.frames} frames in {ended.took:.1f} s")
        if lost := source.lost:
            what = "place" if lost == 1 else "places"
            print(f"{job.film} is damaged: passed over {lost} {what}", file=sys.stderr)
        if left := _numbered(job.output, after=ended.frames):
            print(f"{len(left)} older pictures follow, from {left[0]}", file=sys.stderr)
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


def _check(job: FilmJob) -> None:
    """Refuse flags that don't fit, before anything is opened."""
    if job.size is not None and job.size < MIN_SIDE:
        raise InputError(f"size must be at least {MIN_SIDE}, got {job.size}")
    if job.fps is not None and not 0.001 <= job.fps <= 1000:
        raise InputError(f"fps must be in 0.001..1000, got {job.fps:g}")
    if job.end is not None and seconds_of(job.end) <= seconds_of(job.start):
        raise InputError(f"the end {job.end} must come after the start {job.start}")


def _source(job: FilmJob) -> "Source":
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
        rate = Fraction(25.0 if job.fps is None else job.fps).limit_denominator(1001)
        return SequenceSource(job.film, rate=rate, **options)
    if job.fps is not None:
        raise InputError(
            f"--fps is for numbered pictures; {job.film} has its own times"
        )
    if job.film.suffix.lower() in ANIMATIONS:
        return AnimationSource(job.film, **options)
    return FilmSource(job.film, **options)


def _output(job: FilmJob, source: "Source") -> "Output":
    """Choose where pictures go, and what goes with them."""
    from nst_tf.video.decode import FilmSource
    from nst_tf.video.output import choose_output

    options: dict[str, Any] = {"copied": False}
    if isinstance(source, FilmSource):
        options = {"copied": True, "mute": job.mute, **source.cut()}
    return choose_output(
        job.output,
        source.film,
        codec=job.codec,
        crf=job.crf,
        loop=getattr(source, "loop", 0),
        say=lambda text: None if job.quiet else print(text, file=sys.stderr),
        **options,
    )


def fingerprint(path: Path) -> list[Any]:
    """Return what tells a file from another without reading all of it."""
    status = path.stat()
    return [path.name, status.st_size, status.st_mtime_ns]


def identity_of(job: FilmJob) -> dict[str, Any]:
    """Return what must be the same for a run to go on with another's parts."""
    names = ("size", "start", "end", "codec", "crf", "fps")
    if pictures := _numbered(job.film):
        prints = json.dumps([fingerprint(path) for path in pictures])
        digest = hashlib.sha256(prints.encode()).hexdigest()
        film = [str(job.film.absolute()), digest]
    else:
        film = fingerprint(job.film)
    return {name: getattr(job, name) for name in names} | {"film": film}


def _numbered(path: Path, *, after: int = -1) -> list[Path]:
    """Return the files of numbered pictures that are there, none of another film."""
    from nst_tf.video.pictures import is_sequence, numbered, numbers_of

    if not is_sequence(path):
        return []
    return [numbered(path, number) for number in numbers_of(path) if number > after]
