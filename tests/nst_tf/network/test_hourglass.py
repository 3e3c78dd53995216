"""The hourglass: any size, equal in every lowering, a strength that is trained."""

import keras
import numpy as np
import pytest
from keras import ops

from nst_tf import NetworkSettings, build_network
from nst_tf.network.subpixel import SubpixelConv2D
from tests.helpers import scene

SETTINGS = NetworkSettings(styles=2, architecture="hourglass", width=0.125)


@pytest.fixture(scope="module")
def network():
    return _stirred(SETTINGS)


def _stirred(settings):
    """Return a network whose rows of gamma and beta differ."""
    built = build_network(settings)
    rng = np.random.default_rng(0)
    built.set_weights(
        [w + 0.1 * rng.standard_normal(w.shape) for w in built.get_weights()]
    )
    return built


def paint(network, photo, *style):
    inputs = {"image": photo[None], "style": np.asarray([style], "float32")}
    return ops.convert_to_numpy(network(inputs))[0]


@pytest.mark.parametrize("sides", [(16, 16), (33, 47), (40, 56)])
def test_the_picture_has_the_photographs_size(network, sides):
    assert paint(network, scene(*sides), 0, 1, 0).shape == (*sides, 3)


@pytest.mark.parametrize("lowering", ["multiples", "slices"])
def test_lowerings_give_equal_pictures(network, lowering):
    photo = scene(40, 56, seed=1)
    other = network.rebuilt(lowering=lowering)
    np.testing.assert_allclose(
        paint(other, photo, 0.2, 0.3, 0.5),
        paint(network, photo, 0.2, 0.3, 0.5),
        atol=2e-5,
    )


@pytest.mark.parametrize("architecture", ["hourglass", "johnson"])
def test_a_trained_strength_is_exact_at_0_and_no_double_exposure(architecture):
    network = _stirred(
        NetworkSettings(
            styles=2, architecture=architecture, width=0.125, trained_strength=True
        )
    )
    photo = scene(32, 40, seed=2)
    np.testing.assert_allclose(paint(network, photo, 1, 0, 0), photo, atol=1e-6)
    half, full = paint(network, photo, 0.5, 0.5, 0), paint(network, photo, 0, 1, 0)
    exposed = 0.5 * photo + 0.5 * full
    assert np.abs(half - exposed).mean() > 0.02
    # A sixteenth of the photograph is in it, exactly.
    bound = photo / 16
    assert (half >= bound - 1e-6).all()
    assert (half <= bound + 15 / 16 + 1e-6).all()


def test_a_saved_network_is_the_same(network, tmp_path):
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.settings == SETTINGS
    assert loaded.settings.trained_strength
    assert not NetworkSettings(styles=2).trained_strength
    photo = scene(24, 32, seed=3)
    np.testing.assert_array_equal(
        paint(loaded, photo, 0, 0.5, 0.5), paint(network, photo, 0, 0.5, 0.5)
    )


def test_tiles_have_a_number_for_each_channel_of_each_normalisation(network):
    tiles = network.rebuilt(tiles=True)
    photo = scene(32, 32, seed=4)
    norms = [layer for layer in tiles.layers if layer.name.endswith("_norm")]
    channels = sum(layer.gamma.shape[-1] for layer in norms)
    none = np.zeros((1, 3, 1, channels), "float32")
    style = np.asarray([[0, 1, 0]], "float32")
    got = tiles({"image": photo[None], "style": style, "statistics": none})
    assert got["statistics"].shape == (1, 2, 1, channels)
    picture = ops.convert_to_numpy(got["picture"])[0]
    np.testing.assert_allclose(picture, paint(network, photo, 0, 1, 0), atol=1e-6)


def test_the_four_phases_start_alike():
    layer = SubpixelConv2D(3, 3)
    x = np.random.default_rng(0).standard_normal((1, 8, 9, 5)).astype("float32")
    got = ops.convert_to_numpy(layer(x, np.zeros((1, 12, 14, 1), "float32")))
    assert got.shape == (1, 12, 14, 3)
    blocks = got.reshape(1, 6, 2, 7, 2, 3)
    np.testing.assert_allclose(
        blocks, blocks[:, :, :1, :, :1].repeat(2, 2).repeat(2, 4)
    )
