"""Which network `auto` means, and the one that is shipped."""

import numpy as np
import pytest

from nst_tf import ExtractorSettings, build_extractor
from nst_tf.loss.choice import cached, choose, geometry_of
from nst_tf.loss.geometry import GEOMETRIES, LITE_RANKS
from nst_tf.loss.lite import SHIPPED
from nst_tf.loss.lite_weights import read_lite
from tests.helpers import scene


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """Return the folder of Keras on a machine without any weights."""
    monkeypatch.delenv("NST_VGG19_WEIGHTS", raising=False)
    monkeypatch.delenv("NST_LITE_WEIGHTS", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path


def test_without_weights_at_hand_auto_is_the_network_that_is_shipped(bare):
    assert choose(ExtractorSettings()).network == "lite"
    assert geometry_of(ExtractorSettings()) is GEOMETRIES["lite"]


def test_weights_in_the_environment_make_it_vgg(bare, monkeypatch):
    monkeypatch.setenv("NST_VGG19_WEIGHTS", "weights.h5")
    assert choose(ExtractorSettings()).network == "vgg19"


def test_a_download_that_is_there_already_makes_it_vgg(bare):
    cached().parent.mkdir(parents=True)
    cached().touch()
    assert cached().is_relative_to(bare)
    assert choose(ExtractorSettings()).network == "vgg19"


@pytest.mark.parametrize(("name", "network"), [("w.h5", "vgg19"), ("w.npz", "lite")])
def test_a_weight_file_that_is_named_decides(bare, name, network):
    settings = ExtractorSettings(vgg_weights=bare / name)
    assert choose(settings).network == network


@pytest.mark.parametrize("network", ["vgg19", "vgg16", "lite"])
def test_a_network_that_is_named_is_taken(bare, network):
    settings = ExtractorSettings(network=network)
    assert choose(settings) == settings


def test_the_shipped_network_has_the_layers_of_its_geometry_and_is_small():
    assert SHIPPED.stat().st_size < 6e6
    found = read_lite(SHIPPED)
    assert list(found.layers) == list(GEOMETRIES["lite"].names)
    ranks = {k: len(v.mix) for k, v in found.layers.items() if v.mix is not None}
    assert ranks == dict(LITE_RANKS)


def test_the_shipped_network_tells_its_origin():
    card = read_lite(SHIPPED).card
    assert card["network"] == "vgg19"
    assert "Simonyan" in card["credit"]
    assert "CC BY 4.0" in card["credit"]


@pytest.mark.weights
def test_the_features_of_the_shipped_network_are_close_to_those_of_vgg(
    real_vgg, monkeypatch
):
    monkeypatch.setenv("NST_VGG19_WEIGHTS", str(real_vgg))
    image = scene(96, 96)[None]
    layers = ["block2_conv1", "block4_conv2", "block5_conv1"]
    exact, ours = (
        build_extractor(layers, settings=ExtractorSettings(network=network))(image)
        for network in ("vgg19", "lite")
    )
    for name, most in zip(layers, (0.02, 0.1, 0.3), strict=True):
        x, y = np.asarray(exact[name]), np.asarray(ours[name])
        assert np.sum((x - y) ** 2) < most * np.sum(x**2)
