"""Films that are pictures: numbered files, GIF, animated WebP."""

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from nst_tf.imaging.animation import animation_frames, read_animation
from nst_tf.imaging.formats import SUFFIXES
from nst_tf.imaging.read import load_image
from nst_tf.imaging.resize import resize, size_of
from nst_tf.settings.checks import InputError
from nst_tf.video.film import Film, Frame, check_film, reduced_size

_NUMBER = re.compile(r"%0?\d{0,2}d")
MILLISECOND = Fraction(1, 1000)


def is_sequence(path: Path) -> bool:
    """Tell whether a path is a pattern of numbered pictures, as `%05d.png`."""
    return bool(_NUMBER.search(path.name))


def numbered(pattern: Path, number: int) -> Path:
    """Return the file of a number."""
    return pattern.with_name(pattern.name % number)


class SequenceSource:
    """Numbered pictures, such as `frames/%05d.png`.

    Args:
        pattern: Its name has one `%d` or `%05d` in it.
        rate: Pictures a second.
        start: Seconds at which to begin.
        end: Seconds at which to end; None is the last picture.
        size: Long side in pixels to which larger pictures are reduced.

    Raises:
        InputError: There are no such pictures, or a number is missing.
    """

    lost = 0

    def __init__(
        self,
        pattern: Path,
        *,
        rate: Fraction = Fraction(25),
        start: float = 0.0,
        end: float | None = None,
        size: int | None = None,
    ) -> None:
        self.pattern, self.size = pattern, size
        numbers = numbers_of(pattern)
        if not numbers:
            raise InputError(f"there are no pictures {pattern}")
        whole = range(numbers[0], numbers[-1] + 1)
        if len(numbers) < len(whole):
            lost = sorted(set(whole) - set(numbers))
            raise InputError(f"{numbered(pattern, lost[0])} is missing among {pattern}")
        self.numbers = [
            number
            for index, number in enumerate(numbers)
            if index / rate >= start and (end is None or index / rate < end)
        ]
        if not self.numbers:
            raise InputError(f"{pattern} has no pictures from {start:g} s on")
        first = self._pixels(self.numbers[0])
        height, width = first.shape[:2]
        self.film = Film(
            path=pattern,
            width=width,
            height=height,
            time_base=1 / rate,
            rate=rate,
            frames=len(self.numbers),
        )

    def frames(self, skip: int = 0) -> Iterator[Frame]:
        """Yield the pictures, but for the first `skip`."""
        film = self.film
        for index, number in enumerate(self.numbers[skip:], skip):
            pixels = self._pixels(number)
            height, width = pixels.shape[:2]
            if (width, height) != (film.width, film.height):
                raise InputError(
                    f"{numbered(self.pattern, number)} has {width}x{height} pixels, the"
                    f" first picture {film.width}x{film.height}"
                )
            yield Frame(pixels, index, 1)

    def _pixels(self, number: int) -> np.ndarray:
        pixels = load_image(numbered(self.pattern, number)).pixels
        return _within(pixels, self.size)


class AnimationSource:
    """A GIF or an animated WebP; what is transparent is white.

    Args:
        path: The file.
        start: Seconds at which to begin.
        end: Seconds at which to end; None is the last frame.
        size: Long side in pixels to which larger frames are reduced.

    Raises:
        InputError: No such file, or no animation.
    """

    lost = 0

    def __init__(
        self,
        path: Path,
        *,
        start: float = 0.0,
        end: float | None = None,
        size: int | None = None,
    ) -> None:
        check_film(path)
        self.path, self.size = path, size
        self.start, self.end = start, end
        info = read_animation(path)
        width, height = info.width, info.height
        if size is not None:
            width, height = reduced_size(width, height, size)
        kept = [(time, shown) for _, time, shown in self._kept()]
        if not kept:
            raise InputError(f"{path} has no frames from {start:g} s on")
        self.first = kept[0][0]
        self.loop = info.loop
        self.film = Film(
            path=path,
            width=width,
            height=height,
            time_base=MILLISECOND,
            rate=Fraction(1000 * len(kept), sum(shown for _, shown in kept)),
            frames=len(kept),
        )

    def frames(self, skip: int = 0) -> Iterator[Frame]:
        """Yield the frames, but for the first `skip`."""
        for index, (pixels, time, shown) in enumerate(self._kept()):
            if index >= skip:
                yield Frame(_within(pixels, self.size), time - self.first, shown)

    def _kept(self) -> Iterator[tuple[np.ndarray, int, int]]:
        time = 0
        for pixels, shown in animation_frames(self.path):
            inside = self.end is None or time < 1000 * self.end
            if time >= 1000 * self.start and inside:
                yield pixels, time, shown
            time += shown


def check_pattern(pattern: Path) -> None:
    """Refuse a pattern that is no name of numbered pictures."""
    if len(_NUMBER.findall(pattern.name)) != 1 or pattern.name.count("%") != 1:
        raise InputError(f"{pattern} needs one number, as in frames/%05d.png")
    if pattern.suffix.lower() not in SUFFIXES:
        raise InputError(f"{pattern} must end in one of {', '.join(SUFFIXES)}")


def numbers_of(pattern: Path) -> list[int]:
    """Return the numbers of the pictures that there are, sorted.

    Raises:
        InputError: The pattern is no name of numbered pictures.
    """
    check_pattern(pattern)
    head, tail = _NUMBER.split(pattern.name)
    form = re.compile(re.escape(head) + r"(\d+)" + re.escape(tail))
    if not pattern.parent.is_dir():
        return []
    found = []
    for file in pattern.parent.iterdir():
        match = form.fullmatch(file.name)
        if match and numbered(pattern, int(match[1])).name == file.name:
            found.append(int(match[1]))
    return sorted(found)


def _within(pixels: np.ndarray, size: int | None) -> np.ndarray:
    if size is None:
        return pixels
    return resize(pixels, *reduced_size(*size_of(pixels), size))
