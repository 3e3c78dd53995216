"""Every exported format against Keras, by its own runtime."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nst_export.export import export_model
from nst_export.runtime.clip import ClipStylizer
from nst_export.runtime.stylizer import Stylizer, bundled
from nst_export.settings import ExportSettings
from tests.helpers import scene
from tests.nst_export.trained import LIMITS, TRAINED, expected


@pytest.mark.parametrize("file", LIMITS)
@pytest.mark.parametrize("size", [(40, 56), (33, 47)])
def test_every_file_paints_what_keras_paints(network, exported, file, size):
    photo, weights = scene(*size, seed=5), [0.2, 0.5, 0.3]
    stylizer = Stylizer.load(exported[0] / file)
    got = stylizer(photo, weights)
    assert got.shape == photo.shape
    # Both pad odd sizes, but at other places: compare what lies inside.
    want = expected(network, photo, weights)
    if size[0] % 4 == 0:
        assert np.abs(got - want).max() < LIMITS[file]
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


def test_the_free_sides_of_an_onnx_file_have_names(exported):
    import onnxruntime

    session = onnxruntime.InferenceSession(exported[0] / "pair.onnx")
    shapes = {i.name: i.shape for i in (*session.get_inputs(), *session.get_outputs())}
    picture = ["batch", "height", "width", 3]
    assert shapes == {"image": picture, "style": ["batch", 3], "picture": picture}


@pytest.mark.parametrize("endpoint", ["serve", "serving_default"])
def test_keras_takes_the_saved_model_as_a_layer(network, exported, endpoint):
    import keras

    photo, weights = scene(40, 56, seed=5), [0.2, 0.5, 0.3]
    given = {"image": photo[None], "style": np.asarray([weights], "float32")}
    folder = exported[0] / "saved_model/pair/1"
    layer = keras.layers.TFSMLayer(str(folder), call_endpoint=endpoint)
    inputs = {
        "image": keras.Input((None, None, 3), name="image"),
        "style": keras.Input((len(weights),), name="style"),
    }
    if endpoint == "serve":
        picture = layer(inputs)
    else:
        picture = layer(inputs["image"], style=inputs["style"])["picture"]
    found = keras.Model(inputs, picture)(given)
    want = expected(network, photo, weights)
    np.testing.assert_allclose(found[0], want, atol=1e-5)


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


def test_tiles_of_int8_paint_what_int8_paints(network, tmp_path):
    formats = ("litert-int8", "litert-int8-tiles")
    settings = ExportSettings(formats=formats)
    photos = [scene(32, 48, seed=k) for k in range(2)]
    card = export_model(network, TRAINED, tmp_path / "out", photos, settings)
    whole, tiles = card["files"]
    assert (tiles["file"], tiles["kind"]) == ("pair-int8-tiles.tflite", "int8")
    assert tiles["bytes"] < 1.2 * whole["bytes"]
    stylizer = Stylizer.load(tmp_path / "out" / whole["file"])
    photo, weights = scene(64, 96, seed=9), [0.0, 0.6, 0.4]
    frame = ClipStylizer(stylizer, weights)(photo, 0.0)
    assert stylizer.tile_session is not None
    np.testing.assert_allclose(frame, stylizer(photo, weights), atol=1e-5)


def test_int8_throughout_is_calibrated_on_photographs(network, tmp_path):
    settings = ExportSettings(formats=("litert-full-int8",), sizes=("48x32",))
    sizes = ((32, 48), (48, 32), (40, 40))  # As photographs of a folder are.
    photos = [scene(*size, seed=k) for k, size in enumerate(sizes)]
    card = export_model(network, TRAINED, tmp_path / "out", photos, settings)
    for file in card["files"]:
        assert file["kind"] == "full-int8"
        assert "QUANTIZE" in file["operations"]
        assert file["psnr"] > 20


@pytest.mark.parametrize("file", [f for f in LIMITS if f.endswith(".tflite")])
def test_a_file_for_any_size_runs_as_it_is_at_256x256(network, exported, file):
    from ai_edge_litert.compiled_model import CompiledModel
    from ai_edge_litert.interpreter import Interpreter

    path = exported[0] / file
    photo, weights = scene(256, 256, seed=5), [0.2, 0.5, 0.3]
    given = {"image": photo[None], "style": np.asarray([weights], "float32")}
    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    shapes = {}
    for detail in interpreter.get_input_details():
        name = detail["name"].split(":")[0].removeprefix("serving_default_")
        shapes[name] = detail["shape"].tolist(), detail["shape_signature"].tolist()
        interpreter.set_tensor(detail["index"], given[name])
    assert shapes["image"] == ([1, 256, 256, 3], [1, -1, -1, 3])
    interpreter.invoke()
    plain = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
    want = expected(network, photo, weights)
    assert np.abs(plain - want).max() < LIMITS[file]
    model = CompiledModel.from_file(str(path))
    inputs = [
        model.create_input_buffer_by_name("serving_default", name) for name in given
    ]
    output = model.create_output_buffer_by_name("serving_default", "picture")
    for buffer, value in zip(inputs, given.values(), strict=True):
        buffer.write(np.ascontiguousarray(value))
    model.run_by_name(
        "serving_default",
        dict(zip(given, inputs, strict=True)),
        {"picture": output},
    )
    compiled = output.read(want.size, np.float32).reshape(want.shape)
    assert np.abs(compiled - want).max() < LIMITS[file]


def test_the_benchmark_tool_of_litert_takes_the_bundled_file(tmp_path):
    tool = Path(sys.executable).with_name("litert-benchmark")
    command = [tool, "--model", bundled(), "--num_runs", "1", "--warmup_runs", "1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
