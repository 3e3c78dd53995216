"""Peak memory of a benchmark's own process, and of programs that it starts."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_WATCH = """
import os, sys
nowhere = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=nowhere)
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""Runs a program and prints its peak memory in KiB. What a parent holds when it starts
the program counts as the program's: so the parent must be a small one."""


def peak_of(command: Sequence[str], env: Mapping[str, str] | None = None) -> float:
    """Run a program; return the most memory that it has held, in MiB."""
    watched = [sys.executable, "-S", "-c", _WATCH, *command]
    found = subprocess.run(watched, check=True, stdout=subprocess.PIPE, env=env)
    return int(found.stdout) / 2**10


def peak_memory() -> int:
    """Return the most memory that this program has held, in KiB (Linux).

    `resource.getrusage` counts what the parent held when it started the program, too.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
