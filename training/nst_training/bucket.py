"""Photographs of an object storage, by a URL that fsspec reads."""

import functools
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from nst_tf.imaging.folder import Found
from nst_tf.imaging.formats import readable_suffixes
from nst_tf.settings.checks import InputError

THREADS = 16
"""Threads that fetch and decode: most of the time they wait for the network."""
_PAUSES = (0.5, 2.0)
"""Seconds before a fetch that failed is tried again."""


class Bucket:
    """Every image file below a URL, such as `s3://bucket/photos`; `Folder`'s order.

    Args:
        url: What fsspec has a file system for: `s3://` with the package s3fs, `gs://`
            with gcsfs, `file://`, `memory://`.

    Attributes:
        files: The paths in the file system, sorted.
        names: Those below the URL.
        passed_over: A line about the files that are no pictures, "" without any.

    Raises:
        InputError: There is no such bucket or file system, or no image file in it.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise InputError(
                f"{url} needs the package fsspec: pip install 'nst-tf[ray]'"
            ) from error
        try:
            self._system, root = url_to_fs(url)
            there = self._system.exists(root)
            found = self._system.find(root) if there else []
        except Exception as error:  # Each file system has errors of its own.
            raise InputError(f"can't list {url}: {error}") from error
        if not there:
            raise InputError(f"there is no {url} to take photographs from")
        paths = [path for path in found if not _hidden(path, root)]
        endings = {path: PurePosixPath(path).suffix.lower() for path in paths}
        known = readable_suffixes()
        others = Counter(e or "without an ending" for e in endings.values())
        for ending in known:
            del others[ending]
        self.passed_over = Found([], others).passed_over
        self.files = sorted(
            (path for path in paths if endings[path] in known), key=PurePosixPath
        )
        self.names = [_below(path, root) for path in self.files]
        if not self.files:
            beside = f"; {self.passed_over}" if self.passed_over else ""
            raise InputError(
                f"{url} holds no image files; those ending in {', '.join(known)} are"
                f" read{beside}"
            )

    def open(
        self, seed: int, start: int
    ) -> Iterator[tuple[str, Path | bytes | Callable[[], bytes]]]:
        """Yield names and what fetches the bytes, every epoch in another order."""
        count = len(self.files)
        for epoch in itertools.count(start // count):
            order = np.random.default_rng((seed, 1, epoch)).permutation(count)
            for index in order[start % count :]:
                name = f"{self.url}/{self.names[index]}"
                yield name, functools.partial(self._fetch, self.files[index], name)
            start = 0

    def _fetch(self, path: str, name: str) -> bytes:
        """Return the bytes of a file."""
        for pause in (*_PAUSES, None):
            try:
                return bytes(self._system.cat_file(path))
            except Exception as error:  # As above.
                if pause is None or isinstance(error, FileNotFoundError):
                    raise InputError(f"can't read {name}: {error}") from error
                time.sleep(pause)
        raise AssertionError  # The last pause is None.


def _below(path: str, root: str) -> str:
    return path.removeprefix(root).lstrip("/")


def _hidden(path: str, root: str) -> bool:
    return any(part.startswith(".") for part in _below(path, root).split("/"))
