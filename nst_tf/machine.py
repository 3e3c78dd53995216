"""What this machine has: arithmetic, memory, a driver of a GPU, a backend for Keras.

Loads neither Keras nor a backend.
"""

import contextlib
import ctypes
import json
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")
_AMX = "amx_bf16"
_BFLOAT16_FLAGS = {_AMX, "avx512_bf16"}
_FREE = ("MemAvailable", "SwapFree")
_DRIVERS = ("dev/nvidiactl", "dev/kfd")
_GROUPS = {
    False: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    True: ("memory.max", "memory.current", "inactive_file"),
}
"""Files of a control group, and what of its memory the system takes back by itself, by
whether it is of version 2."""


def cpu_precision(precision: str, backend: str, root: Path = ROOT) -> str:
    """Return the dtype that a precision means on the processor, with Keras' backend."""
    if precision != "auto":
        return precision
    half = backend == "tensorflow" and cpu_has_bfloat16(root)
    return "bfloat16" if half else "float32"


def cpu_has_bfloat16(root: Path = ROOT) -> bool:
    """Tell whether the processor multiplies bfloat16 itself (Linux; else False)."""
    return bool(_BFLOAT16_FLAGS & _cpu_flags(root))


def cpu_has_amx(root: Path = ROOT) -> bool:
    """Tell whether it does so in AMX's tiles (Linux; else False)."""
    return _AMX in _cpu_flags(root)


def _cpu_flags(root: Path) -> frozenset[str]:
    try:
        lines = (root / "proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return frozenset(flags.split())


def has_gpu_driver(root: Path = ROOT) -> bool:
    """Tell whether NVIDIA's or AMD's driver runs (Linux; else False)."""
    return any((root / place).exists() for place in _DRIVERS)


def free_memory(root: Path = ROOT) -> int | None:
    """Return the bytes that a program may still take without being ended for them.

    Those that are free, with what is free to swap to, but no more than what is left in
    the control groups (of containers) that this process is in. None where there is no
    /proc to tell (Linux has one).

    Args:
        root: Where proc and sys are.
    """
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    sizes = {name: value for name, _, value in (line.partition(":") for line in lines)}
    found = [sizes[name].split()[0] for name in _FREE if name in sizes]
    if not found:
        return None
    return min([sum(1024 * int(kilobytes) for kilobytes in found), *_left(root)])


def _left(root: Path) -> Iterator[int]:
    """Yield what is left in each control group that limits this process."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        unified = not controllers
        if not unified and "memory" not in controllers.split(","):
            continue
        base = root / "sys/fs/cgroup" / ("" if unified else "memory")
        place = base / path.lstrip("/")
        # In a container the path may be the host's: then there is only the base.
        for folder in (place, *place.parents):
            if folder.is_relative_to(base):
                yield from _left_of(folder, *_GROUPS[unified])


def _left_of(folder: Path, limit: str, usage: str, idle: str) -> Iterator[int]:
    try:
        most, taken = (int((folder / name).read_text()) for name in (limit, usage))
        lines = (folder / "memory.stat").read_text().splitlines()
    except (OSError, ValueError):  # Without a limit it says "max".
        return
    spare = sum(int(line.split()[1]) for line in lines if line.split()[0] == idle)
    yield max(0, most - taken + spare)


def keras_backend() -> str:
    """Return the backend that Keras will choose, without loading it."""
    if named := os.environ.get("KERAS_BACKEND"):
        return named
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    try:
        return str(json.loads((home / "keras.json").read_text("utf-8"))["backend"])
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow"


def trim_heap() -> None:
    """Return freed memory to the system, where the C library has a way (glibc).

    What a tile frees stays in the library's heaps, in pieces that the next one doesn't
    fit: about 0.1 GB more each step at 4096x3072.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
