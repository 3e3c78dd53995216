"""The runtime: mixes, files that are no models, no TensorFlow."""

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from nst_export.runtime.mix import mix_weights
from nst_export.runtime.stylizer import Stylizer, bundled
from nst_tf import InputError, build_network, load_image, save_image
from nst_tf.cli import main
from nst_tf.settings.network import NetworkSettings
from tests.helpers import ROOT, scene

STYLES = ["night", "wave", "scream"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    from nst_export.card import embed, make_card
    from nst_export.formats.litert import to_litert

    network = build_network(NetworkSettings(styles=3, width=0.125, lowering="slices"))
    trained = {
        "program": "nst-tf",
        "name": "three",
        "styles": [{"name": name, "credit": name.title()} for name in STYLES],
    }
    path = tmp_path_factory.mktemp("model") / "three.tflite"
    path.write_bytes(embed(to_litert(network), make_card(trained)))
    return path


@pytest.mark.parametrize("engine", ["litert", "openvino"])
def test_threads_may_share_a_model(model, engine):
    stylizer = Stylizer.load(model, engine=engine)
    weights = mix_weights(STYLES, {"wave": 1.0})
    photos = [scene(64, 96), scene(80, 48)] * 12
    expected = [stylizer(photo, weights) for photo in photos[:2]] * 12
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda photo: stylizer(photo, weights), photos))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_weights_are_shares_times_the_strength():
    assert mix_weights(STYLES, {"wave": 2.0}) == [0, 0, 1, 0]
    got = mix_weights(STYLES, {"night": 3.0, "scream": 1.0}, strength=0.6)
    np.testing.assert_allclose(got, [0.4, 0.45, 0, 0.15])
    assert mix_weights(STYLES, {"wave": 1.0}, strength=0) == [1, 0, 0, 0]
    assert mix_weights(STYLES, {"wave": 1.0}, strength=1.5) == [-0.5, 0, 1.5, 0]


@pytest.mark.parametrize(
    ("mix", "strength", "message"),
    [
        ({"nigth": 1.0}, 1.0, "no style nigth; did you mean night"),
        ({"wave": -1.0}, 1.0, "share of wave must be a number of at least 0, got -1"),
        ({"wave": 0.0}, 1.0, "needs a share above 0"),
        ({}, 1.0, "needs a share above 0"),
        ({"wave": float("nan")}, 1.0, "share of wave"),
        ({"wave": 1.0}, 1.6, r"strength must be in 0\.\.1\.5, got 1\.6"),
        ({"wave": 1.0}, -0.1, r"strength must be in 0\.\.1\.5, got -0\.1"),
        ({"wave": 1.0}, float("nan"), "strength must be"),
        ({"wave": 1e308, "night": 1e308}, 1.0, "too large to be added"),
        ({"wave": "1"}, 1.0, "share of wave must be a number of at least 0, got '1'"),
        ({"wave": 1.0}, "1", r"strength must be in 0\.\.1\.5, got '1'"),
        ({1: 1.0}, 1.0, "there is no style 1"),
    ],
)
def test_mixes_that_make_no_sense_are_refused(mix, strength, message):
    with pytest.raises(InputError, match=message):
        mix_weights(STYLES, mix, strength=strength)


def test_any_size_from_16_pixels_is_painted_in_range(model):
    stylizer = Stylizer.load(model)
    weights = mix_weights(stylizer.styles, {"night": 1.0})
    for size in ((16, 16), (17, 31), (64, 18)):
        got = stylizer(scene(*size), weights)
        assert got.shape == (*size, 3)
        assert got.dtype == np.float32
        assert 0 <= got.min() <= got.max() <= 1
    with pytest.raises(InputError, match="20x15 pixels; each side needs 16"):
        stylizer(scene(15, 20), weights)


def test_strength_0_is_the_photograph(model):
    photo = scene(32, 40)
    stylizer = Stylizer.load(model)
    got = stylizer(photo, mix_weights(stylizer.styles, {"wave": 1.0}, strength=0))
    np.testing.assert_allclose(got, photo, atol=1e-6)


def test_files_that_are_no_models_are_refused(model, tmp_path):
    data = model.read_bytes()
    cases = {
        "text.tflite": (b"hello", "damaged or no .tflite"),
        "empty.tflite": (b"", "damaged or no .tflite"),
        "half.tflite": (data[: len(data) // 2], "damaged|no model"),
        "photo.png": (b"", "is no model: give a .tflite"),
        "wrong.onnx": (b"hello", "no model card"),
    }
    for name, (content, message) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=message):
            Stylizer.load(tmp_path / name)
    with pytest.raises(InputError, match="there is no model"):
        Stylizer.load(tmp_path / "nothing.tflite")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"without saved_model.pb"):
        Stylizer.load(tmp_path / "folder")
    with pytest.raises(InputError, match=r"onnxruntime can't run three\.tflite"):
        Stylizer.load(model, engine="onnxruntime")


