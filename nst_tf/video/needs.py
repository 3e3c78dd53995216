"""The packages of the extra `video`, and FFmpeg's errors in our words."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

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


@contextlib.contextmanager
def shared_processor() -> Iterator[None]:
    """Take back the precedence that an encoder gives itself while it is opened.

    For the administrator, such as in a container, SVT-AV1 puts its threads and the one
    that calls it before all other work of the machine, and what they start inherits
    that: two threads that wait by spinning then stop everything else for ever.
    """
    if not hasattr(os, "sched_getscheduler"):  # Linux alone has both.
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        for task in Path("/proc/self/task").iterdir():
            with contextlib.suppress(OSError):  # It has ended since.
                if os.sched_getscheduler(int(task.name)) != policy:
                    os.sched_setscheduler(int(task.name), policy, parameters)


def quiet_ffmpeg() -> None:
    """Keep FFmpeg's remarks off the terminal; what goes wrong is raised."""
    import av.logging

    os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 has a log of its own: errors alone.
    # Any other level calls back into Python: FFmpeg's threads would wait for the
    # interpreter while it waits for them to end.
    av.logging.set_level(None)
