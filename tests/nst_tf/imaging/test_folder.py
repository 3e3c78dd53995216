"""Folders of photographs: every file, in another order every epoch."""

import itertools

import pytest

from nst_tf.imaging.folder import Folder


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
