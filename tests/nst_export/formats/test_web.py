"""The folder that paints in the browser."""

import json
import shutil

import numpy as np
import pytest

from nst_export.export import export_model
from nst_export.formats.litert import open_tiles
from nst_export.formats.web import set_size, size_rules
from nst_export.runtime.mix import mix_weights
from nst_export.runtime.stylizer import Stylizer, bundled
from nst_export.settings import ExportSettings
from nst_tf.cli import main
from tests.helpers import scene
from tests.nst_export.trained import TRAINED, expected


def test_the_page_is_written_with_a_file_that_was_compared(network, tmp_path):
    if shutil.which("npm") is None:
        pytest.skip("npm, which fetches LiteRT.js, is not installed")
    settings = ExportSettings(formats=("web",))
    card = export_model(
        network, TRAINED, tmp_path / "out", [scene(48, 64, seed=1)], settings
    )
    (entry,) = card["files"]
    assert entry["file"] == "web/model.tflite"
    assert entry["max_difference"] < 1e-3
    page = tmp_path / "out" / "web"
    about = json.loads((page / "model.json").read_text("utf-8"))
    assert [style["name"] for style in about["styles"]] == ["night", "wave"]
    assert all((page / style["thumbnail"]).is_file() for style in about["styles"])
    photo, weights = scene(40, 56, seed=5), [0.2, 0.5, 0.3]
    found = Stylizer.load(page / "model.tflite")(photo, weights)
    np.testing.assert_allclose(found, expected(network, photo, weights), atol=1e-3)
    assert (page / "litert/wasm/litert_wasm_internal.wasm").stat().st_size > 1e6
    # The camera's frames are painted by the file that takes and gives statistics.
    assert about["frames"]
    frames, rules = page / "frames.tflite", page / "frames-sizes.json"
    sized = set_size(frames.read_bytes(), json.loads(rules.read_text()), 40, 56)
    (tmp_path / "sized.tflite").write_bytes(sized)
    found = open_tiles(tmp_path / "sized.tflite", 1)(photo, weights)
    np.testing.assert_allclose(found, expected(network, photo, weights), atol=0.02)


@pytest.fixture
def npm(tmp_path_factory, monkeypatch):
    """Put an npm that does nothing on the path: it is asked for before all else."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "npm").write_text("#!/bin/sh\nexit 1\n")
    (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.usefixtures("npm")
def test_a_folder_with_other_things_is_left_alone(tmp_path, capsys):
    (tmp_path / "own.txt").write_text("mine")
    command = ["export", "gallery", "--formats", "web", "-o", str(tmp_path)]
    assert main(command) == 2
    assert "holds other things" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["own.txt"]


@pytest.mark.usefixtures("npm")
def test_the_folder_that_one_is_in_is_not_replaced(tmp_path, capsys, monkeypatch):
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    for output in (".", ".."):
        command = ["export", "gallery", "--formats", "web", "-o", output]
        assert main(command) == 2
        assert "the folder that you are in" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.usefixtures("npm")
@pytest.mark.parametrize(
    "flag", ["--vectors", "--recipe", "--license", "--push-to-hub"]
)
def test_what_no_page_around_a_file_can_have_is_refused(tmp_path, capsys, flag):
    command = ["export", "any", "--formats", "web", "-o", str(tmp_path / "site")]
    assert main([*command, flag, "mine"]) == 2
    said = capsys.readouterr().err
    assert f"{flag} is for files that are made of a trained model" in said
    assert list(tmp_path.iterdir()) == []


def test_a_missing_npm_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    command = ["export", "gallery", "--formats", "web", "-o", str(tmp_path / "site")]
    assert main(command) == 2
    assert "web needs npm: install Node.js" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_file_set_to_a_size_paints_as_the_one_for_any_size(tmp_path, stylizer):
    from ai_edge_litert.interpreter import Interpreter

    model = bundled().read_bytes()
    fixed = Interpreter(model_content=set_size(model, size_rules(model), 60, 84))
    fixed.allocate_tensors()
    photo, weights = scene(60, 84), mix_weights(stylizer.styles, {"udnie": 1.0})
    for detail in fixed.get_input_details():
        assert -1 not in detail["shape_signature"]
        value = photo[None] if len(detail["shape"]) == 4 else [weights]
        fixed.set_tensor(detail["index"], np.asarray(value, "float32"))
    fixed.invoke()
    found = fixed.get_tensor(fixed.get_output_details()[0]["index"])[0]
    np.testing.assert_allclose(found, stylizer(photo, weights), atol=1e-5)
