"""Trained models: whichever kind of file, the same network."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import nst_tf
from nst_tf import InputError, NetworkSettings, build_network
from nst_tf.network.trained import load_model
from nst_tf.network.transform import TransformNetwork
from tests.helpers import PYTHONPATH, ROOT, scene

GALLERY = ROOT / "training/models/gallery"


def test_a_model_of_an_older_version_is_the_network_it_was(tmp_path):
    # Before there was a class, Keras listed the layers.
    made = build_network(NetworkSettings(styles=2, width=0.25))
    image, style = made.inputs
    old = keras.Model({"image": image, "style": style}, made.outputs[0])
    old.save(tmp_path / "model.keras")
    styles = [{"name": "night"}, {"name": "wave"}]
    card = {"styles": styles, "recipe": {"width": 0.25}}
    (tmp_path / "model.json").write_text(json.dumps(card))
    old = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    model = load_model(tmp_path)
    network = model.network
    assert not isinstance(old, TransformNetwork)
    assert isinstance(network, TransformNetwork)
    assert network.settings == NetworkSettings(styles=2, width=0.25)
    for mine, theirs in zip(network.variables, old.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))
    photo, weights = scene(33, 40), [0.1, 0.3, 0.6]
    inputs = {"image": photo[None], "style": np.asarray([weights], "float32")}
    expected = keras.ops.convert_to_numpy(old(inputs))[0]
    np.testing.assert_array_equal(model(photo, weights), expected)


def test_a_model_of_this_version_carries_its_settings(tmp_path):
    network = build_network(NetworkSettings(styles=2, width=0.33))
    network.save(tmp_path / "model.keras")
    card = {"styles": [{"name": "night"}, {"name": "wave"}], "recipe": {}}
    (tmp_path / "model.json").write_text(json.dumps(card))
    model = load_model(tmp_path)
    assert model.network.settings == network.settings
    assert model.styles == ["night", "wave"]
    photo = scene(20, 24)
    inputs = {"image": photo[None], "style": np.asarray([[0, 1, 0]], "float32")}
    expected = keras.ops.convert_to_numpy(network(inputs))[0]
    np.testing.assert_array_equal(model(photo, [0, 1, 0]), expected)


def test_a_card_of_another_network_is_refused(tmp_path):
    build_network(NetworkSettings(styles=2, width=0.125)).save(tmp_path / "model.keras")
    card = {"styles": [{"name": "night"}], "recipe": {"width": 0.125}}
    (tmp_path / "model.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match="1 styles for 3 weights"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"styles": [1]}, "is no card"),
        ({"styles": [{"credit": "no name"}]}, "'name'"),
        ({"recipe": {"loss": 3}}, "is no card"),
        ({"name": "../../elsewhere"}, r"'\.\./\.\./elsewhere' can't be"),
        ({"name": "C:\\elsewhere"}, "becomes a file's name"),
        ({"name": ".."}, "becomes a file's name"),
        ({"name": ""}, "becomes a file's name"),
    ],
)
def test_a_card_that_is_damaged_or_names_another_folder_is_refused(
    tmp_path, changes, said
):
    card = {"styles": [{"name": "night"}], "recipe": {}, "name": "fine"}
    (tmp_path / "model.json").write_text(json.dumps(card | changes))
    with pytest.raises(InputError, match=said):
        load_model(tmp_path)


def test_a_damaged_network_is_refused(tmp_path):
    build_network(NetworkSettings(styles=1, width=0.125)).save(tmp_path / "model.keras")
    card = {"styles": [{"name": "night"}], "recipe": {}}
    (tmp_path / "model.json").write_text(json.dumps(card))
    load_model(tmp_path)
    path = tmp_path / "model.keras"
    whole = bytearray(path.read_bytes())
    for data in (whole[: len(whole) // 2], _flipped(whole)):
        path.write_bytes(data)
        with pytest.raises(InputError, match="holds no trained model"):
            load_model(tmp_path)


@pytest.mark.parametrize(
    "card",
    [
        *([], {}, {"recipe": None, "styles": []}, {"recipe": [], "styles": []}),
        *({"recipe": {}, "styles": None}, {"recipe": {"loss": 1}, "styles": []}),
        *({"recipe": {}, "styles": [1]}, {"recipe": {}, "styles": [{}]}),
    ],
)
def test_a_card_that_is_none_is_refused(tmp_path, card):
    (tmp_path / "model.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match="holds no trained model"):
        load_model(tmp_path)


def _flipped(data):
    """Return a file with wrong bits in its middle, where the weights are."""
    middle = len(data) // 2
    return (
        data[:middle]
        + bytes(255 - x for x in data[middle : middle + 64])
        + (data[middle + 64 :])
    )


def test_a_model_is_read_by_the_text_of_its_path_or_of_its_file():
    models = [
        nst_tf.load_model(given)
        for given in (GALLERY, str(GALLERY), f"{GALLERY}/model.keras")
    ]
    photo = scene(24, 32)
    weights = list(np.eye(13)[2])
    one, *others = [model(photo, weights) for model in models]
    for other in others:
        np.testing.assert_array_equal(one, other)
    whole = np.rint(photo * 255).astype("uint8")
    assert np.abs(models[0](whole, weights) - one).mean() < 0.01
    for wrong in (photo * 255, np.dstack([photo, photo[..., :1]])):
        with pytest.raises(InputError, match="the photograph"):
            models[0](wrong, weights)
    with pytest.raises(InputError, match=r"13 weights are needed .* got 2"):
        models[0](photo, [0, 1])
    for wrong in ([np.nan, *weights[1:]], [0] * 13):
        with pytest.raises(InputError, match="weights must be finite and not all 0"):
            models[0](photo, wrong)


def test_keras_loads_a_network_after_the_package_is_imported(tmp_path):
    network = build_network(NetworkSettings(styles=2, width=0.33))
    network.save(tmp_path / "model.keras")
    program = (
        "import nst_tf, sys\n"
        "assert 'keras' not in sys.modules\n"
        "import keras, numpy as np\n"
        "network = keras.models.load_model('model.keras')\n"
        "inputs = np.load('photo.npy'), np.float32([[0.2, 0.5, 0.3]])\n"
        "picture = network(dict(zip(('image', 'style'), inputs)))\n"
        "np.save('picture.npy', keras.ops.convert_to_numpy(picture))\n"
    )
    photo = scene(24, 32)[None]
    np.save(tmp_path / "photo.npy", photo)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    style = np.asarray([[0.2, 0.5, 0.3]], "float32")
    want = keras.ops.convert_to_numpy(network({"image": photo, "style": style}))
    np.testing.assert_allclose(np.load(tmp_path / "picture.npy"), want, atol=1e-5)
