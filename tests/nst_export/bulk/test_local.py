"""`nst stylize` in bulk on processes of this machine."""

import json
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import fsspec
import pytest

from nst_export.bulk import local
from nst_export.bulk.tasks import Setup, Task
from nst_export.painting import Manner
from nst_tf import __version__
from nst_tf.cli import main
from nst_tf.commands.console import Flag
from nst_tf.storage import Store
from tests.helpers import PYTHONPATH, ROOT
from tests.nst_export.bulk import pictures

COUNT = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return pictures.write_mixed(tmp_path_factory.mktemp("photos") / "in", COUNT)


@pytest.fixture(scope="module")
def plain(folder):
    return pictures.painted_plainly(folder, folder.parent / "plain")


def stylize(*words):
    return main(["stylize", *map(str, words), "--style", "udnie"])


def broken(lines):
    rows = [json.loads(line) for line in lines.splitlines()]
    assert all(row["status"] == "broken" and row["message"] for row in rows)
    return sorted(row["path"].rpartition("/")[2] for row in rows)


def test_a_bucket_is_painted_into_another_byte_for_byte(folder, plain, capsys):
    name = uuid.uuid4().hex
    source, out = Store(f"memory://{name}/in"), Store(f"memory://{name}/out")
    fsspec.filesystem("memory").makedirs(f"/{name}")
    for path in folder.rglob("*"):
        if path.is_file():
            source.write(path.relative_to(folder).as_posix(), path.read_bytes())
    words = (source.place, "-o", out.place, "--workers", "1")
    assert stylize(*words) == 2
    assert f"{COUNT} of {COUNT + 2} photographs painted" in capsys.readouterr().out
    found = {each: out.read(each) for each in out.files()}
    assert broken(found.pop("report.jsonl").decode()) == sorted(pictures.BROKEN)
    assert found == plain
    written = out.files()
    assert stylize(*words) == 2
    assert f"{COUNT} of {COUNT + 2} are painted already" in capsys.readouterr().err
    assert {k: v for k, v in out.files().items() if "report" not in k} == {
        k: v for k, v in written.items() if "report" not in k
    }


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no /proc here")
def test_a_worker_that_is_killed_costs_no_picture(tmp_path):
    folder = pictures.write_mixed(tmp_path / "in", 30, 96, 120)
    plain, out = pictures.painted_plainly(folder, tmp_path / "plain"), tmp_path / "out"
    words = (folder.as_uri(), "-o", out.as_uri(), "--style", "udnie", "--workers", "2")
    process = pictures.start(*words, "--report", tmp_path / "r.parquet")
    assert pictures.kill_a_worker(process, "spawn_main", out, 3) < 30
    said, problems = process.communicate(timeout=300)
    assert process.returncode == 2, problems
    assert "30 of 32 photographs painted" in said
    assert pictures.files(out) == plain
    from pyarrow import parquet

    rows = parquet.read_table(tmp_path / "r.parquet").to_pylist()
    assert [row["path"] for row in rows] == [
        f"{folder.as_uri()}/{x}" for x in pictures.BROKEN
    ]


def deadly(tasks):
    """Stand for a file that ends the process that decodes it."""
    if any("deep" in task.output for task in tasks):
        os.kill(os.getpid(), signal.SIGKILL)
    return local._paint(tasks)


def test_a_picture_that_ends_every_worker_is_named(
    folder, plain, tmp_path, monkeypatch
):
    monkeypatch.setattr(local, "_paint", deadly)
    setup = Setup(
        model=None,
        engine="auto",
        threads=1,
        output=str(tmp_path / "out"),
        looks=((0.0, 1.0, *[0.0] * 11),),
        manner=Manner(),
        version=__version__,
    )
    names = ("2.jpg", "deep/er/0.jpg", "0.png")
    tasks = [Task(str(folder), name, name, 0) for name in names]
    options = {"workers": 2, "batch": 3, "stop": Flag()}
    results = sorted(local.paint(setup, tasks, **options))
    assert [(each.output, each.error) for each in results] == [
        ("0.png", ""),
        ("2.jpg", ""),
        ("deep/er/0.jpg", local.LOST),
    ]
    assert set(pictures.files(tmp_path / "out")) == {"0.png", "2.jpg"}


