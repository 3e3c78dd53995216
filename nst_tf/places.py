"""What a command may write: nothing that is wanted, and no one else meanwhile.

Every command calls `check_places` before any work, and writes inside `held`.
"""

import contextlib
import os
import platform
import sys
import time
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from nst_tf.settings.checks import InputError

try:
    import fcntl
except ImportError:  # Windows: there two runs into one place are not told apart.
    fcntl = None  # type: ignore[assignment]


def check_places(
    outputs: Iterable[Path],
    *,
    inputs: Iterable[Path] = (),
    finished: Iterable[Path] = (),
    overwrite: bool = False,
    offered: bool = True,
) -> None:
    """Refuse to write over an input, another output of the run, or a finished model.

    Links and the spelling of names make no difference: files that exist are compared by
    what they are, outputs by their resolved names without upper and lower case.

    Args:
        outputs: Files that the command will write.
        inputs: Files that it reads; those that do not exist do not count.
        finished: Files or folders of outputs that, if they are there, are models.
        overwrite: Whether inputs and finished models may be replaced.
        offered: Whether the command has a flag for that.

    Raises:
        InputError: Something would be lost, or an output is a folder.
    """
    outputs = list(outputs)
    seen: dict[str, Path] = {}
    for output in outputs:
        if output.is_dir():
            raise InputError(f"the output {output} is a folder; give a file name")
        key = place_of(output)
        if key in seen:
            raise InputError(f"{seen[key]} and {output} would be one file: name others")
        seen[key] = output
    if overwrite:
        return
    taken = {_identity(path): path for path in inputs if _identity(path)}
    for output in outputs:
        found = taken.get(_identity(output))
        if found is not None:
            same = "" if str(found) == str(output) else f" ({found})"
            hint = ", or add --overwrite to replace it" if offered else ""
            raise InputError(
                f"the output {output} is an input{same}: choose another{hint}"
            )
    for path in finished:
        if path.exists():
            raise InputError(
                f"{path} holds a model already: name another place with -o, or add"
                " --overwrite to replace it"
            )


def place_of(path: Path) -> str:
    """Return what two paths share that some file system would take for one."""
    return unicodedata.normalize("NFC", os.path.realpath(path)).casefold()


def same_file(path: Path, others: Iterable[Path]) -> bool:
    """Tell whether a file that exists is one of others, whatever they are called."""
    mine = _identity(path)
    return mine is not None and mine in map(_identity, others)


def inside(path: Path, folder: Path) -> bool:
    """Tell whether a path is a folder or lies below it, links resolved."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


@contextlib.contextmanager
def held(place: Path, *, folder: bool = False) -> Iterator[None]:
    """Keep other runs from a place while the block runs.

    The lock is the system's: it ends with the process, however that ends.

    Args:
        place: A file to be written, or a folder that is replaced as a whole.
        folder: Hold a folder, made if it is not there, from within.

    Raises:
        InputError: Another run holds it, or it can't be written.
    """
    place = place.absolute()  # "." has no name to go by.
    made = folder and not place.exists()
    path = place / ".lock" if folder else place.parent / f".{place.name}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _locked(path, place)
    except OSError as error:
        if made:
            with contextlib.suppress(OSError):
                place.rmdir()
        raise InputError(f"can't write to {path.parent}: {error}") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(file)
        if made:
            with contextlib.suppress(OSError):  # It holds something: good.
                place.rmdir()


@contextlib.contextmanager
def left_empty(folder: Path) -> Iterator[None]:
    """Take away a folder that came meanwhile and holds no more than a dead run's lock.

    Args:
        folder: What another process, which may be killed, holds while the block runs.
    """
    there = folder.exists()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if not there and [path.name for path in folder.iterdir()] == [".lock"]:
                (folder / ".lock").unlink()
                folder.rmdir()


def _locked(path: Path, place: Path) -> int:
    """Return the descriptor of a lock file that this process holds."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it may have removed the file since it was opened.
            if os.path.samestat(os.fstat(file), path.stat()):
                break
            os.close(file)
        except BlockingIOError as error:
            holder = os.read(file, 1000).decode("utf-8", "replace") or "another run"
            os.close(file)
            raise InputError(
                f"{place} is being written by {holder}: wait for it, or choose another"
                " output"
            ) from error
        except FileNotFoundError:
            os.close(file)
        except OSError:  # A file system without locks.
            break
    words = " ".join(sys.argv[1:3])
    started = time.strftime("%Y-%m-%d %H:%M:%S")
    text = f"process {os.getpid()} on {platform.node()} (nst {words}, since {started})"
    try:
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, text.encode("utf-8", "replace"))
    except OSError:  # Such as of a full disk.
        path.unlink()
        os.close(file)
        raise
    return file


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells an existing file from all others."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
