"""Ray starts the workers of a training, and all of them again when one is lost.

Each worker is Ray's, its work a child of that: the same as with `--hosts`. Between two
starts a training lives in the state that its first worker has written.

Reference:
    https://docs.ray.io/en/latest/train/user-guides/fault-tolerance.html
"""

import contextlib
import os
import shutil
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from nst_tf.commands import INTERRUPTED, LOST, PROGRAM, REFUSED
from nst_tf.commands.cluster import cluster, cluster_cpus
from nst_tf.commands.needs import check_extra
from nst_tf.network.trained import MODEL, STATE
from nst_tf.settings.checks import InputError
from nst_training.workers.place import Place
from nst_training.workers.rollcall import free_port
from nst_training.workers.share import Share

TakePart = Callable[[Place, bool], int]
"""Does the work of a place, resumed or not; pickles; returns the exit code."""
_TIMES = 10
"""Starts after the first before the training is given up."""
_HANDED = ("KERAS_", "NST_", "JAX_", "XLA_", "TF_")
"""Variables that the workers get begin so."""


class _Start(NamedTuple):
    """What the first worker tells the others: where they meet, and how they begin."""

    host: str
    port: int
    resume: bool


def train_on_ray(
    address: str,
    workers: int,
    folder: Path,
    take_part: TakePart,
    *,
    resume: bool,
    quiet: bool,
) -> int:
    """Train with workers of Ray's; return the exit code.

    Args:
        address: As `cluster` takes it.
        workers: How many.
        folder: The output, at the same path for all of them.
        take_part: What each does.
        resume: Go on with an interrupted run.
        quiet: Show nothing that Ray and the workers say.

    Raises:
        InputError: Ray is not installed or does not answer, or the workers refuse.
    """
    check_extra("ray", command="train --ray")
    kept = folder / ".ray"
    config = {"folder": folder, "take_part": take_part, "resume": resume}
    try:
        with cluster(address, workers, show=not quiet):
            code, why = _fit(workers, kept, config)
    finally:
        shutil.rmtree(kept, ignore_errors=True)
        with contextlib.suppress(OSError):  # It holds something: good.
            folder.rmdir()
    if code == REFUSED:
        raise InputError(why)
    if why:
        print(f"{PROGRAM}: error: {why}", file=sys.stderr)
    return code


def _fit(workers: int, kept: Path, config: dict[str, Any]) -> tuple[int, str]:
    """Train in the cluster that is connected; return the exit code and why."""
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer
    from ray.train.v2.api.exceptions import TrainingFailedError

    have = cluster_cpus()
    if have < workers:
        raise InputError(
            f"the Ray cluster has {have} processors for {workers} workers: give fewer"
            " --workers"
        )
    handed = {k: v for k, v in os.environ.items() if k.startswith(_HANDED)}
    trainer = DataParallelTrainer(
        _loop,
        train_loop_config=config,
        scaling_config=ScalingConfig(
            num_workers=workers,
            use_gpu=ray.cluster_resources().get("GPU", 0) >= workers,
        ),
        run_config=RunConfig(
            name=uuid.uuid4().hex,
            storage_path=str(kept),
            failure_config=FailureConfig(max_failures=_TIMES),
            worker_runtime_env={"env_vars": handed},
        ),
    )
    try:
        code, why = trainer.fit().return_value
    except TrainingFailedError as error:
        why = f"the workers were lost {_TIMES + 1} times ({error}); --resume goes on"
        return LOST, f"{why} from the last state"
    return int(code), str(why)


def _loop(config: dict[str, Any]) -> tuple[int, str]:
    """Do a worker's work, in Ray's process; return the exit code and why."""
    import ray
    from ray.train import get_context
    from ray.train.collective import broadcast_from_rank_zero

    context = get_context()
    share = Share(context.get_world_rank(), context.get_world_size())
    start = None
    if share.rank == 0:
        resume = config["resume"] or _begun(config["folder"])
        start = _Start(ray.util.get_node_ip_address(), free_port(), resume)
    start = _Start(*broadcast_from_rank_zero(start))
    place = Place(share, start.host, start.port)
    try:
        code = config["take_part"](place, start.resume)
    except InputError as error:
        return REFUSED, str(error)
    if code == LOST:
        raise RuntimeError("a worker is gone")  # Ray starts all of them again.
    good = code in (0, INTERRUPTED)
    return code, "" if good else "a worker has failed; Ray's logs of it say why"


def _begun(folder: Path) -> bool:
    """Tell whether this is not the first start, and there is what it goes on from."""
    mark = folder / ".ray" / "begun"
    if not mark.exists():
        mark.touch()
        return False
    model = folder / MODEL
    done = model.exists() and model.stat().st_mtime_ns > mark.stat().st_mtime_ns
    return (folder / STATE).exists() or done
