"""Trained models: whichever kind of file, the same network."""

import json

import keras
import numpy as np
import pytest

from nst_tf import InputError, NetworkSettings, build_network
from nst_tf.network.trained import load_model
from nst_tf.network.transform import TransformNetwork
from tests.helpers import ROOT, scene

GALLERY = ROOT / "training/models/gallery"
"""A model that was saved before there was a class: Keras lists its layers."""


def test_the_shipped_model_of_an_older_version_is_the_network_it_was():
    old = keras.saving.load_model(GALLERY / "model.keras", compile=False)
    model = load_model(GALLERY)
    network = model.network
    assert not isinstance(old, TransformNetwork)
    assert isinstance(network, TransformNetwork)
    assert network.settings == NetworkSettings(styles=6, width=0.5)
    for mine, theirs in zip(network.variables, old.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))
    photo, weights = scene(33, 40), [0.1, 0.2, 0.3, 0.1, 0.1, 0.1, 0.1]
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
