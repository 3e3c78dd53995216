"""What the programs share: a quiet start, signals, what is read, a bar."""

import contextlib
import os
import signal
import sys
import tempfile
import time
import typing
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from nst_tf.commands import PROGRAM
from nst_tf.files import sha256
from nst_tf.settings.checks import InputError

Settings = TypeVar("Settings", bound=Any)


def import_quietly() -> None:
    """Load the backend without the lines that TensorFlow writes.

    They come before its own log level is read.
    """
    import logging

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # What it says of functions that are traced again is no concern of who paints.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with silence():
        from nst_tf.backend.precision import has_gpu

        has_gpu()


@contextlib.contextmanager
def silence(*descriptors: int) -> Iterator[None]:
    """Keep what libraries write to a file descriptor; show it if the program fails.

    An `InputError` is enough by itself.

    Args:
        *descriptors: Standard error's, 2, without any.
    """
    with contextlib.ExitStack() as stack:
        for number in descriptors or (2,):
            stack.enter_context(_kept_back(number))
        yield


@contextlib.contextmanager
def _kept_back(number: int) -> Iterator[None]:
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(number)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), number)
        try:
            yield
        except InputError:  # Which says what is wrong itself.
            raise
        except BaseException:
            sink.seek(0)
            os.write(kept, sink.read())
            raise
        finally:
            os.dup2(kept, number)
            os.close(kept)


class Flag:
    """A signal that has arrived."""

    is_set = False


@contextlib.contextmanager
def interruptible() -> Iterator[Flag]:
    """Turn a first Ctrl-C, SIGTERM or SIGHUP into a flag; another Ctrl-C breaks off."""
    flag = Flag()

    def handle(number: int, _: Any) -> None:
        if flag.is_set and number == signal.SIGINT:
            raise KeyboardInterrupt
        flag.is_set = True

    signals = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)  # A terminal closed; not on Windows.
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        signals.append(hangup)
    before = [signal.signal(number, handle) for number in signals]
    try:
        yield flag
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def resuming(state: Path, *, wanted: bool, quiet: bool) -> bool:
    """Tell whether a run goes on from a saved state; refuse to lose one.

    Args:
        state: Where an interrupted run leaves it.
        wanted: Whether `--resume` is given.
        quiet: Do not say that there is nothing to go on from.

    Raises:
        InputError: There is a state, and it is not wanted.
    """
    if state.exists() and not wanted:
        raise InputError(
            f"an interrupted run left {state}: add --resume to finish it, or delete it"
            " to start anew"
        )
    if wanted and not state.exists() and not quiet:
        print(f"there is no {state} to resume: starting anew", file=sys.stderr)
    return wanted and state.exists()


def choose(settings: Settings, *, quiet: bool) -> Settings:
    """Return settings of a run that name their loss network; say what was chosen."""
    from nst_tf.loss.choice import describe_choice, with_network

    line = describe_choice(settings.extractor)
    if line and not quiet:
        print(line, file=sys.stderr)
    return with_network(settings)


def image_files(folder: Path, *, quiet: bool, leave: Iterable[Path] = ()) -> list[Path]:
    """Return the image files below a folder; say what else there is.

    Args:
        folder: Searched recursively.
        quiet: Do not say it.
        leave: As `Folder` takes it.

    Raises:
        InputError: No such folder, or no image file in it.
    """
    from nst_tf.imaging.folder import Folder

    found = Folder(folder, leave=leave)
    if found.passed_over and not quiet:
        print(f"{PROGRAM}: {folder}: {found.passed_over}", file=sys.stderr)
    return found.files


def fingerprint(path: Path) -> dict[str, str]:
    """Return what tells an input file from another, for a picture's metadata."""
    return {"name": path.name, "sha256": sha256(path)}


class Rate:
    """How often something happens, over the last few seconds."""

    def __init__(self, window: float = 5.0) -> None:
        self.window = window
        self.times = [time.monotonic()]

    def tick(self) -> float:
        """Note that it happened; return how often a second."""
        now = time.monotonic()
        while len(self.times) > 2 and now - self.times[0] > self.window:
            self.times.pop(0)
        self.times.append(now)
        return (len(self.times) - 1) / max(now - self.times[0], 1e-9)


def precise(value: float) -> str:
    """Write a loss in full."""
    return f"{value:,.0f}" if value >= 10_000 else f"{value:.5g}"


def short(value: float) -> str:
    """Write a loss in few characters."""
    return f"{value / 1000:,.0f}k" if value >= 10_000 else f"{value:.4g}"


@contextlib.contextmanager
def progress(
    total: int, done: int, *, fields: tuple[str, ...], quiet: bool
) -> Iterator[Callable[..., None]]:
    """Draw a bar on standard error; yield the function that moves it.

    Args:
        total: Steps of the whole run.
        done: Steps made before.
        fields: Names of the texts behind the bar; the function takes them by name.
        quiet: Draw nothing.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        BarColumn(bar_width=12),
        MofNCompleteColumn(),
        *(TextColumn(f"{{task.fields[{name}]}}") for name in fields),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        disable=quiet,
    )
    texts: dict[str, Any] = dict.fromkeys(fields, "")
    task = bar.add_task("", total=total, completed=done, **texts)

    def show(completed: int, **values: str) -> None:
        bar.update(task, completed=completed, **typing.cast(Any, values))

    with bar:
        yield show
