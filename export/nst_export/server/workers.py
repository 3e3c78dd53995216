"""Worker threads behind a bounded queue."""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple


class FullError(Exception):
    """The queue is full, or the server is stopping."""


class LateError(Exception):
    """The deadline passed before a worker was free, or had done its work."""


class _Job(NamedTuple):
    work: Callable[[int], Any]
    future: "Future[Any]"
    deadline: float


class Workers:
    """Threads that each run one job at a time.

    Args:
        count: Number of threads.
        size: Jobs that may wait.
        clock: Seconds that deadlines are compared with.
    """

    def __init__(
        self,
        count: int,
        size: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.count, self.clock = count, clock
        self.busy = 0
        self.seconds = 0.0
        """Moving average of a job's duration."""
        self._size = size
        self._jobs: deque[_Job] = deque()
        self._open = True
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads, if they don't run; jobs that wait are begun.

        They are daemons: an application that never ends this one may end itself.
        """
        with self._lock:
            if self._threads or not self._open:
                return
            self._threads = [
                threading.Thread(
                    target=self._run, args=(index,), name=f"worker-{index}", daemon=True
                )
                for index in range(self.count)
            ]
            for thread in self._threads:
                thread.start()

    def reopen(self) -> None:
        """Take jobs again after `close`."""
        with self._lock:
            self._open = True
        self.start()

    @property
    def ready(self) -> bool:
        """Whether a job would be run: threads live, and a place is free."""
        with self._lock:
            live = any(thread.is_alive() for thread in self._threads)
            return self._open and live and len(self._jobs) < self._size

    @property
    def waiting(self) -> int:
        """Number of jobs that wait."""
        return len(self._jobs)

    @property
    def retry_after(self) -> int:
        """Seconds after which the present queue will be done, at least 1."""
        jobs = self.waiting + self.busy
        return max(1, round(jobs * self.seconds / self.count))

    def submit(self, work: Callable[[int], Any], deadline: float) -> "Future[Any]":
        """Queue `work`, which gets the number of the thread that runs it.

        The future's `cancel` takes a job back that has not begun, and gives its place
        to the next. A job whose deadline passed while it waited fails with `LateError`.

        Raises:
            FullError: No place is left.
        """
        future: Future[Any] = Future()
        with self._lock:
            if not self._open or len(self._jobs) >= self._size:
                raise FullError
            self._jobs.append(_Job(work, future, deadline))
            self._changed.notify()
        future.add_done_callback(self._drop)
        return future

    def _drop(self, future: "Future[Any]") -> None:
        """Take a job out of the queue that was taken back."""
        if future.cancelled():
            with self._lock:
                self._jobs = deque(job for job in self._jobs if job.future != future)

    def close(self) -> None:
        """Refuse new jobs, finish those accepted, end the threads."""
        with self._lock:
            self._open = False
            threads, self._threads = self._threads, []
            self._changed.notify_all()
        for thread in threads:
            thread.join()

    def _next(self) -> _Job | None:
        """Wait for a job; None when the last one is done and no more are taken."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or not self._open)
            return self._jobs.popleft() if self._jobs else None

    def _run(self, index: int) -> None:
        while (job := self._next()) is not None:
            if not job.future.set_running_or_notify_cancel():
                continue
            start = self.clock()
            if start > job.deadline:
                job.future.set_exception(LateError())
                continue
            with self._lock:
                self.busy += 1
            try:
                job.future.set_result(job.work(index))
            except BaseException as error:
                job.future.set_exception(error)
            took = self.clock() - start
            with self._lock:
                self.busy -= 1
                self.seconds += 0.2 * (took - self.seconds) if self.seconds else took
            del job  # Else it keeps its pictures until the next one comes.
