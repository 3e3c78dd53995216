"""Workers that are actors of a Ray cluster, fed by Ray Data.

Only names and results travel through the cluster's object store: a worker reads its
photographs from the storage and writes the pictures there. So the store stays small
whatever the pictures' size, and no byte crosses the network twice.

Reference: https://docs.ray.io/en/latest/data/batch_inference.html
"""

import logging
import warnings
from collections.abc import Generator, Iterator, Sequence
from typing import Any

from nst_export.bulk.local import LOST
from nst_export.bulk.tasks import Result, Setup, Task
from nst_export.bulk.worker import Worker
from nst_tf.commands.cluster import worded
from nst_tf.commands.console import Flag
from nst_tf.storage import Store

SHARD = 50_000
"""Photographs of one data set: what Ray keeps for each does not grow with all."""
_RETRIES = 2


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
