"""Every exported format against Keras, by its own runtime."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from nst_export import export as module
from nst_export.card import extract
from nst_export.export import export_model
from nst_export.formats import litert
from nst_export.runtime.stylizer import Stylizer
from nst_export.settings import ExportSettings
from nst_export.verify import Sample, verify
from nst_tf import InputError
from tests.helpers import scene
from tests.nst_export.trained import TRAINED, expected, trained_network


@pytest.fixture(scope="module")
def network():
    return trained_network()


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "out"
    photos = [scene(48, 64, seed=1), scene(61, 50, seed=2)]
    settings = ExportSettings(sizes=("32x48",))
    card = export_model(network, TRAINED, folder, photos, settings)
    return folder, card


FILES = {
    "pair.tflite": 1e-4,
    "pair-float16.tflite": 2e-2,
    "pair-int8.tflite": 0.2,
    "pair.onnx": 5e-2,  # OpenVINO, in bfloat16 where the processor has it.
    "saved_model/pair/1": 1e-5,
}


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("size", [(40, 56), (33, 47)])
def test_every_file_paints_what_keras_paints(network, exported, file, size):
    photo, weights = scene(*size, seed=5), [0.2, 0.5, 0.3]
    stylizer = Stylizer.load(exported[0] / file)
    got = stylizer(photo, weights)
    assert got.shape == photo.shape
    # Both pad odd sizes, but at other places: compare what lies inside.
    want = expected(network, photo, weights)
    if size[0] % 4 == 0:
        assert np.abs(got - want).max() < FILES[file]
    else:
        assert np.abs(got - want)[:-8, :-8].mean() < 0.05
    again = stylizer(scene(20, 24, seed=6), weights)  # Another size, the same file.
    assert again.shape == (20, 24, 3)
    assert stylizer.styles == ["night", "wave"]


def test_onnx_runs_on_both_engines(network, exported):
    photo, weights = scene(40, 56, seed=5), [0.0, 0.5, 0.5]
    want = expected(network, photo, weights)
    for engine, limit in (("onnxruntime", 1e-4), ("openvino", 0.05)):
        stylizer = Stylizer.load(exported[0] / "pair.onnx", engine=engine, threads=1)
        assert stylizer.engine == engine
        assert np.abs(stylizer(photo, weights) - want).max() < limit


def test_verify_shows_whole_graphs_without_flex_and_fit_for_a_gpu(exported):
    _, card = exported
    files = [f for f in card["files"] if f["file"].endswith(".tflite")]
    assert len(files) == 7
    for file in files:
        assert file["flex"] == []
        assert file["not_on_gpu"] == []
        assert file["xnnpack_partitions"] == 1, file["file"]
        assert "CONV_2D" in file["operations"]


def test_the_card_is_complete_inside_and_beside_the_files(exported):
    folder, card = exported
    assert json.loads((folder / "card.json").read_text()) == json.loads(
        json.dumps(card)
    )
    kinds = {file["kind"] for file in card["files"]}
    assert kinds == {"float32", "float16", "int8"}
    for file in card["files"]:
        assert file["bytes"] > 10_000
        assert file["milliseconds"].keys() == {"1", "2"}
    inside = extract((folder / "pair-int8.tflite").read_bytes())
    assert inside["styles"] == TRAINED["styles"]
    readme = (folder / "README.md").read_text()
    assert readme.startswith("---\nlibrary_name")
    assert "| 1 | night | A. Painter | public domain |" in readme
    assert "pair-32x48.tflite" in readme


def test_an_app_can_check_itself_with_the_sample_pair(exported):
    folder, card = exported
    check = card["self_check"]

    def read(name):
        return np.asarray(Image.open(folder / check[name]), "float32") / 255

    got = Stylizer.load(folder / "pair.tflite")(read("photo"), check["style"])
    assert np.abs(got - read("picture")).max() < 0.6 / 255


SERVING = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("nst_tf", "nst_training", "nst_export"):
            raise ImportError(name)
sys.meta_path.insert(0, Block())
import numpy as np, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
photo = np.load(sys.argv[2])
style = tf.constant([[0.0, 1.0, 0.0]])
signatures = model.signatures
plain = signatures["serving_default"](image=tf.constant(photo[None]), style=style)
data = tf.io.encode_png(tf.cast(tf.round(photo * 255), tf.uint8))
both = tf.tile(style, (2, 1))
encoded = signatures["bytes"](image_bytes=tf.stack([data, data]), style=both)
small = signatures["uint8"](image=tf.io.decode_png(data)[None], style=style)
np.savez(sys.argv[3], plain=plain["picture"], small=small["picture"],
         png=tf.io.decode_png(encoded["picture_bytes"][1]))
"""


