"""Every exported format against Keras, by its own runtime."""

import dataclasses
import functools
import json
import os

import keras
import numpy as np
import pytest
from PIL import Image

from nst_export import export as module
from nst_export.card import extract, make_card, markdown
from nst_export.export import export_model
from nst_export.formats import litert
from nst_export.formats.table import Format
from nst_export.runtime.stylizer import Stylizer
from nst_export.settings import ExportSettings
from nst_tf import InputError, NetworkSettings, build_network
from nst_tf.cli import main
from tests.helpers import scene
from tests.nst_export.trained import LIMITS, TRAINED, expected, trained_network


def test_the_card_is_complete_inside_and_beside_the_files(exported):
    folder, card = exported
    assert json.loads((folder / "card.json").read_text()) == json.loads(
        json.dumps(card)
    )
    kinds = {file["kind"] for file in card["files"]}
    assert kinds == {"float32", "float16", "int8"}
    for file in card["files"]:
        assert file["bytes"] > 10_000
        # TensorFlow takes as many threads as there are cores, whatever is asked for.
        whole = file["engine"] == "saved_model"
        threads = {str(os.cpu_count())} if whole else {"1", "2"}
        assert file["milliseconds"].keys() == threads
    inside = extract((folder / "pair-int8.tflite").read_bytes())
    assert inside["styles"] == TRAINED["styles"]
    readme = (folder / "README.md").read_text()
    assert readme.startswith("---\nlicense: unknown\nlibrary_name")
    assert {file["file"] for file in card["files"]} > set(LIMITS) - {
        "saved_model/pair/1"
    }
    assert "| 1 | night | A. Painter | public domain |" in readme
    assert "pair-32x48.tflite" in readme


def test_a_bar_in_a_credit_stays_in_its_cell():
    style = {"name": "night", "credit": "A. Painter | a museum\n1889", "licence": "CC0"}
    readme = markdown(make_card(TRAINED | {"styles": [style]}))
    assert "| 1 | night | A. Painter \\| a museum 1889 | CC0 |\n" in readme


def test_an_app_can_check_itself_with_the_sample_pair(exported):
    folder, card = exported
    check = card["self_check"]

    def read(name):
        return np.asarray(Image.open(folder / check[name]), "float32") / 255

    got = Stylizer.load(folder / "pair.tflite")(read("photo"), check["style"])
    assert np.abs(got - read("picture")).max() < 0.6 / 255


def test_a_file_past_its_limit_leaves_nothing(network, tmp_path, monkeypatch):
    real = litert.to_litert

    def spoilt(model, **options):
        weights = model.get_weights()
        model.set_weights([w * 1.5 for w in weights])
        data = real(model, **options)
        model.set_weights(weights)
        return data

    monkeypatch.setattr(litert, "to_litert", spoilt)
    photos = [scene(32, 32, seed=1)]
    settings = ExportSettings(formats=("litert",))
    with pytest.raises(InputError, match="differs from the Keras model"):
        export_model(network, TRAINED, tmp_path / "out", photos, settings)
    assert list(tmp_path.iterdir()) == []


class Poured:
    """A network with the weights that an `.npz` holds, which no engine reads."""

    takes_style = True

    def __init__(self, path, network):
        self.network = keras.models.clone_model(network)
        with np.load(path) as file:
            self.network.set_weights([file[key] for key in file])

    def __call__(self, image, style):
        inputs = {"image": image, "style": style}
        return keras.ops.convert_to_numpy(self.network(inputs))


def write_weights(path, source, factor=1.0):
    np.savez(path, *(factor * weight for weight in source.network.get_weights()))


def test_a_format_that_no_engine_reads_is_compared_and_timed_by_what_it_opens(
    network, tmp_path, monkeypatch
):
    asked = []

    def opened(path, source, threads):
        asked.append((path.name, threads))
        return Stylizer(Poured(path, source.network), source.card, "keras")

    form = Format(
        file="{name}.npz", write=write_weights, lowering="native", opened=opened
    )
    monkeypatch.setattr(module, "find_format", lambda name: form)
    photos, settings = [scene(32, 32, seed=1)], ExportSettings(formats=("litert",))
    card = export_model(network, TRAINED, tmp_path / "out", photos, settings)
    (entry,) = card["files"]
    assert (entry["file"], entry["engine"]) == ("pair.npz", "keras")
    assert entry["max_difference"] < 1e-5
    assert entry["milliseconds"].keys() == {"1", "2"}
    assert asked == [("pair.npz", threads) for threads in (None, 1, 2)]
    spoilt = functools.partial(write_weights, factor=1.5)
    form = dataclasses.replace(form, write=spoilt)
    with pytest.raises(InputError, match=r"pair\.npz differs from the Keras model"):
        export_model(network, TRAINED, tmp_path / "new", photos, settings)


