"""Peak memory of a benchmark's own process."""

from pathlib import Path


def peak_memory() -> int:
    """Return the most memory that this program has held, in KiB (Linux).

    `resource.getrusage` counts what the parent held when it started the program, too.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
