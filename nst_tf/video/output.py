"""What a painted film becomes: a film, numbered pictures, an animation."""

import dataclasses
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from nst_tf.files import check_writable, replacing
from nst_tf.imaging.animation import ANIMATIONS, lengths_between, save_animation
from nst_tf.imaging.write import save_image, to_bytes
from nst_tf.running.checkpoint import open_npz
from nst_tf.settings.checks import InputError
from nst_tf.video.codecs import SUFFIXES, Encoding, choose_encoding
from nst_tf.video.encode import PartEncoder
from nst_tf.video.film import HDR, Film, Frame
from nst_tf.video.mux import Say, mux
from nst_tf.video.pictures import check_pattern, is_sequence, numbered


class Part(Protocol):
    """A part of a film in the making."""

    def add(self, frame: Frame) -> None:
        """Take a frame."""

    def save(self, path: Path) -> None:
        """Write all that `Output.finish` needs, whole or not at all."""


class Output(Protocol):
    """Where painted frames go."""

    @property
    def path(self) -> Path:
        """Name of the film, or of its pictures."""

    def part(self, index: int) -> Part:
        """Begin a part whose first frame is the film's of that index."""

    def finish(self, parts: Sequence[Path]) -> None:
        """Make the film of saved parts under its name, whole or not at all."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FilmOutput:
    """A film, with the sound of the one that is painted.

    Attributes:
        path: Where to.
        film: What is painted.
        encoding: How.
        copied: Whether the source is a film, with sound and more to take over.
        mute: Leave out its sound and subtitles all the same.
        shift: Time in seconds that becomes 0; None leaves all times as they are.
        end: Seconds of the file after which no sound is taken over.
        say: Told what could not be copied.
    """

    path: Path
    film: Film
    encoding: Encoding
    copied: bool
    mute: bool = False
    shift: Fraction | None = None
    end: float | None = None
    say: Say = print

    def part(self, index: int) -> Part:
        """Begin a part."""
        return _FilmPart(PartEncoder(self.film, self.encoding))

    def finish(self, parts: Sequence[Path]) -> None:
        """Write the film with all parts."""
        mux(
            self.path,
            parts,
            self.film,
            self.encoding,
            copied=self.copied,
            mute=self.mute,
            shift=self.shift,
            end=self.end,
            say=self.say,
        )


class _FilmPart:
    def __init__(self, encoder: PartEncoder) -> None:
        self.encoder = encoder

    def add(self, frame: Frame) -> None:
        self.encoder.add(frame)

    def save(self, path: Path) -> None:
        self.encoder.finish().save(path)


@dataclasses.dataclass(frozen=True)
class SequenceOutput:
    """Numbered pictures, from 1 on; each appears whole as soon as it is painted."""

    path: Path

    def part(self, index: int) -> Part:
        """Begin a part."""
        return _Numbered(self.path, index + 1)

    def finish(self, parts: Sequence[Path]) -> None:
        """Do nothing: they are there."""


class _Numbered:
    def __init__(self, pattern: Path, number: int) -> None:
        self.pattern, self.number = pattern, number

    def add(self, frame: Frame) -> None:
        save_image(numbered(self.pattern, self.number), frame.pixels)
        self.number += 1

    def save(self, path: Path) -> None:
        path.touch()


_NO_STILLS = "holds no part of an animation"


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnimationOutput:
    """A GIF or an animated WebP.

    Attributes:
        path: Where to.
        film: What is painted.
        loop: How often it is repeated, 0 for ever, None not at all.
    """

    path: Path
    film: Film
    loop: int | None = 0

    def part(self, index: int) -> Part:
        """Begin a part."""
        return _Stills()

    def finish(self, parts: Sequence[Path]) -> None:
        """Write the animation with all parts."""
        times: list[int] = []
        for part in parts:
            with open_npz(part, _NO_STILLS) as values:
                times += values["pts"].tolist()
                end = int(values["end"])
        # Each is shown until the next: what a file says of durations may be a guess.
        moments = np.asarray([*times, end]) * float(1000 * self.film.time_base)
        shown = lengths_between(self.path, moments)

        def pictures() -> Iterator[np.ndarray]:
            for part in parts:
                with open_npz(part, _NO_STILLS) as values:
                    yield from values["pictures"]

        frames = zip(pictures(), shown, strict=True)
        save_animation(self.path, frames, loop=self.loop)


class _Stills:
    def __init__(self) -> None:
        self.pictures: list[np.ndarray] = []
        self.times: list[int] = []
        self.end = 0

    def add(self, frame: Frame) -> None:
        self.pictures.append(to_bytes(frame.pixels))
        self.times.append(frame.pts)
        self.end = frame.pts + frame.duration

    def save(self, path: Path) -> None:
        with replacing(path) as part, part.open("wb") as file:
            pictures = np.stack(self.pictures)
            np.savez(file, pictures=pictures, pts=self.times, end=self.end)


def choose_output(
    path: Path,
    film: Film,
    *,
    codec: str = "auto",
    crf: int | None = None,
    **options: Any,
) -> Output:
    """Return the output for a path, by its ending; check that it can be written.

    Args:
        path: A film, a GIF, a WebP or a pattern of pictures.
        film: What is painted.
        codec: One of `CODECS` or `auto`, for a film.
        crf: Quality, for a film.
        **options: Of `FilmOutput`, and `loop`.

    Raises:
        InputError: No such ending, or the codec, the quality or the folder don't fit.
    """
    kind = path.suffix.lower()
    loop = options.pop("loop", 0)
    if is_sequence(path):
        check_pattern(path)
    elif kind not in (*SUFFIXES, *ANIMATIONS):
        endings = ", ".join((*SUFFIXES, *ANIMATIONS))
        raise InputError(
            f"the output {path} must end in one of {endings} or be a pattern of"
            " pictures, as frames/%05d.png"
        )
    if kind not in SUFFIXES and (codec != "auto" or crf is not None):
        raise InputError(f"--codec and --crf are for films; {path} is none")
    check_writable(path)
    if kind not in SUFFIXES:
        say: Say = options.get("say", print)
        if film.subtitles and not options.get("mute"):
            say(f"{kind} can't hold subtitles: left out")
        if film.colors.transfer in HDR:
            say(f"{film.path} is in HDR, which {kind} can't say: it will look dull")
    if is_sequence(path):
        return SequenceOutput(path)
    if kind in ANIMATIONS:
        return AnimationOutput(path=path, film=film, loop=loop)
    encoding = choose_encoding(path, film, codec=codec, crf=crf)
    return FilmOutput(path=path, film=film, encoding=encoding, **options)
