"""A Ray cluster: reached, or started for as long as the program runs.

Reference: https://docs.ray.io/en/latest/ray-core/api/doc/ray.init.html
"""

import contextlib
import logging
import os
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from nst_tf.commands.console import silence
from nst_tf.settings.checks import InputError

STORE_BYTES = 300_000_000
"""Object store of a cluster that is started here."""
_TCP_SECONDS, _CHECK_SECONDS = 4.0, 10.0


@contextlib.contextmanager
def cluster(address: str, cpus: int, *, show: bool = False) -> Iterator[None]:
    """Connect to a cluster, or start one on this machine; leave it at the end.

    Nothing is told to anyone (usage statistics), and no dashboard is started.

    Args:
        address: HOST:PORT of the head, `auto` for the cluster of this machine, `local`
            for a new one, "" for that of RAY_ADDRESS or else a new one.
        cpus: Of a new one.
        show: Print what the workers print.

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

    quiet: dict[str, Any] = {"log_to_driver": show, "logging_level": logging.ERROR}
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
            f"{address} is one of Ray Client, which this does not run through: give"
            " HOST:PORT of the head (6379), or start nst with ray job submit"
        )
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise InputError(f"a Ray address is HOST:PORT, auto or local, got {address}")
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
