"""Outputs that appear whole or not at all."""

import os
from pathlib import Path

import pytest

from nst_tf import InputError
from nst_tf.files import beside, check_writable, new_folder, replacing, sha256


def tree(folder):
    """Return every file below a folder with its text."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def write(path: Path, kind: str, text: str) -> None:
    """Write a file, or a folder with a file in a folder."""
    if kind == "folder":
        (path / "deep").mkdir(parents=True)
        path = path / "deep" / "file"
    path.write_text(text)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_block_wrote_takes_the_place_of_what_was_there(tmp_path, kind):
    for text in ("first", "second"):
        with replacing(tmp_path / "out.x") as part:
            write(part, kind, text)
            assert part.suffix == ".x"
    name = {"file": "out.x", "folder": "out.x/deep/file"}[kind]
    assert tree(tmp_path) == {name: "second"}


def test_a_folder_is_replaced_by_way_of_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for out, text in ((Path("out"), "first"), (Path("out/../out"), "second")):
        with replacing(out) as part:
            write(part, "folder", text)
    assert tree(tmp_path) == {"out/deep/file": "second"}


def test_a_folder_is_replaced_where_its_link_leads(tmp_path):
    (tmp_path / "large" / "out").mkdir(parents=True)
    (tmp_path / "out").symlink_to("large/out")
    for text in ("first", "second"):
        with replacing(tmp_path / "out") as part:
            write(part, "folder", text)
    assert (tmp_path / "out").is_symlink()
    assert {path.name for path in tmp_path.iterdir()} == {"large", "out"}
    assert tree(tmp_path / "large") == {"out/deep/file": "second"}


@pytest.mark.parametrize("error", [OSError("the disk is full"), KeyboardInterrupt()])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_broken_block_leaves_what_was_there_and_nothing_else(tmp_path, kind, error):
    write(tmp_path / "out", kind, "first")
    before = tree(tmp_path)

    def broken():
        with replacing(tmp_path / "out") as part:
            write(part, kind, "second")
            assert tree(tmp_path).items() > before.items()
            raise error

    with pytest.raises((InputError, KeyboardInterrupt)) as caught:
        broken()
    assert isinstance(error, KeyboardInterrupt) or "can't write" in str(caught.value)
    assert tree(tmp_path) == before


def test_no_file_takes_the_place_of_a_device_or_a_pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(InputError, match="pipe is a device or a pipe; give a file nam"):
        check_writable(path)
    with pytest.raises(InputError, match="give a file name"), replacing(path):
        pytest.fail("nothing is to be written")
    assert path.is_fifo()
    assert [*tmp_path.iterdir()] == [path]


def test_a_folder_that_can_not_be_replaced_stays(tmp_path, monkeypatch):
    folder = tmp_path / "out"
    write(folder, "folder", "first")
    rename = Path.replace

    def full(self, target):
        if self == beside(folder):
            raise OSError("the disk is full")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(InputError, match="disk is full"), replacing(folder) as part:
        write(part, "folder", "second")
    assert tree(tmp_path) == {"out/deep/file": "first"}


def test_a_file_never_replaces_a_folder(tmp_path):
    write(tmp_path / "out", "folder", "first")
    with pytest.raises(InputError, match="out"), replacing(tmp_path / "out") as part:
        write(part, "file", "second")
    assert tree(tmp_path) == {"out/deep/file": "first"}


def test_only_an_own_or_an_empty_folder_is_written_anew(tmp_path):
    for name in ("missing", "empty", "own", "other"):
        if name != "missing":
            (tmp_path / name).mkdir()
    (tmp_path / "own" / "card.json").write_text("{}")
    (tmp_path / "other" / "letter.txt").write_text("dear")
    (tmp_path / "file").write_text("text")
    for name in ("missing", "empty", "own"):
        new_folder(tmp_path / name, mark="card.json")
    with pytest.raises(InputError, match="other things"):
        new_folder(tmp_path / "other", mark="card.json")
    with pytest.raises(InputError, match="is a file"):
        new_folder(tmp_path / "file", mark="card.json")


def test_the_hash_of_a_file_is_that_of_sha256sum(tmp_path):
    (tmp_path / "abc").write_text("abc")
    assert sha256(tmp_path / "abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    with pytest.raises(InputError, match=r"can't read .*missing"):
        sha256(tmp_path / "missing")
