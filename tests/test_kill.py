"""A folder run killed at two moments; scripts/kill_runs.py kills all commands."""

import pytest

from scripts import kill_runs


@pytest.mark.parametrize("pictures", [1, 4])
def test_a_killed_folder_run_leaves_whole_files_and_goes_on(tmp_path, pictures):
    import time

    kill_runs.prepare(tmp_path, photos=6)
    run = kill_runs.runs(tmp_path)["stylize"](tmp_path / "out")
    process = kill_runs.start(run.words)
    deadline = time.monotonic() + 120
    while sum(path.exists() for path in run.finished) < pictures:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate()
    made = [path for path in run.finished if path.exists()]
    assert len(made) < len(run.finished)
    before = [path.stat().st_mtime_ns for path in made]
    kill_runs.check_whole(tmp_path / "out")
    kill_runs.finish([*run.words, *run.resume])
    assert all(path.exists() for path in run.finished)
    assert [path.stat().st_mtime_ns for path in made] == before
    kill_runs.check_whole(tmp_path / "out")


def test_a_half_written_file_is_found(tmp_path):
    kill_runs.prepare(tmp_path, photos=1)
    kill_runs.check_whole(tmp_path)
    path = tmp_path / "photos" / "0.png"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ValueError, match="damaged"):
        kill_runs.check_whole(tmp_path)
