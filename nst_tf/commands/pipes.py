"""`-` and pipes among the files of a command: standard input and output."""

import contextlib
import dataclasses
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from nst_tf.settings.checks import InputError

Job = TypeVar("Job", bound=Any)
_STDIN = (Path("-"), Path("/dev/stdin"), Path("/dev/fd/0"))
_STDOUT = (Path("-"), Path("/dev/stdout"), Path("/dev/fd/1"))


def is_stdout(output: Path) -> bool:
    """Tell whether an output means standard output."""
    return output in _STDOUT


@contextlib.contextmanager
def piped(job: Job, *inputs: str) -> Iterator[Job]:
    """Give a job whose files are all files on the disk.

    What comes through a pipe is kept in a folder of its own while the block runs: a
    run reads its pictures more than once. What is written for standard output, in that
    folder too, goes there at the end, and what is printed to standard error instead.

    Args:
        job: A dataclass with `output` and `quiet`.
        inputs: Names of its fields that are a path or its text, or several, or None.

    Raises:
        InputError: Standard input is wanted twice, or is a terminal; a stream is
            closed, or there is no room to keep what comes.
    """
    with contextlib.ExitStack() as stack:
        changes: dict[str, Any] = {}
        folder: Path | None = None
        read = made = 0

        def place() -> Path:
            nonlocal folder
            if folder is None:
                try:
                    inside = tempfile.TemporaryDirectory(prefix="nst-")
                except OSError as error:
                    raise _no_room(error) from error
                folder = Path(stack.enter_context(inside))
            return folder

        def kept(given: Path | str) -> Path | str:
            nonlocal read, made
            path = Path(given)
            if not _is_pipe(path):
                return given
            if path in _STDIN:
                read += 1
                if read > 1:
                    raise InputError("standard input can be one file, not several")
            made += 1
            inside = place() / ("stdin" if path in _STDIN else f"pipe{made}")
            data = _read(path)
            try:
                inside.write_bytes(data)
            except OSError as error:
                raise _no_room(error) from error
            return type(given)(inside)

        for name in inputs:
            value = getattr(job, name)
            if isinstance(value, tuple):
                changes[name] = tuple(map(kept, value))
            elif value is not None:
                changes[name] = kept(value)
        output = job.output
        if output is None or not is_stdout(Path(output)):
            yield dataclasses.replace(job, **changes)
            return
        if sys.__stdout__ is None:
            raise InputError("standard output is closed: send it to a file")
        if sys.stdout.isatty():
            raise InputError("standard output is a terminal: send it to a file")
        picture = place() / "stdout.png"
        with contextlib.redirect_stdout(sys.stderr):
            yield dataclasses.replace(
                job, **changes, output=type(output)(picture), quiet=True
            )
        if picture.exists():
            sys.stdout.buffer.write(picture.read_bytes())
            sys.stdout.buffer.flush()


def _no_room(error: OSError) -> InputError:
    return InputError(
        "what comes through a pipe can't be kept in the folder for temporary files:"
        f" {error}; set TMPDIR to one that has room"
    )


def _is_pipe(path: Path) -> bool:
    if path in _STDIN:
        return path == Path("-") or not stat.S_ISREG(os.fstat(0).st_mode)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)


def _read(path: Path) -> bytes:
    if path not in _STDIN:
        return path.read_bytes()
    if sys.__stdin__ is None:
        raise InputError("standard input is closed: send a picture to it")
    if sys.stdin.isatty():
        raise InputError("standard input is a terminal: send a picture to it")
    return sys.stdin.buffer.read()
