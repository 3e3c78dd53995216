"""Outputs that appear whole or not at all."""

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from nst_tf.settings.checks import InputError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path beside `path` for a file or a folder that takes its place.

    What is at `path` stays as it is until the block has ended well.

    Raises:
        InputError: There was an `OSError` in the block or in taking the place, or a
            device is there.
    """
    _check_kind(path)
    # A folder is where its link leads. And no "..", which leads nowhere while a folder
    # on the way, as in out/../out, is called otherwise.
    place = Path(os.path.realpath(path.parent), path.name)
    if place.is_dir():
        place = place.resolve()
    part, old = beside(place), place.with_name(f".{os.getpid()}.old.{place.name}")
    try:
        yield part
        if part.is_dir() and place.is_dir():  # A folder with files can't be replaced.
            place.replace(old)
        try:
            part.replace(place)
        except BaseException:
            if old.exists():
                old.replace(place)
            raise
    except OSError as error:
        raise InputError(f"can't write {path}: {error}") from error
    finally:
        _remove(part)
        _remove(old)


def beside(path: Path) -> Path:
    """Return a hidden path of this process in the same folder, with the same ending."""
    return path.with_name(f".{os.getpid()}.part.{path.name}")


def check_writable(path: Path) -> None:
    """Check before any work that a file can be written; make its folder.

    Raises:
        InputError: It is a folder or a device, or its own is missing or not writable.
    """
    _check_kind(path)
    try:
        if path.is_dir():
            raise InputError(f"the output {path} is a folder; give a file name")
        path.parent.mkdir(parents=True, exist_ok=True)
        probe = beside(path)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"can't write to the folder of {path}: {error}") from error


def _check_kind(path: Path) -> None:
    """Refuse what no file may take the place of."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # It is not there, or can't be: said elsewhere.
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError(f"the output {path} is a device or a pipe; give a file name")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Raises:
        InputError: It can't be read.
    """
    try:
        import hashlib  # With OpenSSL, which painting needs not.

        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"can't read {path}: {error}") from error


def new_folder(path: Path, mark: str) -> None:
    """Make sure that a folder of outputs may be written, or written anew, at `path`.

    Args:
        path: The folder.
        mark: Name of the file by which an earlier output is known.

    Raises:
        InputError: There is a file, or a folder with other things.
    """
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file: choose a new folder")
    if path.exists() and any(path.iterdir()) and not (path / mark).exists():
        raise InputError(f"{path} holds other things: choose a new folder")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):  # Such as a name that is too long.
            path.unlink()
