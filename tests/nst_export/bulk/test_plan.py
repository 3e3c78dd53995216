"""What is painted in bulk: names as plain ones, what is left, manifests."""

import csv
import io
import os
import uuid

import fsspec
import pytest

from nst_export.bulk.manifest import Row, read_manifest
from nst_export.bulk.plan import plan_tasks
from nst_export.pairs import plan_pairs
from nst_tf.settings.checks import InputError
from nst_tf.storage import Store

NAMES = (
    *("a.jpg", "a.png", "a.webp", "A.JPG", "b/a.jpeg", "b/a.tif", "b/a.png", "c.bmp"),
    *("b/.hidden.jpg", ".cache/a.jpg", "notes.txt", "b/raw.txt", "ä ö.jfif", "x.y.png"),
)


def fill(store, names=NAMES):
    for name in names:
        store.write(name, b"bytes of a picture")
    return store


def outputs(plan):
    return [(task.name, task.output) for task in plan.tasks]


@pytest.fixture
def bucket():
    name = uuid.uuid4().hex
    fsspec.filesystem("memory").makedirs(f"/{name}")
    return f"memory://{name}"


@pytest.mark.parametrize("depth", [8, 16])
def test_names_are_those_of_plain_runs_on_every_storage(tmp_path, bucket, depth):
    folder = tmp_path / "in"
    fill(Store(str(folder)))
    plain = plan_pairs([folder], tmp_path / "out", depth=depth)
    expected = [
        (pair.photo.relative_to(folder).as_posix(),
         pair.output.relative_to(tmp_path / "out").as_posix())
        for pair in plain.pairs
    ]  # fmt: skip
    assert len(expected) == 10
    fill(Store(f"{bucket}/in"))
    for place, out in (
        (str(folder), str(tmp_path / "out")),
        (folder.as_uri(), (tmp_path / "out").as_uri()),
        (f"{bucket}/in", f"{bucket}/out"),
    ):
        plan = plan_tasks([place], Store(out), look=lambda _: 0, depth=depth)
        assert outputs(plan) == expected
        assert plan.passed_over == f"{place}: passed over 2 .txt"


def test_what_is_there_and_newer_is_left_out(tmp_path):
    store, out = fill(Store(str(tmp_path / "in"))), Store(str(tmp_path / "out"))
    every = outputs(plan_tasks([store.place], out, look=lambda _: 0))
    for _, output in every[:4]:
        out.write(output, b"picture")
    os.utime(tmp_path / "out" / every[1][1], (1, 1))
    plan = plan_tasks([store.place], out, look=lambda _: 0)
    assert plan.done == 3
    assert outputs(plan) == [every[1], *every[4:]]


def test_results_of_earlier_runs_are_no_photographs(bucket):
    fill(Store(bucket), ["a.jpg", "out/a.jpg", "outer/b.jpg"])
    plan = plan_tasks([bucket], Store(f"{bucket}/out"), look=lambda _: 0)
    assert [task.name for task in plan.tasks] == ["outer/b.jpg"]
    assert plan.done == 1


def test_nothing_is_written_over_a_photograph(bucket, tmp_path):
    fill(Store(bucket), ["in/a.jpg", "in/b.jpg"])
    for places, out in (
        ([f"{bucket}/in"], f"{bucket}/in/"),
        ([f"{bucket}/in/a.jpg", f"{bucket}/in/b.jpg"], f"{bucket}/in"),
    ):
        with pytest.raises(InputError, match="choose another"):
            plan_tasks(places, Store(out), look=lambda _: 0)
    fill(Store(str(tmp_path)), ["a.jpg", "b.jpg"])
    given = [str(tmp_path / name) for name in ("a.jpg", "b.jpg")]
    with pytest.raises(InputError, match="is an input"):
        plan_tasks(given, Store(tmp_path.as_uri()), look=lambda _: 0)


def test_an_empty_folder_says_what_else_is_there(bucket):
    fill(Store(bucket), ["in/notes.txt"])
    with pytest.raises(InputError, match=r"no photograph .* passed over 1 \.txt"):
        plan_tasks([f"{bucket}/in"], Store(f"{bucket}/out"), look=lambda _: 0)


ROWS = [("a.jpg", "udnie", 0.5), ("deep/b.png", None, None), ("a.jpg", "wave", 1.0)]


def manifest(kind):
    if kind == "csv":
        text = io.StringIO()
        rows = [["path", "style", "strength", "taken"]]
        rows += [[*("" if x is None else x for x in row), "1999"] for row in ROWS]
        csv.writer(text).writerows(rows)
        return text.getvalue().encode()
    import pyarrow
    from pyarrow import parquet

    stream = io.BytesIO()
    columns = ("path", "style", "strength", "taken")
    rows = [dict(zip(columns, (*row, 1999), strict=True)) for row in ROWS]
    parquet.write_table(pyarrow.Table.from_pylist(rows), stream)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_manifest_says_path_style_and_strength(bucket, kind):
    store = Store(bucket)
    store.write(f"m.{kind}", manifest(kind))
    found = read_manifest(f"{bucket}/m.{kind}")
    assert [tuple(row) for row in found.rows] == ROWS
    assert found.others == ["taken"]
    rows = [*found.rows, Row(f"{bucket}/other/c.tif", None, None)]
    asked = []
    plan = plan_tasks(
        [f"{bucket}/in"],
        Store(f"{bucket}/out"),
        rows=rows,
        look=lambda row: asked.append(row) or len(asked) - 1,
    )
    assert asked == rows
    assert [(task.place, *outputs(plan)[k], task.look)
            for k, task in enumerate(plan.tasks)] == [
        (f"{bucket}/in", "a.jpg", "a.jpg", 0),
        (f"{bucket}/in", "deep/b.png", "deep/b.png", 1),
        (f"{bucket}/in", "a.jpg", "in-a.jpg", 2),
        (f"{bucket}/other", "c.tif", "c.png", 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"file,style\na.jpg,udnie\n", "has no column path; its columns are file"),
        (b"path,strength\na.jpg,2\n", r"row 1 .* strength must be in 0..1.5, got 2"),
        (b"path,strength\na.jpg,nan\n", "strength must be in 0..1.5, got nan"),
        (b"path,style\n,udnie\n", "row 1 .* has no path"),
        (b"path\n", "names no photograph"),
        (b"\xff\xfe", "no CSV in UTF-8"),
    ],
)
def test_a_manifest_that_can_not_be_meant_is_refused(bucket, data, message):
    Store(bucket).write("m.csv", data)
    with pytest.raises(InputError, match=message):
        read_manifest(f"{bucket}/m.csv")
    Store(bucket).write("m.parquet", data)
    with pytest.raises(InputError, match="is no Parquet file"):
        read_manifest(f"{bucket}/m.parquet")


def test_a_path_of_a_manifest_stays_in_its_folder(bucket):
    rows = [Row("../a.jpg", None, None)]
    with pytest.raises(InputError, match="out of its folder"):
        plan_tasks([bucket], Store(bucket), rows=rows, look=lambda _: 0)
