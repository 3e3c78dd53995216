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


def quiet_ffmpeg() -> None:
    """Keep FFmpeg's remarks off the terminal; what goes wrong is raised."""
    import av.logging

    os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 has a log of its own: errors alone.
    # Any other level calls back into Python: FFmpeg's threads would wait for the
    # interpreter while it waits for them to end.
    av.logging.set_level(None)
