"""`nst train --ray`: Ray starts the workers, and again when one is killed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nst_training.workers.rollcall import free_port
from tests.nst_training.workers import together

pytest.importorskip("jax")
pytest.importorskip("ray")


def workers_of(mark):
    """Return the processes that train and are handed a mark, and their parents."""
    found = {}
    for path in Path("/proc").iterdir():
        try:
            variables = (path / "environ").read_bytes()
            words = (path / "cmdline").read_bytes()
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if mark.encode() in variables and b"spawn_main" in words:
            found[int(path.name)] = parent
    return found


@pytest.mark.slow
def test_ray_starts_the_workers_again_when_one_is_killed(tmp_path, vgg_file):
    mark = f"NST_MARK={tmp_path}"
    environment = {**together.prepared(tmp_path, vgg_file), "NST_MARK": str(tmp_path)}
    together.ended(together.start_all(tmp_path, "whole", environment, 2))
    out = tmp_path / "out"
    flags = ("--ray", "--workers", "2", "--checkpoint-every", "3")
    process = together.start(tmp_path, "out", environment, *flags)
    together.wait_for_step(out / "log.jsonl", 4, [process])
    before = workers_of(mark)
    together.kill(max(before.values()))  # Ray's process; its child ends with it.
    together.ended([process])
    assert len(before) == 2
    together.assert_same_bits(together.model(out), together.model(tmp_path / "whole"))
    assert together.log(out) == together.log(tmp_path / "whole")
    assert not (out / ".ray").exists()
    assert not (out / "state.npz").exists()
    assert not workers_of(mark)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--ray", "--workers", "3"), "batch must be a multiple of the 3 workers"),
        (("--ray",), "--ray needs --workers, at least 1"),
        (("--workers", "2"), "--workers is for --ray"),
        (("--ray", "here", "--workers", "2"), "HOST:PORT, auto or local, got here"),
    ],
)
def test_what_ray_can_not_do_is_said(tmp_path, vgg_file, flags, message):
    environment = together.prepared(tmp_path, vgg_file)
    (said,) = together.ended(
        [together.start(tmp_path, "out", environment, *flags)], [2]
    )
    assert message in said
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_cluster_that_does_not_answer_is_said(tmp_path, vgg_file):
    environment = together.prepared(tmp_path, vgg_file)
    flags = ("--ray", f"127.0.0.1:{free_port()}", "--workers", "2")
    (said,) = together.ended(
        [together.start(tmp_path, "out", environment, *flags)], [2]
    )
    assert "no Ray cluster answers at 127.0.0.1:" in said


def test_nothing_of_ray_is_imported_without_the_flag(tmp_path):
    program = (
        "import sys; from nst_training.commands import train, train_together;"
        "from nst_training.workers import group, place, rollcall, supervisor;"
        "assert not {'ray', 'fsspec', 'jax', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], env=os.environ, check=True)
