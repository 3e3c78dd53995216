"""The image files below a folder, and what else is there."""

import itertools
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nst_tf.imaging.formats import HEIF_SUFFIXES, readable_suffixes
from nst_tf.settings.checks import InputError

_KINDS = 8
"""Kinds of other files that a summary names."""


class Found(NamedTuple):
    """What is below a folder.

    Attributes:
        files: Those whose endings are read, sorted.
        others: How many there are of every other ending, without hidden files, and of
            folders that may not be read.
    """

    files: list[Path]
    others: Counter[str]

    @property
    def passed_over(self) -> str:
        """A line about the files that are not read, "" without any."""
        if not self.others:
            return ""
        named = self.others.most_common(_KINDS)
        parts = [f"{count} {ending}" for ending, count in named]
        if len(self.others) > _KINDS:
            parts.append(
                f"{sum(self.others.values()) - sum(dict(named).values())} more"
            )
        line = f"passed over {', '.join(parts)}"
        if set(self.others) & set(HEIF_SUFFIXES):
            line += " (HEIC photographs are read with pip install 'nst-tf[heif]')"
        return line


def find_images(folder: Path, *, leave: Iterable[Path] = ()) -> Found:
    """Return the image files below a folder.

    Hidden files are none: `._photo.jpg` is macOS's, `.1.part.photo.jpg` what a killed
    run left. Links are followed, to every folder and file once.

    Args:
        folder: Searched recursively.
        leave: Folders in it that are not searched, such as that of the results.
    """
    endings, left = readable_suffixes(), {os.path.realpath(path) for path in leave}
    files: list[Path] = []
    links: list[Path] = []
    others: Counter[str] = Counter()
    seen: set[str] = set()

    def closed(_: OSError) -> None:
        others["folder that may not be read"] += 1

    for top, folders, names in os.walk(folder, onerror=closed, followlinks=True):
        real = os.path.realpath(top)
        if real in seen or (real in left and top != str(folder)):
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = Path(top, name)
            if name.startswith("."):
                continue
            if path.suffix.lower() not in endings:
                others[path.suffix.lower() or "without an ending"] += 1
            elif _is_special(path):
                others["pipe or device"] += 1
            elif path.is_symlink():
                links.append(path)
            else:
                files.append(path)
                seen.add(f"{real}/{name}")
    for path in sorted(links):
        target = os.path.realpath(path)
        if target not in seen:
            seen.add(target)
            files.append(path)
    return Found(sorted(files), others)


def _is_special(path: Path) -> bool:
    """Tell whether a path leads to what nobody may ever write into, such as a pipe."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:  # A broken link: who reads it says so.
        return False


def names_below(files: Sequence[Path]) -> list[str]:
    """Return the paths of files below the folder that holds them all."""
    paths = [path.absolute() for path in files]
    folder = os.path.commonpath([path.parent for path in paths])
    return [path.relative_to(folder).as_posix() for path in paths]


class Folder:
    """Every image file below a folder.

    Args:
        path: Searched recursively.
        leave: Folders in it that are not searched, such as that of the results.

    Attributes:
        files: The image files, sorted.
        names: Their paths below the folder.
        passed_over: A line about the others, "" without any.

    Raises:
        InputError: No such folder, or no image file in it.
    """

    def __init__(
        self, path: str | PathLike[str], *, leave: Iterable[Path] = ()
    ) -> None:
        path = Path(path)
        if not path.is_dir():
            raise InputError(f"there is no folder {path} to take photographs from")
        found = find_images(path, leave=leave)
        self.files, self.passed_over = found.files, found.passed_over
        self.names = [file.relative_to(path).as_posix() for file in self.files]
        if not self.files:
            beside = f"; {self.passed_over}" if self.passed_over else ""
            raise InputError(
                f"{path} holds no image files; those ending in"
                f" {', '.join(readable_suffixes())} are read{beside}"
            )

    def open(self, seed: int, start: int) -> Iterator[tuple[str, Path]]:
        """Yield the files from number `start`, every epoch in another order."""
        for index in shuffled(len(self.files), seed, start):
            yield str(self.files[index]), self.files[index]


def shuffled(count: int, seed: int, start: int) -> Iterator[int]:
    """Yield 0 to `count` - 1 in a random order, then in another, without end.

    Args:
        count: How many there are.
        seed: What the orders come from.
        start: How many are left out.
    """
    first, place = divmod(start, count)
    for epoch in itertools.count(first):
        yield from np.random.default_rng((seed, 1, epoch)).permutation(count)[place:]
        place = 0