def test_the_saved_model_is_served_without_this_project(network, exported, tmp_path):
    photo = np.round(scene(37, 50, seed=9) * 255).astype("float32") / 255
    np.save(tmp_path / "photo.npy", photo)
    command = [sys.executable, "-W", "ignore", "-c", SERVING]
    command += [str(exported[0] / "saved_model" / "pair" / "1")]
    command += [str(tmp_path / "photo.npy"), str(tmp_path / "out.npz")]
    subprocess.run(command, check=True, cwd=tmp_path, capture_output=True)
    found = np.load(tmp_path / "out.npz")
    want = expected(network, photo, [0, 1, 0])
    np.testing.assert_allclose(found["plain"][0], want, atol=1e-5)
    for name in ("small", "png"):
        picture = found[name].reshape(want.shape)
        assert np.abs(picture / 255.0 - want).max() < 0.6 / 255


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


def test_other_peoples_files_are_not_replaced(network, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    settings = ExportSettings(formats=("litert",))
    with pytest.raises(InputError, match="holds other things"):
        export_model(network, TRAINED, tmp_path, [scene(32, 32)], settings)
    assert (tmp_path / "letter.txt").read_text() == "dear"
    with pytest.raises(InputError, match="at least one photograph"):
        export_model(network, TRAINED, tmp_path / "new", [], settings)


def test_verify_measures_the_difference_that_is_there(exported):
    path = exported[0] / "pair.tflite"
    photo, weights = scene(32, 32, seed=3), [0.0, 1.0, 0.0]
    shifted = Stylizer.load(path)(photo, weights) + np.float32(0.02)

    def loss(picture, photo, weights):
        return float(np.mean(picture)) * weights[1]

    sample = Sample(photo, weights, shifted, loss(shifted, photo, weights))
    found = verify(path, [sample], kind="int8", loss=loss)
    assert found["psnr"] == pytest.approx(-20 * np.log10(0.02), abs=0.01)
    assert found["max_difference"] == pytest.approx(0.02, rel=1e-3)
    ratio = 1 - 0.02 / shifted.mean()
    assert found["loss_ratio"] == pytest.approx(ratio, abs=1e-4)
    with pytest.raises(InputError, match="max_difference"):
        verify(path, [sample], kind="float32")


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
        limit = FILES[file]
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
        assert np.abs(got - want).max() < FILES[file]


def test_int8_throughout_is_calibrated_on_photographs(network, tmp_path):
    settings = ExportSettings(formats=("litert-full-int8",), sizes=("48x32",))
    photos = [scene(32, 48, seed=k) for k in range(3)]
    card = export_model(network, TRAINED, tmp_path / "out", photos, settings)
    for file in card["files"]:
        assert file["kind"] == "full-int8"
        assert "QUANTIZE" in file["operations"]
        assert file["psnr"] > 20


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


@pytest.mark.parametrize("size", ["512", "30x32", "8x8", "axb", "512x"])
def test_sizes_that_no_network_takes_are_refused(size):
    with pytest.raises(InputError, match="multiples of 4"):
        ExportSettings(sizes=(size,))


def test_the_page_is_written_with_a_file_that_was_compared(network, tmp_path):
    if shutil.which("npm") is None:
        pytest.skip("npm, which fetches LiteRT.js, is not installed")
    settings = ExportSettings(formats=("web",))
    card = export_model(
        network, TRAINED, tmp_path / "out", [scene(48, 64, seed=1)], settings
    )
    (entry,) = card["files"]
    assert entry["max_difference"] < 1e-3
    page = tmp_path / "out" / "web"
    about = json.loads((page / "model.json").read_text("utf-8"))
    assert [style["name"] for style in about["styles"]] == ["night", "wave"]
    assert all((page / style["thumbnail"]).is_file() for style in about["styles"])
    photo, weights = scene(40, 56, seed=5), [0.2, 0.5, 0.3]
    found = Stylizer.load(page / "model.tflite")(photo, weights)
    np.testing.assert_allclose(found, expected(network, photo, weights), atol=1e-3)
    assert (page / "litert/wasm/litert_wasm_internal.wasm").stat().st_size > 1e6
