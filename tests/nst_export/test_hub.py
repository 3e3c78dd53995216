"""An exported folder as a repository of the Hub, offline."""

import socket

import pytest

from nst_export.export import export_model
from nst_export.hub import check_repository, push
from nst_export.settings import ExportSettings
from nst_tf import InputError
from nst_tf.cli import main
from tests.helpers import scene, write_photos
from tests.nst_export.trained import TRAINED


def test_the_folder_is_a_valid_model_repository(network, tmp_path):
    from huggingface_hub import ModelCard

    settings = ExportSettings(formats=("litert-float16",), license="cc-by-4.0")
    folder = tmp_path / "out"
    export_model(network, TRAINED, folder, [scene(48, 64, seed=1)], settings)
    card = ModelCard.load(folder / "README.md")
    assert card.data.to_dict() == {
        "license": "cc-by-4.0",
        "library_name": "litert",
        "pipeline_tag": "image-to-image",
        "tags": ["style-transfer", "nst-tf"],
    }
    assert card.text.lstrip().startswith("# pair")
    # Nothing in it is ours alone: no absolute path, no hidden file.
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*")}
    assert names == {
        *("README.md", "card.json", "pair-float16.tflite"),
        *("sample-photo.png", "sample-picture.png"),
    }
    assert str(tmp_path) not in (folder / "card.json").read_text()


@pytest.mark.parametrize("name", ["a/b/c", "own er/pair", "", "owner/..", "x" * 97])
def test_a_name_that_the_hub_refuses_is_told_before_any_work(name, tmp_path, capsys):
    command = ["export", "gallery", "-o", str(tmp_path / "out"), "--photos", "none"]
    command += ["--formats", "litert", "--push-to-hub", name]
    assert main(command) == 2
    assert "OWNER/NAME" in capsys.readouterr().err
    check_repository("owner/pair")


def test_a_model_of_ones_own_is_pushed_with_a_licence_only(tmp_path, capsys):
    photos = write_photos(tmp_path / "photos", 1)
    command = ["export", str(tmp_path), "-o", str(tmp_path / "out"), "--photos"]
    command += [str(photos), "--formats", "litert", "--push-to-hub", "owner/pair"]
    assert main(command) == 2
    assert "give --license" in capsys.readouterr().err


def test_a_hub_that_cannot_be_reached_leaves_the_folder(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")
    (tmp_path / "README.md").write_text("# pair\n")
    with pytest.raises(InputError, match=r"is written, but can't be pushed to a/pair"):
        push(tmp_path, "a/pair")
    assert (tmp_path / "README.md").read_text() == "# pair\n"
