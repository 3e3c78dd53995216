"""`nst stylize` in bulk on Ray: a cluster of this machine, a worker killed in it."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nst_tf.cli import main
from nst_tf.commands.cluster import check_address
from nst_tf.settings.checks import InputError
from tests.helpers import PYTHONPATH, ROOT
from tests.nst_export.bulk import pictures

COUNT = 58


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no /proc here")
def test_a_killed_actor_costs_no_picture_and_a_second_run_paints_none(tmp_path):
    folder = pictures.write_mixed(tmp_path / "in", COUNT, 96, 120)
    plain, out = pictures.painted_plainly(folder, tmp_path / "plain"), tmp_path / "out"
    words = [folder.as_uri(), "-o", out.as_uri(), "--style", "udnie"]
    process = pictures.start(*words, "--ray", "--workers", "2")
    assert pictures.kill_a_worker(process, "ray::MapWorker", out, 1) < COUNT
    said, problems = process.communicate(timeout=300)
    assert process.returncode == 2, problems
    assert f"{COUNT} of {COUNT + 2} photographs painted" in said
    assert pictures.files(out) == plain
    lines = (out / "report.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["path"] for line in lines) == [
        f"{folder.as_uri()}/{name}" for name in pictures.BROKEN
    ]
    dates = {path: path.stat().st_mtime_ns for path in out.rglob("*.*")}
    for name in pictures.BROKEN:
        (folder / name).unlink()
    assert main(["stylize", *words, "--ray", "--quiet"]) == 0
    del dates[out / "report.jsonl"]
    assert all(path.stat().st_mtime_ns == date for path, date in dates.items())
    assert (out / "report.jsonl").read_bytes() == b""


@pytest.fixture
def mute():
    """The address of a port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.slow
def test_an_address_that_answers_nothing_is_said_in_time(tmp_path, capsys, mute):
    folder = pictures.write_mixed(tmp_path / "in", 10)
    for address in (mute, "127.0.0.1:9"):
        begun = time.monotonic()
        words = ["stylize", str(folder), "--style", "udnie", "--ray", address]
        assert main([*words, "-o", str(tmp_path / "out"), "--quiet"]) == 2
        assert time.monotonic() - begun < 15
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert address in said


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "head", "head:x", ":1"])
def test_an_address_of_another_form_is_refused(address):
    with pytest.raises(InputError, match="HOST:PORT"):
        check_address(address)


FULL = """
import numpy, ray
from nst_tf.commands.cluster import worded
ray.init(
    num_cpus=1, include_dashboard=False, object_store_memory=80_000_000,
    _system_config={"local_fs_capacity_threshold": 0.0},
)
with worded():
    kept = [ray.put(numpy.ones(6_000_000)) for _ in range(4)]
"""


@pytest.mark.slow
def test_a_full_object_store_is_one_error():
    env = {**os.environ, "PYTHONPATH": PYTHONPATH, "RAY_USAGE_STATS_ENABLED": "0"}
    done = subprocess.run(
        [sys.executable, "-c", FULL], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert "InputError: the Ray cluster has no room left in its object store" in (
        done.stderr
    )
