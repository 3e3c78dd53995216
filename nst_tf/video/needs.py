"""The packages of the extra `video`, and FFmpeg's errors in our words."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nst_tf.settings.checks import InputError


@contextlib.contextmanager
def worded(doing: str, path: Path) -> Iterator[None]:
    """Turn what FFmpeg or the system raises into an InputError.

    Args:
        doing: Such as `can't read`.
        path: The file.
    """
    import av.error

    try:
        yield
    except InputError:
        raise
    except (av.error.FFmpegError, OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{doing} {path}: {reason}") from error


def damaged() -> tuple[type[Exception], ...]:
    """Return what is raised of a packet that can't be decoded.

    Some of FFmpeg's decoders have no code for it: -1 is the system's EPERM.
    """
    from av import error

    return error.InvalidDataError, error.PatchWelcomeError, error.PermissionError


@contextlib.contextmanager
def shared_processor() -> Iterator[None]:
    """Take back the precedence that an encoder gives itself while it is opened.

    For the administrator, such as in a container, SVT-AV1 puts its threads and the one
    that calls it before all other work of the machine, and what they start inherits
    that: two threads that wait by spinning then stop everything else for ever.
    """
    before = _ranks()
    try:
        yield
    finally:
        mine = before.get(threading.get_native_id())
        for task, rank in _ranks().items():
            usual = before.get(task, mine)  # A new thread gets that of its maker.
            if usual is not None and rank[0] != usual[0]:
                with contextlib.suppress(OSError):  # It has ended since.
                    os.sched_setscheduler(task, *usual)


def _ranks() -> dict[int, tuple[int, Any]]:
    """Return policy and parameters of each thread of the process, by its number.

    Empty where the system does not tell: other systems than Linux, and musl's.
    """
    found = {}
    for task in Path("/proc/self/task").glob("*"):
        with contextlib.suppress(OSError, AttributeError):
            number = int(task.name)
            found[number] = os.sched_getscheduler(number), os.sched_getparam(number)
    return found


def quiet_ffmpeg() -> None:
    """Keep FFmpeg's remarks off the terminal; what goes wrong is raised."""
    import av.logging

    os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 has a log of its own: errors alone.
    # Any other level calls back into Python: FFmpeg's threads would wait for the
    # interpreter while it waits for them to end.
    av.logging.set_level(None)
