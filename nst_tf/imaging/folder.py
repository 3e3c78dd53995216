"""The image files below a folder."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nst_tf.imaging.formats import SUFFIXES
from nst_tf.settings.checks import InputError


def image_files(path: Path) -> list[Path]:
    """Return the files below a folder whose endings are read, sorted."""
    return sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)


class Folder:
    """Every image file below a folder.

    Args:
        path: Searched recursively.

    Raises:
        InputError: No such folder, or no image file in it.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise InputError(f"there is no folder {path} to take photographs from")
        self.files = image_files(path)
        if not self.files:
            raise InputError(
                f"{path} holds no image files; those ending in {', '.join(SUFFIXES)}"
                " are read"
            )

    def open(self, seed: int, start: int) -> Iterator[tuple[str, Path]]:
        """Yield the files, every epoch in another order."""
        count = len(self.files)
        for epoch in itertools.count(start // count):
            order = np.random.default_rng((seed, 1, epoch)).permutation(count)
            for index in order[start % count :]:
                yield str(self.files[index]), self.files[index]
            start = 0