def test_a_manifest_gives_each_its_style_and_strength(folder, tmp_path):
    table = "path,style,strength\n2.jpg,great_wave,0.5\n0.png,,\nmissing.jpg,,\n"
    (folder / "m.csv").write_text(table)
    out = tmp_path / "out"
    words = ("--manifest", folder / "m.csv", "-o", out, "--workers", "1")
    assert stylize(*words) == 2
    assert broken((out / "report.jsonl").read_text()) == ["missing.jpg"]
    one = tmp_path / "one.jpg"
    flags = ["--style", "great_wave", "--strength", "0.5", "-o", str(one)]
    assert main(["stylize", str(folder / "2.jpg"), *flags]) == 0
    assert (out / "2.jpg").read_bytes() == one.read_bytes()
    assert stylize(folder / "0.png", "-o", tmp_path / "two.png") == 0
    assert (out / "0.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_one_photograph_goes_to_a_file_of_any_name(folder, plain, tmp_path):
    photo = (folder / "2.jpg").as_uri()
    assert stylize(photo, "-o", (tmp_path / "x.jpg").as_uri(), "--workers", "1") == 0
    assert pictures.files(tmp_path) == {"x.jpg": plain["2.jpg"]}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("memory://missing/", "-o", "memory://missing/"), "no file or folder memory:"),
        (("IN", "-o", "memory://nowhere/out"), "no bucket or top folder nowhere"),
        (("nosuch://in", "-o", "OUT"), "can't open nosuch://in"),
        (("IN", "-o", "OUT", "--workers", "0"), "workers must be at least 1"),
        (("IN", "-o", "OUT", "--workers", "1", "--jobs", "2"), "say --workers"),
        (("IN", "-o", "OUT", "--report", "r.txt"), "a report is a .jsonl"),
        (("IN", "-o", "OUT", "--manifest", "m.txt"), "a manifest is a .csv"),
        (
            ("IN", "-o", "OUT", "--manifest", "M", "--report", "M"),
            "is an input: choose another",
        ),
        (("IN", "-o", "OUT", "--workers", "1", "--mix", "M=1"), "not in bulk"),
        (("IN", "-o", "IN", "--workers", "1"), "folder of the photographs"),
        (("-", "-o", "OUT", "--workers", "1"), "no pipe"),
        (("IN", "-o", "out.jpg", "--workers", "1"), "must be a folder"),
        (("IN", "-o", "OUT", "--workers", "1", "--mix", "x=1"), "give --style or"),
    ],
)
def test_what_can_not_be_meant_is_one_line(folder, tmp_path, capsys, words, message):
    given = tmp_path / "m.parquet"
    given.write_text("no matter")
    places = {"IN": str(folder), "OUT": str(tmp_path / "out"), "M": str(given)}
    places["M=1"] = f"{given}=1"
    assert stylize(*(places.get(word, word) for word in words)) == 2
    assert given.read_text() == "no matter"
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") <= 2  # What is passed over may be said before.
    assert not (tmp_path / "out").exists()


def test_plain_runs_load_nothing_of_the_extra(folder, tmp_path):
    program = (
        "import sys; from nst_tf.cli import main; "
        f"assert main(['stylize', {str(folder / '2.jpg')!r}, '--style', 'udnie',"
        f" '-o', {str(tmp_path / 'x.jpg')!r}]) == 0; "
        "assert not {'ray', 'fsspec', 'pyarrow'} & set(sys.modules)"
    )
    env = {**os.environ, "PYTHONPATH": PYTHONPATH}
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=env, check=True)


def test_a_worker_of_another_version_is_one_error(
    folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("nst_export.bulk.run.__version__", "0.0")
    assert stylize(folder, "-o", tmp_path / "out", "--workers", "1") == 2
    assert f"a worker has nst-tf {__version__}, this machine 0.0" in (
        capsys.readouterr().err
    )