def test_a_file_for_tiles_of_another_model_is_refused(model, tmp_path):
    path, tiles = tmp_path / model.name, bundled().with_name("gallery-tiles.tflite")
    path.write_bytes(model.read_bytes())
    (tmp_path / "three-tiles.tflite").write_bytes(tiles.read_bytes())
    stylizer = Stylizer.load(path)
    stylizer.one_pass = 100
    with pytest.raises(InputError, match=r"three-tiles.tflite is another model's"):
        stylizer(scene(32, 32), [0, 1, 0, 0])


def test_a_model_with_other_inputs_is_refused(tmp_path):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((1, 8), tf.float32)])
    def other(x):
        return x + 1.0

    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [other.get_concrete_function()], tf.Module()
    )
    path = tmp_path / "other.tflite"
    path.write_bytes(converter.convert())
    with pytest.raises(InputError, match="no model card"):
        Stylizer.load(path)
    (tmp_path / "card.json").write_text(json.dumps({"styles": [{"name": "x"}]}))
    with pytest.raises(InputError, match="has the inputs x, not image and style"):
        Stylizer.load(path)
    (tmp_path / "card.json").write_text(json.dumps({"styles": []}))
    with pytest.raises(InputError, match="card can't be used"):
        Stylizer.load(path)


def _restyled(model, path, names, **values):
    """Write a model whose card has other styles."""
    from nst_export.card import embed, extract

    data = model.read_bytes()
    card = {**extract(data), "styles": [{"name": name} for name in names], **values}
    path.write_bytes(embed(data, card))
    return path


@pytest.mark.parametrize(
    ("names", "values", "message"),
    [
        (["night", "wave"], {}, "its 2 styles need 3 weights, and the file takes 4"),
        ([*STYLES, "more"], {}, "its 4 styles need 5 weights, and the file takes 4"),
        (["night", "wave", "night"], {}, "can't be used: it names night twice"),
        (STYLES, {"any": float("inf")}, "card can't be used"),
    ],
)
def test_a_card_of_other_styles_than_the_file_is_refused(
    model, tmp_path, names, values, message
):
    path = _restyled(model, tmp_path / "three.tflite", names, **values)
    with pytest.raises(InputError, match=message):
        Stylizer.load(path)


def test_an_engine_that_is_not_installed_is_named(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(InputError, match="pip install 'nst-tf'"):
        Stylizer.load(model)
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(InputError, match=r"pip install 'nst-tf\[openvino\]'"):
        Stylizer.load(model, engine="openvino")


def test_photographs_are_stylised_from_the_command_line(model, tmp_path, capsys):
    photo = tmp_path / "photo.png"
    save_image(photo, scene(33, 41), alpha=np.linspace(0, 1, 33 * 41).reshape(33, 41))
    base = ["stylize", str(photo), "--model", str(model)]
    out = tmp_path / "out.png"
    assert main([*base, "--style", "night", "-o", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    whole = load_image(out)
    assert whole.pixels.shape == (33, 41, 3)
    assert whole.alpha is not None
    mixed = ["--mix", "night=1,wave=3", "--strength", "0.5", "--keep-colors"]
    assert main([*base, *mixed, "--size", "24", "-o", str(out), "--quiet"]) == 0
    assert load_image(out).pixels.shape == (19, 24, 3)
    assert main(["styles", "--model", str(model), "--names"]) == 0
    assert capsys.readouterr().out.split() == STYLES
    assert main(["styles", "--model", str(model)]) == 0
    assert "Scream" in capsys.readouterr().out


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".tif"])
def test_what_the_camera_wrote_is_kept_but_not_the_orientation(model, tmp_path, ending):
    exif = Image.Exif()
    exif[0x0110], exif[0x0112] = "Camera 7", 6  # Model; a quarter turn.
    photo, out = tmp_path / "photo.jpg", tmp_path / f"out{ending}"
    Image.fromarray(np.uint8(255 * scene(20, 30))).save(photo, exif=exif)
    command = ["stylize", str(photo), "--model", str(model), "--style", "night"]
    assert main([*command, "-o", str(out), "--quiet"]) == 0
    with Image.open(out) as file:
        assert file.size == (20, 30)
        assert file.getexif()[0x0110] == "Camera 7"
        assert file.getexif().get(0x0112, 1) == 1


def test_a_folder_is_stylised_and_broken_files_are_left_out(model, tmp_path, capsys):
    photos = tmp_path / "photos"
    (photos / "deep").mkdir(parents=True)
    save_image(photos / "one.jpg", scene(32, 32, seed=1))
    save_image(photos / "one.png", scene(32, 32, seed=1))
    save_image(photos / "deep" / "two.bmp", scene(32, 36, seed=2))
    (photos / "broken.jpg").write_text("text")
    out = tmp_path / "out"
    command = ["stylize", str(photos), "--model", str(model), "--style", "wave"]
    assert main([*command, "-o", str(out)]) == 2
    said = capsys.readouterr()
    assert "left out" in said.err
    assert "broken.jpg" in said.err
    written = sorted(str(f.relative_to(out)) for f in out.rglob("*") if f.is_file())
    assert written == ["deep/two.png", "one.jpg", "one.png"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--style", "nigth"], "did you mean night"),
        ([], "give --style or --mix; the styles are night, wave, scream"),
        (["--style", "night", "--mix", "wave=1"], "give --style or --mix"),
        (["--mix", "wave"], "NAME=SHARE"),
        (["--style", "night", "--strength", "2"], "strength must be"),
        (["--style", "night", "--threads", "0"], "threads must be at least 1"),
        (["--style", "night", "--model", "no.tflite"], "there is no model"),
        (["--style", "night", "-o", "out.xyz/"], "can't make out.xyz"),
    ],
)
def test_bad_flags_are_named_and_nothing_is_written(
    model, tmp_path, capsys, monkeypatch, flags, message
):
    monkeypatch.chdir(tmp_path)
    save_image(tmp_path / "photo.png", scene(32, 32))
    (tmp_path / "out.xyz").write_text("a file")
    command = ["stylize", "photo.png", "--model", str(model), "-o", "out.png", *flags]
    assert main(command) == 2
    assert message in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.xyz", "photo.png"]


