"""Folders on any storage that fsspec reaches."""

import contextlib
import datetime
import posixpath
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nst_tf.settings.checks import InputError

_WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss"})
"""Protocols whose objects appear whole or not at all, and that have no folders."""
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "created")
"""Where file systems say when a file was written."""


class Store:
    """A folder or a file on any storage.

    Args:
        place: A path or a URL, as fsspec takes it.

    Attributes:
        local: The path, where it is on this machine's disk.

    Raises:
        InputError: fsspec knows no such protocol, or lacks the package for it.
    """

    def __init__(self, place: str) -> None:
        try:
            from fsspec.core import url_to_fs
            from fsspec.implementations.local import LocalFileSystem
        except ImportError as error:
            raise InputError(
                f"{place} needs the package fsspec: pip install 'nst-tf[ray]'"
            ) from error
        self.place = place
        try:
            self.system, self.root = url_to_fs(place)
        except (ImportError, ValueError, OSError) as error:
            raise InputError(f"can't open {place}: {_reason(error)}") from error
        self.local = (
            Path(self.root) if isinstance(self.system, LocalFileSystem) else None
        )

    def url(self, name: str) -> str:
        """Return what messages call a file of it, "" for itself."""
        if not name:
            return self.place
        if "://" not in self.place:
            return str(Path(self.place, name))
        return f"{self.place.rstrip('/')}/{name}"

    def kind(self) -> str:
        """Return `file` or `directory`.

        Raises:
            InputError: There is neither, or the storage does not answer.
        """
        with self._worded("read", ""):
            return str(self.system.info(self.root)["type"])

    def files(self) -> dict[str, float | None]:
        """Return when each file below it was written, by names, where that is known.

        There is none in a folder that does not exist.

        Raises:
            InputError: The storage does not answer.
        """
        with self._worded("list", ""):
            try:
                found = self.system.find(self.root, detail=True)
            except FileNotFoundError:
                return {}
            top = len(self.root.rstrip("/")) + 1
            return {path[top:]: _time(info) for path, info in found.items()}

    def time(self, name: str) -> float | None:
        """Return when a file was written, None where that is not known."""
        with self._worded("read", name):
            return _time(self.system.info(self._path(name)))

    def read(self, name: str, *, end: int | None = None) -> bytes:
        """Return the bytes of a file, or the first of them.

        Raises:
            InputError: There is none, or the storage does not answer.
        """
        with self._worded("read", name):
            data: bytes = self.system.cat_file(self._path(name), end=end)
            return data

    def write(self, name: str, data: bytes) -> None:
        """Write a file whole or not at all.

        Raises:
            InputError: The storage does not take it.
        """
        path = self._path(name)
        with self._worded("write", name):
            if self._whole:
                self.system.pipe_file(path, data)
                return
            folder, _, last = path.rpartition("/")
            self.system.makedirs(folder, exist_ok=True)
            part = f"{folder}/.{uuid.uuid4().hex}.part.{last}"
            try:
                self.system.pipe_file(part, data)
                self.system.mv(part, path)
            except BaseException:
                with contextlib.suppress(Exception):
                    self.system.rm_file(part)
                raise

    def prepare(self) -> None:
        """Make sure before any work that files can be written below it.

        Raises:
            InputError: It is a file, its bucket does not exist, or it takes nothing.
        """
        if self.local is None:
            bucket = self.root.strip("/").partition("/")[0]
            with self._worded("write to", ""):
                top = f"/{bucket}" if self.root.startswith("/") else bucket
                if bucket and not self.system.exists(top):
                    raise InputError(
                        f"there is no bucket or top folder {bucket} to write"
                        f" {self.place} to"
                    )
        with self._worded("write to", ""):
            if self.system.isfile(self.root):
                raise InputError(f"the output {self.place} is a file; give a folder")
            probe = f".{uuid.uuid4().hex}.part.probe"
            self.write(probe, b"")
            self.system.rm_file(self._path(probe))

    @property
    def _whole(self) -> bool:
        protocol = self.system.protocol
        names = {protocol} if isinstance(protocol, str) else set(protocol)
        return bool(names & _WHOLE)

    def _path(self, name: str) -> str:
        return posixpath.join(self.root, name) if name else self.root

    @contextlib.contextmanager
    def _worded(self, verb: str, name: str) -> Iterator[None]:
        """Word what a file system raises: each has classes of its own."""
        try:
            yield
        except InputError:
            raise
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InputError(f"there is no file or folder {self.url(name)}") from error
        except Exception as error:
            raise InputError(
                f"can't {verb} {self.url(name)}: {_reason(error)}"
            ) from error


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _time(info: Mapping[str, Any]) -> float | None:
    """Return the seconds since 1970 at which a file was written."""
    found = next((info[key] for key in _TIMES if info.get(key) is not None), None)
    if isinstance(found, str):
        try:
            found = datetime.datetime.fromisoformat(found)
        except ValueError:
            return None
    if isinstance(found, datetime.datetime):
        return found.timestamp()
    return float(found) if isinstance(found, int | float) else None