def test_other_peoples_files_are_not_replaced(network, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    settings = ExportSettings(formats=("litert",))
    with pytest.raises(InputError, match="holds other things"):
        export_model(network, TRAINED, tmp_path, [scene(32, 32)], settings)
    assert (tmp_path / "letter.txt").read_text() == "dear"
    with pytest.raises(InputError, match="at least one photograph"):
        export_model(network, TRAINED, tmp_path / "new", [], settings)


def test_one_style_alone_needs_no_weights(network, tmp_path):
    settings = ExportSettings(style="wave", formats=("saved_model", "litert", "onnx"))
    photos = [scene(48, 64, seed=1)]
    card = export_model(network, TRAINED, tmp_path / "out", photos, settings)
    assert [style["name"] for style in card["styles"]] == ["wave"]
    assert set(card["inputs"]) == {"image"}
    photo = scene(40, 56, seed=5)
    want = expected(network, photo, [0, 0, 1])
    for file in ("pair.tflite", "pair.onnx", "saved_model/pair/1"):
        stylizer = Stylizer.load(tmp_path / "out" / file)
        assert not stylizer.session.takes_style
        limit = LIMITS[file]
        assert np.abs(stylizer(photo, [0.0, 1.0]) - want).max() < limit
        half = stylizer(photo, [0.5, 0.5])
        assert np.abs(half - (photo + want) / 2).max() < limit
    settings = ExportSettings(style="waev")
    with pytest.raises(InputError, match=r"no style waev \(there are night, wave\)"):
        export_model(network, TRAINED, tmp_path / "new", photos, settings)


def test_a_network_of_a_width_that_makes_odd_channels_is_exported(tmp_path):
    odd = trained_network(width=0.33)  # 11, 21 and 42 channels.
    settings = ExportSettings(formats=("litert", "onnx"))
    export_model(odd, TRAINED, tmp_path / "out", [scene(48, 64, seed=1)], settings)
    photo, weights = scene(40, 56, seed=5), [0.2, 0.5, 0.3]
    want = expected(odd, photo, weights)
    for file in ("pair.tflite", "pair.onnx"):
        got = Stylizer.load(tmp_path / "out" / file)(photo, weights)
        assert np.abs(got - want).max() < LIMITS[file]


def test_a_size_without_a_format_of_sizes_is_refused(network, tmp_path):
    settings = ExportSettings(formats=("onnx",), sizes=("32x48",))
    with pytest.raises(InputError, match="files of one size are LiteRT's"):
        export_model(network, TRAINED, tmp_path / "out", [scene(32, 32)], settings)
    assert list(tmp_path.iterdir()) == []


def test_a_style_that_is_not_there_is_told_before_the_photographs_are_read(
    tmp_path, capsys
):
    command = ["export", "gallery", "--photos", str(tmp_path / "none")]
    command += ["--style", "undie", "--formats", "litert", "-o", str(tmp_path / "out")]
    assert main(command) == 2
    assert "there is no style undie" in capsys.readouterr().err


def test_a_full_disk_leaves_the_files_of_before(network, tmp_path, monkeypatch):
    photos, folder = [scene(32, 32, seed=1)], tmp_path / "out"
    settings = ExportSettings(formats=("litert",))
    export_model(network, TRAINED, folder, photos, settings)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "save_image", full)
    with pytest.raises(InputError, match="No space left on device"):
        export_model(network, TRAINED, folder, photos, settings)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert list(tmp_path.iterdir()) == [folder]


def test_styles_of_a_network_that_takes_none_are_refused(network, tmp_path):
    settings = ExportSettings(vectors=(tmp_path / "none.style.json",))
    with pytest.raises(
        InputError, match=r"none\.style\.json: files of styles are for a m"
    ):
        export_model(network, TRAINED, tmp_path / "out", [scene(32, 32)], settings)
    assert not (tmp_path / "out").exists()


def test_an_hourglass_is_refused_before_anything_is_written(tmp_path):
    settings = NetworkSettings(styles=2, architecture="hourglass", width=0.125)
    photos = [scene(32, 32, seed=1)]
    with pytest.raises(InputError, match="hourglass can't be exported yet"):
        export_model(build_network(settings), TRAINED, tmp_path / "out", photos)
    assert not (tmp_path / "out").exists()
