"""A worker's work in a process of its own, and what happens when one is lost.

JAX ends a process whose peer is gone, at once and with a stack trace. So the work is
done by a child; this process speaks with those of the other workers, ends the child
when one of them is lost, says so, and knows the exit code.
"""

import contextlib
import math
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

from nst_tf.commands import INTERRUPTED, LOST, PROGRAM, REFUSED
from nst_tf.settings.checks import InputError
from nst_training.workers.place import Place
from nst_training.workers.rollcall import Line, compared, meeting, refuse
from nst_training.workers.share import Share

Work = Callable[..., int]
"""Takes its arguments, a share and JAX's address; returns the exit code."""
_FAILED = 1
_BLAME = 3.0
"""Seconds to wait for the news that another is gone, after the child has failed."""
_PART = 60.0
"""Seconds in which the child must end after another worker's has."""


def supervised(
    place: Place,
    wait: float,
    facts: Callable[[], Mapping[str, Any]],
    work: Work,
    arguments: tuple[Any, ...],
) -> int:
    """Do the work of a worker; return its exit code, `LOST` when one is gone.

    Args:
        place: Which worker this is.
        wait: Seconds in which the others must have come.
        facts: Returns what must be the same for all workers, JSON-ready.
        work: Of a module; done in a process of its own.
        arguments: Its first ones, which pickle.

    Raises:
        InputError: The others don't come, or are about to do something else.
    """
    with meeting(place, wait) as lines:
        try:
            mine = facts()
        except InputError as error:
            refuse(lines, f"worker {place.share.rank}: {error}")
            raise
        coordinator = compared(place, lines, mine)
        spawning = multiprocessing.get_context("spawn")
        told, tell = spawning.Pipe(duplex=False)
        child = spawning.Process(
            target=_worker,
            args=(tell, work, arguments, place.share, coordinator),
            daemon=True,
        )
        child.start()
        tell.close()
        with _forwarding(child):
            end = _watched(child, lines, told, f"worker {place.share.rank}")
        for line in lines.values():
            line.say(end=end.code, why=end.why)
    if end.code == REFUSED:
        raise InputError(end.here)
    if end.here:
        print(f"{PROGRAM}: error: {end.here}", file=sys.stderr)
    return end.code


class _End(NamedTuple):
    """How the work has ended: the exit code, and what the others and this one say."""

    code: int
    why: str = ""
    here: str = ""


def _watched(
    child: BaseProcess, lines: Mapping[int, Line], told: Connection, name: str
) -> _End:
    """Wait until the child ends, or must because of another worker."""
    others = dict(lines)
    deadline = math.inf
    while True:
        left = None if deadline == math.inf else max(0.0, deadline - time.monotonic())
        waited: list[Any] = [child.sentinel, *others.values()]
        ready = multiprocessing.connection.wait(waited, left)
        if (bad := _news(others, ready)) is not None:
            _kill(child)
            return bad
        if child.sentinel in ready:
            break
        if len(others) < len(lines):
            deadline = min(deadline, time.monotonic() + _PART)
        if time.monotonic() > deadline:
            _kill(child)
            return _lost(f"{name} has not ended with the others")
    child.join()
    code = child.exitcode or 0
    if code in (0, INTERRUPTED):
        return _End(code)
    if code == REFUSED:
        here = _heard(told)
        return _End(code, f"{name}: {here}", here)
    # Whose fault was it? The child may have failed because another is gone.
    until = time.monotonic() + _BLAME
    while others and (left := until - time.monotonic()) > 0:
        waited = [*others.values()]
        ready = multiprocessing.connection.wait(waited, left)
        if (bad := _news(others, ready)) is not None:
            return bad
    if code < 0:
        return _lost(f"{name} was ended by {signal.Signals(-code).name}")
    return _End(code, f"{name} has failed: see what it says", _heard(told))


def _heard(told: Connection) -> str:
    """Return what the child has said before it ended."""
    try:
        return str(told.recv())
    except EOFError:
        return "the work ended without a word"


def _news(others: dict[int, Line], ready: Sequence[Any]) -> _End | None:
    """Take out of `others` those that have ended; return a bad end, if any."""
    for rank, line in list(others.items()):
        if line in ready:
            del others[rank]
            said = line.hear() or {}
            if "end" not in said:
                return _lost(f"worker {rank} is gone")
            if said["end"] not in (0, INTERRUPTED):
                return _End(said["end"], said["why"], said["why"])
    return None


def _lost(what: str) -> _End:
    why = (
        f"{what}. Start all workers again with --resume: they go on from the last state"
    )
    return _End(LOST, why, why)


def _kill(child: BaseProcess) -> None:
    child.kill()
    child.join()


@contextlib.contextmanager
def _forwarding(child: BaseProcess) -> Iterator[None]:
    """Hand Ctrl-C and SIGTERM to the child, which saves its state and ends."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Ray's worker, which gets none.
        return

    def forward(number: int, _: Any) -> None:
        if child.pid is not None and child.is_alive():
            os.kill(child.pid, number)

    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, forward) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def _worker(
    tell: Connection,
    work: Work,
    arguments: tuple[Any, ...],
    share: Share,
    coordinator: str,
) -> None:
    """Do the work in this process, and end it with the exit code."""
    os.setpgid(0, 0)  # A terminal's Ctrl-C comes once: by the parent.
    threading.Thread(target=_follow_parent, daemon=True).start()
    try:
        code = work(*arguments, share, coordinator)
    except InputError as error:
        tell.send(str(error))
        code = REFUSED
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BaseException:
        tell.send(traceback.format_exc())
        code = _FAILED
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)  # JAX would wait for workers that may be gone.


def _follow_parent() -> None:
    """End when the parent does, however that ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(LOST)
