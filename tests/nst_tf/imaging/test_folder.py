"""Folders of photographs: every file, in another order every epoch."""

import contextlib
import itertools
import os
import tempfile
from pathlib import Path

import pytest

from nst_tf.imaging.folder import Folder, find_images
from nst_tf.settings.checks import InputError


@pytest.fixture
def folder(tmp_path):
    for index in range(7):
        path = tmp_path / f"set{index % 2}" / f"{index}.png"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def test_a_folder_is_searched_to_the_bottom(folder):
    (folder / "notes.txt").write_text("no picture")
    assert len(Folder(folder).files) == 7


def test_every_epoch_has_every_file_once_in_another_order(folder):
    names = [name for name, _ in itertools.islice(Folder(folder).open(5, 0), 21)]
    epochs = [names[:7], names[7:14], names[14:]]
    for epoch in epochs:
        assert len(set(epoch)) == 7
    assert epochs[0] != epochs[1] != epochs[2]


def test_hidden_files_and_leftovers_are_no_photographs(folder):
    for name in ("._0.png", ".7.part.1.png", ".cache/8.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    assert len(find_images(folder).files) == 7
    assert not find_images(folder).others


def test_every_ending_of_a_jpeg_and_avif_are_read(tmp_path):
    for name in ("a.jpg", "b.JPEG", "c.jfif", "d.jpe", "e.avif"):
        (tmp_path / name).touch()
    assert [path.name for path in find_images(tmp_path).files] == [
        *("a.jpg", "b.JPEG", "c.jfif", "d.jpe", "e.avif"),
    ]


def test_files_of_other_kinds_are_counted_by_kind(tmp_path, monkeypatch):
    monkeypatch.setattr("nst_tf.imaging.formats.reads_heif", lambda: False)
    for name in ("a.jpg", "b.heic", "c.HEIC", "d.txt", "README"):
        (tmp_path / name).touch()
    found = find_images(tmp_path)
    assert [path.name for path in found.files] == ["a.jpg"]
    assert found.passed_over.startswith("passed over 2 .heic, ")
    assert "1 .txt" in found.passed_over
    assert "1 without an ending" in found.passed_over
    assert "nst-tf[heif]" in found.passed_over
    assert Folder(tmp_path).passed_over == found.passed_over
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(InputError, match=r"no image files.*2 \.heic"):
        Folder(tmp_path)


def test_links_are_followed_once(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "far.png").touch()
    (folder / "link").symlink_to(other)
    (folder / "again").symlink_to(other)
    (other / "loop").symlink_to(folder)
    (folder / "twice.png").symlink_to(folder / "set0" / "0.png")
    found = [path.name for path in find_images(folder).files]
    assert sorted(found) == [*(f"{k}.png" for k in range(7)), "far.png"]


def test_pipes_are_passed_over(folder):
    before = find_images(folder).files
    os.mkfifo(folder / "pipe.png")
    (folder / "link.png").symlink_to("pipe.png")
    found = find_images(folder)
    assert found.files == before
    assert found.passed_over.endswith("2 pipe or device")


@contextlib.contextmanager
def somebody():
    """Be a user whom permissions stop."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_folder_that_may_not_be_read_is_told_of():
    with tempfile.TemporaryDirectory() as made:
        folder, closed = Path(made), Path(made, "closed")
        folder.chmod(0o755)
        closed.mkdir()
        (folder / "a.png").touch()
        closed.chmod(0)
        with somebody():
            found = find_images(folder)
        closed.chmod(0o700)
    assert [path.name for path in found.files] == ["a.png"]
    assert found.passed_over == "passed over 1 folder that may not be read"


def test_the_folder_of_the_results_can_be_left_out(folder):
    assert len(find_images(folder, leave=[folder / "set1"]).files) == 4
    assert len(find_images(folder, leave=[folder]).files) == 7
