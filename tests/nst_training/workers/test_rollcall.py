"""Workers meet: all, some, the wrong ones, someone else."""

import concurrent.futures
import contextlib
import socket

from nst_tf import InputError
from nst_training.workers.place import Place
from nst_training.workers.rollcall import compared, free_port, meeting
from nst_training.workers.share import Share

FACTS = {"version": "1.0", "steps": 10}


def met(place, facts, wait=5.0):
    """Return JAX's address, or what is refused."""
    try:
        with meeting(place, wait) as lines:
            return compared(place, lines, facts)
    except InputError as error:
        return str(error)


def all_met(facts, places=None, wait=5.0):
    port = free_port()
    places = places or [(rank, len(facts)) for rank in range(len(facts))]
    with concurrent.futures.ThreadPoolExecutor(len(facts)) as pool:
        futures = [
            pool.submit(met, Place(Share(*place), "127.0.0.1", port), fact, wait)
            for place, fact in zip(places, facts, strict=True)
        ]
        return [future.result() for future in futures]


def test_workers_that_are_alike_get_one_address():
    found = all_met([FACTS] * 3)
    assert len(set(found)) == 1
    assert found[0].startswith("127.0.0.1:")


def test_a_worker_of_another_version_is_refused_by_all():
    found = all_met([FACTS, {**FACTS, "version": "0.9"}, FACTS])
    line = "worker 1 belongs to another run; it differs in version (there 0.9, now 1.0)"
    assert found == [line] * 3


def test_two_workers_of_one_rank_are_refused():
    first, *_ = all_met([FACTS] * 3, [(0, 3), (1, 3), (1, 3)])
    assert "there is a worker 1 of 3" in first


def test_a_worker_that_counts_others_is_refused():
    found = all_met([FACTS] * 2, [(0, 2), (1, 5)])
    assert all("a worker 1 of 5 where those of 2 meet" in line for line in found)


def test_one_that_does_not_come_is_named():
    found = all_met([FACTS] * 2, [(0, 3), (1, 3)], wait=0.5)
    assert all("worker 2 did not come to 127.0.0.1:" in line for line in found)


def test_an_address_that_answers_nothing_is_said():
    place = Place(Share(1, 2), "127.0.0.1", free_port())
    assert "nothing answers at" in met(place, FACTS, wait=0.3)


def test_what_is_no_worker_is_sent_away():
    port = free_port()
    places = [Place(Share(rank, 2), "127.0.0.1", port) for rank in (0, 1)]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        first = pool.submit(met, places[0], FACTS)
        stranger = None
        while stranger is None:
            with contextlib.suppress(OSError):
                stranger = socket.create_connection(("127.0.0.1", port))
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert pool.submit(met, places[1], FACTS).result() == first.result()
        stranger.close()


def test_an_address_of_something_else_is_said():
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = Place(Share(1, 2), "127.0.0.1", server.getsockname()[1])
        with concurrent.futures.ThreadPoolExecutor() as pool:
            future = pool.submit(met, place, FACTS)
            other, _ = server.accept()
            other.sendall(b"220 welcome\n")
            assert "is no nst train" in future.result()
            other.close()


def test_a_worker_that_leaves_before_it_says_what_it_does_is_told_of():
    port = free_port()

    def leaves():
        with meeting(Place(Share(1, 2), "127.0.0.1", port), 5.0):
            pass

    with concurrent.futures.ThreadPoolExecutor() as pool:
        first = pool.submit(met, Place(Share(0, 2), "127.0.0.1", port), FACTS)
        pool.submit(leaves).result()
        assert first.result() == "worker 1 has ended: see what it says"
