"""Photographs of an object storage, by a URL that fsspec reads."""

import contextlib
import functools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from nst_tf.imaging.folder import Found, shuffled
from nst_tf.imaging.formats import readable_suffixes
from nst_tf.settings.checks import InputError
from nst_tf.storage import Store

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
        names: The paths of the files below the URL, sorted.
        passed_over: A line about the files that are no pictures, "" without any.

    Raises:
        InputError: There is no such bucket or file system, or no image file in it.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._store = Store(url)
        self._store.kind()
        paths = [name for name in self._store.files() if not _hidden(name)]
        endings = {path: PurePosixPath(path).suffix.lower() for path in paths}
        known = readable_suffixes()
        others = Counter(e or "without an ending" for e in endings.values())
        for ending in known:
            del others[ending]
        self.passed_over = Found([], others).passed_over
        self.names = sorted(
            (path for path in paths if endings[path] in known), key=PurePosixPath
        )
        if not self.names:
            beside = f"; {self.passed_over}" if self.passed_over else ""
            raise InputError(
                f"{url} holds no image files; those ending in {', '.join(known)} are"
                f" read{beside}"
            )

    def open(
        self, seed: int, start: int
    ) -> Iterator[tuple[str, Path | bytes | Callable[[], bytes]]]:
        """Yield names and what fetches the bytes, every epoch in another order."""
        for index in shuffled(len(self.names), seed, start):
            name = self.names[index]
            yield self._store.url(name), functools.partial(self._fetch, name)

    def _fetch(self, name: str) -> bytes:
        """Return the bytes of a file."""
        for pause in _PAUSES:
            with contextlib.suppress(InputError):
                return self._store.read(name)
            time.sleep(pause)
        return self._store.read(name)


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))
