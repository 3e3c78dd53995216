"""The worker threads and their queue, without HTTP."""

import threading
from concurrent.futures import CancelledError

import pytest

from nst_export.server.workers import FullError, LateError, Workers


@pytest.fixture
def workers():
    made = Workers(1, 2, clock=lambda: 10.0)
    made.start()
    yield made
    made.close()


def blocked(workers):
    """Occupy the only worker; return what lets it go."""
    go, begun = threading.Event(), threading.Event()

    def work(_):
        begun.set()
        go.wait()

    workers.submit(work, 20.0)
    begun.wait()
    return go


def test_a_job_gets_its_workers_number_and_gives_its_result(workers):
    assert workers.submit(lambda index: ("made", index), 20.0).result() == ("made", 0)


def test_what_a_job_raises_is_the_futures_and_the_worker_goes_on(workers):
    with pytest.raises(ZeroDivisionError):
        workers.submit(lambda _: 1 / 0, 20.0).result()
    assert workers.submit(lambda _: 7, 20.0).result() == 7
    assert workers.busy == 0


def test_a_full_queue_refuses_and_says_when_to_come_back(workers):
    go = blocked(workers)
    waiting = [workers.submit(lambda _: 1, 20.0) for _ in range(2)]
    with pytest.raises(FullError):
        workers.submit(lambda _: 1, 20.0)
    assert (workers.waiting, workers.busy) == (2, 1)
    workers.seconds = 4.0
    assert workers.retry_after == 12  # Three jobs of four seconds, one worker.
    go.set()
    assert [future.result() for future in waiting] == [1, 1]


def test_a_job_whose_deadline_passed_is_not_begun(workers):
    begun = []
    future = workers.submit(begun.append, 9.0)
    with pytest.raises(LateError):
        future.result()
    assert begun == []


def test_a_job_taken_back_is_not_begun(workers):
    go, begun = blocked(workers), []
    future = workers.submit(begun.append, 20.0)
    assert future.cancel()
    assert workers.waiting == 0
    go.set()
    with pytest.raises(CancelledError):
        future.result()
    assert workers.submit(lambda _: 1, 20.0).result() == 1
    assert begun == []


def test_a_job_taken_back_leaves_its_place_to_the_next(workers):
    go = blocked(workers)
    gone, kept = (workers.submit(lambda _, n=n: n, 20.0) for n in range(2))
    assert gone.cancel()
    last = workers.submit(lambda _: 2, 20.0)
    with pytest.raises(FullError):
        workers.submit(lambda _: 3, 20.0)
    go.set()
    assert [kept.result(), last.result()] == [1, 2]


def test_closing_finishes_what_was_accepted_and_refuses_the_rest():
    workers = Workers(2, 4, clock=lambda: 0.0)
    done = [workers.submit(lambda _, n=n: n, 1.0) for n in range(4)]
    workers.start()
    workers.close()
    assert [future.result() for future in done] == [0, 1, 2, 3]
    with pytest.raises(FullError):
        workers.submit(lambda _: 1, 1.0)
