"""Workers that are processes of this machine."""

import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from nst_export.bulk.tasks import Result, Setup, Task
from nst_export.bulk.worker import Worker
from nst_tf.commands.console import Flag
from nst_tf.storage import Store

LOST = "its worker died, and others that tried again"
"""What is said of a photograph that ends its workers."""
_worker: Worker | None = None


def paint(
    setup: Setup, tasks: Sequence[Task], *, workers: int, batch: int, stop: Flag
) -> Generator[Result, None, None]:
    """Paint photographs in processes; one worker paints in this process.

    What workers that died had in hand is tried again one by one, at last with nothing
    beside it: so one that ends every worker is known, and the others are painted.

    Args:
        setup: What the workers have in common.
        tasks: The photographs.
        workers: How many processes.
        batch: Photographs that a worker is handed at once.
        stop: No more are handed out when it is set.

    Yields:
        Each photograph's result, once, in no order.
    """
    if workers == 1:
        worker = Worker(setup)
        for task in tasks:
            if stop.is_set:
                return
            yield from worker([task])
        return
    left = tasks
    for size, beside, ahead in (
        (batch, workers, 2 * workers),  # One waits for every worker.
        (1, workers, workers),
        (1, 1, 1),
    ):
        starts = range(0, len(left), size)
        parts = (list(left[start : start + size]) for start in starts)
        if left and not stop.is_set:
            left = yield from _hand_out(setup, parts, beside, ahead, stop)
    if not stop.is_set:
        for task in left:
            yield Result(Store(task.place).url(task.name), task.output, error=LOST)


def _hand_out(
    setup: Setup,
    parts: Iterator[list[Task]],
    workers: int,
    ahead: int,
    stop: Flag,
) -> Generator[Result, None, list[Task]]:
    """Yield results; return what workers that died had in hand."""
    lost: list[Task] = []
    running: dict[Future[list[Result]], list[Task]] = {}
    pool = _pool(setup, workers)
    try:
        while True:
            broken = False
            while len(running) < ahead and not stop.is_set:
                if (part := next(parts, None)) is None:
                    break
                try:
                    running[pool.submit(_paint, part)] = part
                except BrokenProcessPool:  # One died with nothing in hand.
                    parts, broken = itertools.chain([part], parts), True
                    break
            if not running and not broken:
                return lost
            done = wait(running, return_when=FIRST_COMPLETED).done
            while done:
                future = done.pop()
                part = running.pop(future)
                try:
                    yield from future.result()
                except BrokenProcessPool:
                    lost += part
                    broken = True
                    done |= set(running)  # They end with the pool, well or not.
            if broken:
                pool.shutdown()
                pool = _pool(setup, workers)
    finally:
        pool.shutdown(cancel_futures=True)


def _pool(setup: Setup, workers: int) -> ProcessPoolExecutor:
    # Not forked: an engine's threads do not live on in a copy.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, context, initializer=_start, initargs=(setup,))


def _start(setup: Setup) -> None:
    """Make the worker of this process."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent says when to end.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker = Worker(setup)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _paint(tasks: list[Task]) -> list[Result]:
    assert _worker is not None
    return _worker(tasks)
