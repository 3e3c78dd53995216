"""The log: lines at once, kept lines of a resumed run, nothing lost on the way."""

import json
import os
from pathlib import Path

import pytest

from nst_tf.running.log import Log
from nst_tf.settings.checks import InputError


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def written(path, numbers, keep=0):
    with Log(path, keep=keep, key="step") as log:
        for number in numbers:
            log.write({"step": number})


def test_a_new_run_begins_a_new_log(tmp_path):
    path = tmp_path / "log.jsonl"
    written(path, [1, 2, 3])
    written(path, [1])
    assert lines(path) == [{"step": 1}]


def test_a_resumed_run_keeps_the_lines_up_to_its_state(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1}\n{"event": "x"}\n{"step": 2}\n{"step": 3}\n{"cut')
    written(path, [3, 4], keep=2)
    assert [line["step"] for line in lines(path)] == [1, 2, 3, 4]


def test_a_run_refused_before_its_first_line_leaves_the_log(tmp_path):
    path = tmp_path / "log.jsonl"
    written(path, [1, 2])
    written(path, [])
    assert len(lines(path)) == 2


def test_a_resumed_log_is_never_shorter_than_what_it_keeps(tmp_path, monkeypatch):
    path = tmp_path / "log.jsonl"
    written(path, range(1, 6))
    before = path.read_text()

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        written(path, [4], keep=3)
    assert path.read_text() == before


def test_a_pipe_gets_the_lines_and_stays_a_pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    written(path, [1, 2])
    with os.fdopen(reader) as file:
        assert [json.loads(line)["step"] for line in file] == [1, 2]
    assert path.is_fifo()


def test_a_line_is_in_the_file_as_soon_as_it_is_written(tmp_path):
    path = tmp_path / "log.jsonl"
    with Log(path, keep=0, key="step") as log:
        log.write({"step": 1})
        assert lines(path) == [{"step": 1}]


def test_a_full_disk_is_told_of_by_the_name_of_the_log():
    with pytest.raises(InputError, match=r"the log /dev/full: .* No space"):
        written(Path("/dev/full"), [1])
