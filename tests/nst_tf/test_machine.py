"""What is read of a machine, from files laid out as Linux has them."""

import os

import pytest

from nst_tf.machine import cpu_has_amx, cpu_has_bfloat16, free_memory, has_gpu_driver

GB = 10**9
MUCH = "MemAvailable: 99000000 kB\n"


def lay(root, **files):
    """Write files, `__` for a slash in their names, `_dot_` for a point."""
    for name, text in files.items():
        path = root / name.replace("_dot_", ".").replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("fpu avx512f", (False, False)),
        ("fpu avx512_bf16", (True, False)),
        ("avx512_bf16 amx_bf16", (True, True)),
    ],
)
def test_the_processors_arithmetic(tmp_path, flags, expected):
    lay(tmp_path, proc__cpuinfo=f"processor\t: 0\nflags\t\t: {flags}\n\nprocessor\t: 1")
    assert (cpu_has_bfloat16(tmp_path), cpu_has_amx(tmp_path)) == expected


def test_another_system_has_neither_flags_nor_drivers_nor_groups(tmp_path):
    assert not cpu_has_bfloat16(tmp_path)
    assert not has_gpu_driver(tmp_path)
    assert free_memory(tmp_path) is None


def test_what_is_free_here():
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < free_memory() <= 4 * total  # With what there is to swap to.


def test_what_is_free_to_swap_to_counts(tmp_path):
    lines = "MemTotal: 9 kB", "MemAvailable:   3000 kB", "SwapFree:  500 kB", "X: 0"
    lay(tmp_path, proc__meminfo="\n".join(lines))
    assert free_memory(tmp_path) == 3500 * 1024


def test_a_driver_is_seen(tmp_path):
    lay(tmp_path, dev__nvidiactl="")
    assert has_gpu_driver(tmp_path)


def test_what_is_left_in_a_container_counts(tmp_path):
    lay(
        tmp_path,
        proc__meminfo=MUCH,
        proc__self__cgroup="0::/box/job\n",
        sys__fs__cgroup__box__memory_dot_max=f"{GB}\n",
        sys__fs__cgroup__box__memory_dot_current=f"{GB * 7 // 10}\n",
        sys__fs__cgroup__box__memory_dot_stat=f"anon 1\ninactive_file {GB // 10}\n",
        sys__fs__cgroup__box__job__memory_dot_max="max\n",
        sys__fs__cgroup__box__job__memory_dot_current="5\n",
        sys__fs__cgroup__box__job__memory_dot_stat="inactive_file 0\n",
    )
    assert free_memory(tmp_path) == GB * 4 // 10


def test_groups_of_version_1_whose_path_is_the_hosts(tmp_path):
    base = "sys__fs__cgroup__memory__memory_dot_"
    files = {
        "proc__meminfo": MUCH,
        f"{base}limit_in_bytes": f"{GB}\n",
        f"{base}usage_in_bytes": f"{2 * GB}\n",
        f"{base}stat": "total_inactive_file 0\n",
    }
    lay(tmp_path, proc__self__cgroup="4:cpu:/\n3:memory,x:/docker/0123\n", **files)
    assert free_memory(tmp_path) == 0
