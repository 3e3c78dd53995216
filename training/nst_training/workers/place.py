"""Where a worker stands among the others: by flags, or by a launcher's variables."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from nst_tf.settings.checks import InputError
from nst_training.workers.share import Share

AUTO = "auto"
"""The hosts that a launcher knows."""
_RANKS = (
    *("KERAS_DISTRIBUTION_PROCESS_ID", "JAX_PROCESS_ID", "PROCESS_ID"),
    *("SLURM_PROCID", "JOB_COMPLETION_INDEX"),
)
_COUNTS = (
    *("KERAS_DISTRIBUTION_NUM_PROCESSES", "JAX_NUM_PROCESSES", "NUM_PROCESSES"),
    "SLURM_NTASKS",
)
_MEETING = (
    *("KERAS_DISTRIBUTION_JOB_ADDRESSES", "JAX_COORDINATOR_ADDRESS"),
    "COORDINATOR_ADDRESS",
)
_NODES = ("SLURM_LAUNCH_NODE_IPADDR", "SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST")
_PORTS = (61_440, 4_096)
"""First of the ports from which a Slurm job takes one by its number, and how many."""


class Place(NamedTuple):
    """A worker's place.

    Attributes:
        share: Which of the workers it is.
        host: Where the first of them is.
        port: Where it waits for the others.
    """

    share: Share
    host: str
    port: int

    @property
    def address(self) -> str:
        """`HOST:PORT` where the workers meet."""
        return f"{self.host}:{self.port}"


def place_of(
    hosts: str, rank: int | None, variables: Mapping[str, str] = os.environ
) -> Place:
    """Return the place that flags and a launcher's variables tell.

    Args:
        hosts: `HOST:PORT,HOST:PORT,...`, one a worker: they meet at the first, and the
            ports of the others don't matter. Or `auto`: what Slurm, Kubernetes (an
            indexed job with the variables of JAX), `keras.distribution` or
            `jax.distributed` have set.
        rank: Number of this worker, from 0; without it, the launcher's.
        variables: Of the environment.

    Raises:
        InputError: An address is none, the rank is not known or none of the workers'.

    References:
        https://docs.jax.dev/en/latest/multi_process.html
        https://slurm.schedmd.com/srun.html#SECTION_OUTPUT-ENVIRONMENT-VARIABLES
    """
    given = hosts if hosts != AUTO else _first(_MEETING, variables) or _slurm(variables)
    addresses = [part.strip() for part in given.split(",") if part.strip()]
    if not addresses:
        raise InputError(
            "no launcher has set where the workers meet; give --hosts"
            f" HOST:PORT,HOST:PORT,... or one of {', '.join(_MEETING)}"
        )
    count = len(addresses)
    if hosts == AUTO and (told := _number(_COUNTS, variables)) is not None:
        count = told
    rank = rank if rank is not None else _number(_RANKS, variables)
    if rank is None:
        raise InputError(f"which worker is this? give --rank 0 to {count - 1}")
    if not 0 <= rank < count:
        raise InputError(f"--rank must be 0 to {count - 1}, got {rank}")
    host, separator, port = addresses[0].rpartition(":")
    if not separator or not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise InputError(f"the workers meet at HOST:PORT, got {addresses[0]}")
    return Place(Share(rank, count), host.strip("[]"), int(port))


def _first(names: tuple[str, ...], variables: Mapping[str, str]) -> str:
    return next((variables[name] for name in names if variables.get(name)), "")


def _number(names: tuple[str, ...], variables: Mapping[str, str]) -> int | None:
    for name in names:
        if value := variables.get(name):
            if not value.isdecimal():
                raise InputError(f"{name} must be a number, got {value}")
            return int(value)
    return None


def _slurm(variables: Mapping[str, str]) -> str:
    """Return the address of a Slurm job's first node, "" where there is no Slurm."""
    # srun's own node is the first only where it runs on it, as one node's jobs do.
    nodes = _first(_NODES[1:], variables) or variables.get(_NODES[0], "")
    job = variables.get("SLURM_JOB_ID", "")
    if not nodes or not job.isdigit():
        return ""
    first, bracket, rest = nodes.partition("[")
    if bracket and "," not in first:  # node[003-7,9],other
        first += rest.replace("]", ",").replace("-", ",").partition(",")[0]
    else:  # node3,other
        first = first.partition(",")[0]
    return f"{first}:{_PORTS[0] + int(job) % _PORTS[1]}"
