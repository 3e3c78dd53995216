"""Pipes among the files of a command."""

import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nst_tf.commands.pipes import is_stdout, piped


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    photos: tuple[Path, ...]
    like: Path | None = None
    output: Path = Path("out.png")
    quiet: bool = False


def test_pipes_become_files_of_their_own_and_files_stay(tmp_path):
    (tmp_path / "a.png").write_bytes(b"file")
    pipes = tmp_path / "one", tmp_path / "two"
    for pipe in pipes:
        os.mkfifo(pipe)
    job = Job(photos=(pipes[0], tmp_path / "a.png", pipes[1]))
    with ThreadPoolExecutor(2) as pool:
        for pipe in pipes:
            pool.submit(pipe.write_bytes, pipe.name.encode())
        with piped(job, "photos", "like") as whole:
            kept = [path.read_bytes() for path in whole.photos]
            places = whole.photos
    assert kept == [b"one", b"file", b"two"]
    assert places[1] == tmp_path / "a.png"
    assert not places[0].exists()
    assert whole.like is None


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_what_is_made_for_standard_output_goes_there(name, capfdbinary):
    assert is_stdout(Path(name))
    with piped(Job(photos=(), output=Path(name))) as whole:
        assert whole.quiet
        whole.output.write_bytes(b"\x89picture")
        print("a line")
    said = capfdbinary.readouterr()
    assert said.out == b"\x89picture"
    assert said.err == b"a line\n"


def test_a_file_called_so_is_no_pipe():
    assert not is_stdout(Path("./out-"))