def test_applying_a_model_loads_neither_tensorflow_nor_keras(model, tmp_path):
    save_image(tmp_path / "photo.png", scene(32, 32))
    program = (
        "import sys; from nst_tf.cli import main; code = main(sys.argv[1:]); "
        "assert not {'keras', 'tensorflow', 'jax'} & set(sys.modules);"
        " slow = {'typeguard', 'unittest.mock', 'asyncio', 'importlib.metadata'};"
        " assert not slow & set(sys.modules); sys.exit(code)"
    )
    command = ["stylize", str(tmp_path / "photo.png"), "--model", str(model)]
    command += ["--style", "night", "-o", str(tmp_path / "out.png")]
    done = subprocess.run(
        [sys.executable, "-c", program, *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_without_a_bundled_gallery_it_says_what_to_give(tmp_path, monkeypatch):
    import nst_export.runtime.stylizer as runtime

    monkeypatch.setattr(runtime, "__file__", str(tmp_path / "runtime" / "x.py"))
    with pytest.raises(InputError, match="give --model"):
        runtime.bundled()
    (tmp_path / "gallery").mkdir()
    shutil.copy(__file__, tmp_path / "gallery" / "gallery.tflite")
    assert runtime.bundled().name == "gallery.tflite"


@pytest.mark.parametrize("engine", ["litert", "openvino"])
def test_a_wrong_array_is_refused_and_the_next_good_one_is_painted(model, engine):
    stylizer = Stylizer.load(str(model), engine=engine)
    good, weights = scene(64, 64), mix_weights(STYLES, {"wave": 1.0})
    want = stylizer(good, weights)
    rgba = np.dstack([good, good[..., :1]])
    for wrong in (rgba, good * 255, np.stack([good, good]), good[..., :2]):
        with pytest.raises(InputError):
            stylizer(wrong, weights)
        np.testing.assert_allclose(stylizer(good, weights), want, atol=1e-6)
    for few in (weights[:-1], [weights], [np.nan] * 4, "wave"):
        with pytest.raises(InputError, match="weights"):
            stylizer(good, few)
    np.testing.assert_allclose(stylizer(good, weights), want, atol=1e-6)
    whole = np.rint(good * 255).astype("uint8")
    np.testing.assert_allclose(stylizer(whole, weights), want, atol=0.05)


def test_a_shape_that_litert_refuses_does_not_stay(model):
    stylizer = Stylizer.load(model)
    good, weights = scene(64, 64), np.asarray([[0, 1, 0, 0]], "float32")
    want = stylizer.session(good[None], weights)
    for _ in range(2):
        with pytest.raises((RuntimeError, ValueError)):
            stylizer.session(np.zeros((1, 64, 64, 4), "float32"), weights)
    np.testing.assert_allclose(stylizer.session(good[None], weights), want, atol=1e-6)
