"""Workers that are actors of a Ray cluster, fed by Ray Data.

Only names and results travel through the cluster's object store: a worker reads its
photographs from the storage and writes the pictures there. So the store stays small
whatever the pictures' size, and no byte crosses the network twice.

Reference: https://docs.ray.io/en/latest/data/batch_inference.html
"""

import contextlib
import logging
import os
import socket
import subprocess
import sys
import warnings
from collections.abc import Generator, Iterator, Sequence
from typing import Any

from nst_export.bulk.local import LOST
from nst_export.bulk.stores import Store
from nst_export.bulk.tasks import Result, Setup, Task
from nst_export.bulk.worker import Worker
from nst_tf.commands.console import Flag, silence
from nst_tf.settings.checks import InputError

STORE_BYTES = 300_000_000
"""Object store of a cluster that is started here."""
SHARD = 50_000
"""Photographs of one data set: what Ray keeps for each does not grow with all."""
_RETRIES = 2
_TCP_SECONDS, _CHECK_SECONDS = 4.0, 10.0


@contextlib.contextmanager
def cluster(address: str, cpus: int) -> Iterator[None]:
    """Connect to a cluster, or start one on this machine; leave it at the end.

    Nothing is told to anyone (usage statistics), and no dashboard is started.

    Args:
        address: HOST:PORT of the head, `auto` for the cluster of this machine, "" for
            that of RAY_ADDRESS or else a new one.
        cpus: Of a new one.

    Raises:
        InputError: Nothing answers there, or a Ray or Python of another version.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # Else it warns on stderr.
    os.environ.setdefault("RAY_worker_niceness", "0")  # 15: behind all else that runs.
    address = address or os.environ.get("RAY_ADDRESS", "")
    if address not in ("", "auto", "local"):
        check_address(address)
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address in ("", "local"):
        quiet |= {
            "address": "local",
            "num_cpus": cpus,
            "include_dashboard": False,
            "object_store_memory": STORE_BYTES,
        }
    else:
        quiet["address"] = address
    try:
        with warnings.catch_warnings(), silence():
            warnings.simplefilter("ignore")
            ray.init(**quiet)
    except (Exception, SystemExit) as error:  # A slow start is a bare Exception.
        reason = str(error).strip().splitlines() or ["it ended"]
        raise InputError(
            f"can't reach the Ray cluster {address or 'of this machine'}: {reason[0]}"
        ) from error
    try:
        # What it tells of workers that died is printed, whatever is asked for.
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        ray.shutdown()


def check_address(address: str) -> None:
    """Make sure within 15 seconds that a Ray cluster answers.

    Ray itself waits for two minutes.

    Args:
        address: HOST:PORT of its head.

    Raises:
        InputError: None does, or the address has another form.
    """
    if address.startswith("ray://"):
        raise InputError(
            f"{address} is one of Ray Client, which Ray Data does not run through: give"
            " HOST:PORT of the head (6379), or start nst with ray job submit"
        )
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise InputError(f"a Ray address is HOST:PORT or auto, got {address}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _TCP_SECONDS).close()
    except OSError as error:
        raise InputError(f"no Ray cluster answers at {address}: {error}") from error
    # In a process of its own: Ray's client ends the program that it can't connect.
    program = "import sys; from ray.scripts.scripts import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "health-check", "--address", address]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_CHECK_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(
            f"what answers at {address} is no Ray cluster, or one that hangs"
        ) from error
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no answer"]
        raise InputError(f"no Ray cluster answers at {address}: {lines[-1]}")


def cluster_cpus() -> int:
    """Return the processors of the connected cluster."""
    import ray

    found: dict[str, float] = ray.cluster_resources()
    return int(found.get("CPU", 1))


def paint(
    setup: Setup, tasks: Sequence[Task], *, workers: int, batch: int, stop: Flag
) -> Generator[Result, None, None]:
    """Paint photographs in the cluster that is connected.

    A worker that dies is started again, and what it had in hand is painted anew, at
    last one by one; what ends every worker that tries it is left out.

    Args:
        setup: What the workers have in common.
        tasks: The photographs.
        workers: How many actors, as soon as the cluster has room for them.
        batch: Photographs that a worker is handed at once.
        stop: The run ends when it is set.

    Yields:
        Each photograph's result, once, in no order.

    Raises:
        InputError: The cluster fails, or has no room left in its object store or on
            its disks.
    """
    for start in range(0, len(tasks), SHARD):
        part = tasks[start : start + SHARD]
        left = yield from _pass(setup, part, workers, batch, stop)
        if left and batch > 1:  # One of a batch may have ended the worker of all.
            left = yield from _pass(setup, left, workers, 1, stop)
        if stop.is_set:
            return
        for task in left:
            yield Result(Store(task.place).url(task.name), task.output, error=LOST)


def _pass(
    setup: Setup, tasks: Sequence[Task], workers: int, batch: int, stop: Flag
) -> Any:
    """Yield results; return the tasks that have none."""
    left = {task.output: task for task in tasks}
    with worded():
        for table in _tables(setup, tasks, workers, batch):
            for row in table.to_pylist():
                result = Result(**row)
                if left.pop(result.output, None) is not None:
                    yield result
            if stop.is_set:
                break
    return list(left.values())


def _tables(
    setup: Setup, tasks: Sequence[Task], workers: int, batch: int
) -> Iterator[Any]:
    """Return tables of results, as they come."""
    import ray.data
    from ray.data import ActorPoolStrategy, DataContext

    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # Whose photographs then have no result.
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    rows = [task._asdict() for task in tasks]
    pool = ActorPoolStrategy(min_size=1, max_size=workers, initial_size=workers)
    with warnings.catch_warnings():
        # Ray 2.60 announces another spelling of max_task_retries, and has none yet.
        warnings.simplefilter("ignore")
        data = ray.data.from_items(rows, override_num_blocks=-(-len(rows) // batch))
        painted = data.map_batches(
            Actor,
            fn_constructor_args=(setup,),
            compute=pool,
            batch_size=None,
            batch_format="pyarrow",
            num_cpus=setup.threads,
            max_task_retries=_RETRIES,
        )
        yield from painted.iter_batches(
            batch_size=None, batch_format="pyarrow", prefetch_batches=0
        )


class Actor:
    """A worker in a process of the cluster."""

    def __init__(self, setup: Setup) -> None:
        self._worker = Worker(setup)

    def __call__(self, table: Any) -> Any:
        """Paint the photographs of a table; return one of results."""
        import pyarrow

        results = self._worker([Task(**row) for row in table.to_pylist()])
        return pyarrow.Table.from_pylist([result._asdict() for result in results])


@contextlib.contextmanager
def worded() -> Iterator[None]:
    """Word what a cluster raises as InputError, above all that it has no room."""
    from ray import exceptions

    try:
        yield
    except (exceptions.ObjectStoreFullError, exceptions.OutOfDiskError) as error:
        raise InputError(
            "the Ray cluster has no room left in its object store: give it more"
            " (--object-store-memory of ray start), or end what fills it"
        ) from error
    except exceptions.OutOfMemoryError as error:
        raise InputError(
            "a machine of the Ray cluster has no memory left: ask for fewer --workers"
        ) from error
    except exceptions.RayError as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"the Ray cluster failed: {lines[-1]}") from error
