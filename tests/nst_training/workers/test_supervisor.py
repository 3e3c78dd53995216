"""A worker's child ends in every way it can, and the others hear of it."""

import concurrent.futures
import os
import signal
import time

import pytest

from nst_tf import InputError
from nst_training.workers.place import Place
from nst_training.workers.rollcall import free_port
from nst_training.workers.share import Share
from nst_training.workers.supervisor import supervised


def work(kind, share, coordinator):
    """Do what a kind of worker 1 does; worker 0 would go on for long."""
    assert coordinator
    if kind == "done":
        return 0
    if share.rank == 0:
        time.sleep(60)
    if kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "refused":
        raise InputError("the batch is odd")
    raise ZeroDivisionError


def both(kind):
    """Return the exit codes of two workers, or what they refuse."""
    port = free_port()

    def one(rank):
        place = Place(Share(rank, 2), "127.0.0.1", port)
        try:
            return supervised(place, 20.0, dict, work, (kind,))
        except InputError as error:
            return str(error)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        return list(pool.map(one, (0, 1)))


@pytest.mark.parametrize(
    ("kind", "codes", "said"),
    [
        ("done", [0, 0], ""),
        ("killed", [75, 75], "worker 1 was ended by SIGKILL. Start all workers again"),
        ("refused", ["worker 1: the batch is odd", "the batch is odd"], ""),
        ("failed", [1, 1], "ZeroDivisionError"),
    ],
)
def test_what_becomes_of_one_becomes_of_all(kind, codes, said, capsys):
    assert both(kind) == codes
    assert said in capsys.readouterr().err


def test_facts_that_can_not_be_found_are_told_to_all():
    port = free_port()

    def missing():
        raise InputError("there is no photograph")

    def one(rank):
        place = Place(Share(rank, 2), "127.0.0.1", port)
        with pytest.raises(InputError) as caught:
            supervised(place, 20.0, missing if rank else dict, work, ("done",))
        return str(caught.value)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        first, second = pool.map(one, (0, 1))
    assert first == "worker 1: there is no photograph"
    assert second == "there is no photograph"
