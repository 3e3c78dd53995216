"""Stages of work side by side, joined by short queues: none runs far ahead."""

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
_DEPTH = 3
"""Frames that may wait between two stages."""
_NICE = 5
"""How far the stages beside the network stand back from it, of 19: its threads wait for
each other, so a processor taken from one is taken from all."""


def _stand_back() -> None:
    """Let this thread, and those that it starts, yield to the painting one (Linux)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


@contextlib.contextmanager
def ahead(items: Iterator[Item], depth: int = _DEPTH) -> Iterator[Iterator[Item]]:
    """Let a thread fetch the items of an iterator a little ahead.

    What the iterator raises is raised where its items are taken.
    """
    ready: queue.Queue[tuple[str, Any]] = queue.Queue(depth)
    left = threading.Event()

    def put(kind: str, value: Any) -> bool:
        while not left.is_set():
            with contextlib.suppress(queue.Full):
                ready.put((kind, value), timeout=0.1)
                return True
        return False

    def fetch() -> None:
        _stand_back()
        try:
            for item in items:
                if not put("item", item):
                    return
            put("end", None)
        except BaseException as error:  # It belongs to who takes the items.
            put("error", error)
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()

    def take() -> Iterator[Item]:
        while True:
            kind, value = ready.get()
            if kind == "error":
                raise value
            if kind == "end":
                return
            yield value

    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    try:
        yield take()
    finally:
        left.set()
        thread.join()


class Behind(Generic[Item]):
    """A thread that works through items in their order, as a context manager.

    What the work raises is raised by the next `put`, or by `close`.

    Args:
        work: Called with each item.
        depth: Items that may wait.
    """

    def __init__(self, work: Callable[[Item], None], depth: int = _DEPTH) -> None:
        self._work = work
        self._waiting: queue.Queue[Item | None] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Hand over an item; wait while too many wait already."""
        while True:
            self._check()
            with contextlib.suppress(queue.Full):
                self._waiting.put(item, timeout=0.1)
                return

    def close(self) -> None:
        """Wait until all is done."""
        while self._thread.is_alive():
            with contextlib.suppress(queue.Full):
                self._waiting.put(None, timeout=0.1)
                break
        self._thread.join()
        self._check()

    def __enter__(self) -> "Behind[Item]":
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self.close()
            return
        with contextlib.suppress(BaseException):
            self.close()

    def _run(self) -> None:
        _stand_back()
        while (item := self._waiting.get()) is not None:
            try:
                self._work(item)
            except BaseException as error:  # It belongs to who hands the items over.
                self._error = error
                return

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
