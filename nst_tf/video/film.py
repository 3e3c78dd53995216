"""What is known of a film, and a frame of it."""

import dataclasses
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from nst_tf.imaging.open import check_file
from nst_tf.imaging.resize import fit_within
from nst_tf.settings.checks import MIN_SIDE, InputError

HDR = (16, 18)
"""Transfer curves of films in HDR: PQ and HLG, in FFmpeg's numbers."""


class Frame(NamedTuple):
    """A frame of a film, upright.

    Attributes:
        pixels: float32 `[H, W, 3]`, RGB 0..1.
        pts: When it is shown, in the film's time base.
        duration: How long, in the same; 0 where the file doesn't say.
    """

    pixels: np.ndarray
    pts: int
    duration: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Colors:
    """How a film stores its colours, in FFmpeg's numbers (ISO/IEC 23091-2).

    Attributes:
        matrix: 1 is BT.709, 6 BT.601, 9 BT.2020.
        full: Whether black is 0 and white the greatest number, as in a photograph.
        primaries: 2 where the file doesn't say.
        transfer: 2 where the file doesn't say.
    """

    matrix: int = 1
    full: bool = False
    primaries: int = 2
    transfer: int = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Film:
    """What is known of a film before it is painted.

    Attributes:
        path: The file, or the pattern of its pictures.
        width: Pixels, upright.
        height: Pixels, upright.
        time_base: Seconds of one unit of a frame's times.
        rate: Frames a second, on average.
        frames: How many there are.
        shape: Width of a pixel over its height, upright.
        colors: How they are stored.
        deep: Whether a value has more than 8 bits.
        sound: Whether there is any.
        subtitles: Whether there are any.
    """

    path: Path
    width: int
    height: int
    time_base: Fraction
    rate: Fraction
    frames: int
    shape: Fraction = Fraction(1)
    colors: Colors = Colors()
    deep: bool = False
    sound: bool = False
    subtitles: bool = False

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise InputError(f"{self.path} has no frames")
        if min(self.width, self.height) < MIN_SIDE:
            raise InputError(
                f"frames of {self.path} would be painted at {self.width}x{self.height}"
                f" pixels; the short side must have at least {MIN_SIDE}"
            )

    def seconds(self, units: int) -> float:
        """Return a time in seconds."""
        return float(units * self.time_base)


def check_film(path: Path) -> None:
    """Refuse what is no file, and pipes: a film is read more than once.

    Raises:
        InputError: It is no file with something in it.
    """
    check_file(path)
    if not path.is_file():
        raise InputError(
            f"{path} is no regular file, and a film is read more than once: save it"
            " first"
        )


def reduced_size(width: int, height: int, size: int) -> tuple[int, int]:
    """Return width and height with a long side of at most `size` pixels.

    A frame that is reduced gets even sides, which most codecs need.
    """
    if max(width, height) <= size:
        return width, height
    sides = fit_within(width, height, size)
    return max(2, sides[0] // 2 * 2), max(2, sides[1] // 2 * 2)


class Source(Protocol):
    """Something that frames come from.

    Attributes:
        film: What is known of it.
        lost: How many places of it were damaged, and are passed over.
    """

    film: Film
    lost: int

    def frames(self, skip: int = 0) -> Iterator[Frame]:
        """Yield the frames in the order of their times, but for the first `skip`."""
