"""Nothing that is wanted is replaced, and two runs don't write into one place."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nst_tf.places import (
    check_places,
    held,
    inside,
    left_empty,
    place_of,
    same_file,
)
from nst_tf.settings.checks import InputError
from tests.helpers import PYTHONPATH, ROOT


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"photo")
    return path


def links(photo):
    """Return other names of a file."""
    folder = photo.parent
    (folder / "link.jpg").symlink_to(photo)
    (folder / "way").symlink_to(folder)
    os.link(photo, folder / "hard.jpg")
    return [
        folder / "link.jpg",
        folder / "way" / "photo.jpg",
        folder / "hard.jpg",
        folder / "." / "way" / ".." / folder.name / "photo.jpg",
    ]


def test_an_output_that_is_an_input_is_refused_whatever_it_is_called(photo):
    for name in [photo, *links(photo)]:
        with pytest.raises(InputError, match=r"is an input.*--overwrite"):
            check_places([name], inputs=[photo])
        with pytest.raises(InputError, match="is an input"):
            check_places([photo], inputs=[name])
        check_places([name], inputs=[photo], overwrite=True)


def test_other_outputs_and_missing_inputs_do_not_matter(photo, tmp_path):
    (tmp_path / "old.jpg").write_bytes(b"old")
    outputs = [tmp_path / "old.jpg", tmp_path / "new.jpg"]
    check_places(outputs, inputs=[photo, tmp_path / "missing.jpg"])


@pytest.mark.parametrize("other", ["A.jpg", "a.jpg", "./a.jpg", "way/a.jpg"])
def test_two_outputs_of_one_place_are_refused_even_on_request(tmp_path, other):
    (tmp_path / "way").symlink_to(tmp_path)
    for overwrite in (False, True):
        with pytest.raises(InputError, match="would be one file"):
            check_places([tmp_path / "a.jpg", tmp_path / other], overwrite=overwrite)


def test_composed_and_decomposed_letters_are_one_place(tmp_path):
    assert place_of(tmp_path / "u\u0308.jpg") == place_of(tmp_path / "\u00fc.jpg")
    assert place_of(tmp_path / "u.jpg") != place_of(tmp_path / "\u00fc.jpg")


def test_a_finished_model_is_refused_unless_asked(tmp_path):
    model = tmp_path / "model"
    check_places([model / "m.keras"], finished=[model])
    model.mkdir()
    with pytest.raises(InputError, match=r"holds a model already.*--overwrite"):
        check_places([model / "m.keras"], finished=[model])
    check_places([model / "m.keras"], finished=[model], overwrite=True)


def test_inside_and_same_file_resolve_links(photo, tmp_path):
    (tmp_path / "way").symlink_to(tmp_path)
    assert inside(tmp_path / "way" / "deep", tmp_path)
    assert not inside(tmp_path, tmp_path / "deep")
    assert same_file(tmp_path / "way" / "photo.jpg", [photo])
    assert not same_file(tmp_path / "missing", [photo, tmp_path / "missing"])


@pytest.mark.parametrize("folder", [False, True])
def test_a_place_is_held_by_one_and_nothing_of_it_stays(tmp_path, folder):
    place = tmp_path / "new" / "out"
    with held(place, folder=folder):
        with pytest.raises(InputError) as caught, held(place, folder=folder):
            pass
        assert f"process {os.getpid()}" in str(caught.value)
        assert str(place) in str(caught.value)
    assert not place.exists()
    with held(place, folder=folder):
        pass
    assert list((tmp_path / "new").iterdir()) == []


def test_a_folder_with_something_in_it_stays(tmp_path):
    with held(tmp_path / "out", folder=True):
        (tmp_path / "out" / "a.png").touch()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]


def test_a_killed_run_holds_nothing(tmp_path):
    program = (
        "import os, sys; from pathlib import Path; from nst_tf.places import held\n"
        "with held(Path(sys.argv[1]), folder=True): os.kill(os.getpid(), 9)"
    )
    place = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-c", program, str(place)], cwd=ROOT, check=False
    )
    assert done.returncode == -9
    assert (place / ".lock").exists()
    with held(place, folder=True):
        pass
    assert not (place / ".lock").exists()


def test_a_place_that_can_not_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="can't write"), held(tmp_path / "file" / "x"):
        pass


def test_a_folder_is_no_place_of_a_file(tmp_path):
    for place in (tmp_path, Path()):
        with pytest.raises(InputError, match="is a folder"):
            check_places([place])
    assert not list(tmp_path.iterdir())


def test_a_folder_with_a_dead_runs_lock_alone_is_taken_away(tmp_path):
    for name, stays in ((".lock", False), ("model.keras", True)):
        folder = tmp_path / name
        with left_empty(folder):
            folder.mkdir()
            (folder / name).touch()
        assert folder.exists() == stays
    with left_empty(folder):
        (folder / "model.keras").rename(folder / ".lock")
    assert (folder / ".lock").exists()


def test_a_lock_for_which_there_is_no_room_leaves_nothing(tmp_path):
    code = (
        "import pathlib, resource; from nst_tf.places import held;"
        " resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0));"
        " held(pathlib.Path('out'), folder=True).__enter__()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        capture_output=True,
        check=False,
        text=True,
    )
    assert "InputError: can't write to" in done.stderr
    assert not list(tmp_path.iterdir())
