"""The transform network: shapes, lowerings, settings."""

import keras
import numpy as np
import pytest
from keras import ops

from nst_tf import InputError, NetworkSettings, build_network
from nst_tf.network.layers import ConditionalInstanceNormalization
from nst_tf.network.transform import TransformNetwork
from nst_tf.running.transfer import StyleTransfer
from tests.helpers import mixes, scene, value

RNG = np.random.default_rng(3)
TINY = {"styles": 2, "width": 0.125}


def photographs(height, width, batch=2):
    return np.stack([scene(height, width, seed=k) for k in range(batch)])


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow's operation"
)
def test_the_training_step_uses_the_fused_normalisation():
    import tensorflow as tf

    class Step(StyleTransfer):
        def compute_loss(self, x, y=None, y_pred=None, *_, **__):
            return ops.mean(ops.square(y_pred))

    network = build_network(NetworkSettings(**TINY))
    model = Step(network, keras.layers.Identity(), keras.layers.Identity())
    model.compile(optimizer="adam")
    batch = {"image": tf.zeros((2, 16, 16, 3)), "style": tf.ones((2, 3))}
    graph = tf.function(model.train_step).get_concrete_function((batch,)).graph
    operations = graph.get_operations()
    kinds = [operation.type for operation in operations]
    # 2 pictures, the 11 normalisations of 16 channels.
    assert kinds.count("FusedBatchNormV3") == 2 * 11
    assert "MirrorPad" not in kinds
    # Each makes a batch of zeros, and all of them are added.
    indexed = [x for x in operations if x.type == "StridedSliceGrad"]
    assert not [x.name for x in indexed if x.outputs[0].shape.rank == 4]


@pytest.mark.parametrize("size", [(16, 16), (17, 30), (43, 22), (64, 48)])
def test_the_output_has_the_inputs_size_and_range(size):
    network = build_network(NetworkSettings(**TINY))
    got = value(network({"image": photographs(*size), "style": mixes(RNG, 2)}))
    assert got.shape == (2, *size, 3)
    assert got.min() >= 0
    assert got.max() <= 1
    assert got.std() > 0.01


def test_sizes_may_be_unknown_when_it_is_compiled():
    network = build_network(NetworkSettings(**TINY))
    network.compile()
    inputs = {"image": photographs(34, 27), "style": mixes(RNG, 2)}
    np.testing.assert_allclose(
        network.predict(inputs, verbose=0), value(network(inputs)), atol=1e-5
    )


@pytest.mark.parametrize("lowering", ["multiples", "slices"])
def test_all_lowerings_give_equal_results_with_equal_weights(lowering):
    keras.utils.set_random_seed(0)
    native = build_network(NetworkSettings(**TINY))
    other = build_network(NetworkSettings(**TINY, lowering=lowering))
    other.set_weights(native.get_weights())
    inputs = {"image": photographs(32, 44), "style": mixes(RNG, 2)}
    np.testing.assert_allclose(
        value(native(inputs)), value(other(inputs)), rtol=0, atol=2e-6
    )


def test_the_step_of_training_normalises_as_every_other_pass():
    network = build_network(NetworkSettings(**TINY))
    inputs = {"image": photographs(32, 44), "style": mixes(RNG, 2)}
    np.testing.assert_allclose(
        value(network(inputs, training=True)), value(network(inputs)), atol=2e-5
    )


def test_style_0_is_the_photograph_and_strength_leads_there():
    network = build_network(NetworkSettings(**TINY))
    photo = photographs(33, 26, batch=1)

    def distance(share):
        weights = np.array([[share, 1 - share, 0]], "float32")
        got = value(network({"image": photo, "style": weights}))
        return np.abs(got - photo).mean()

    assert distance(1.0) == 0
    assert 0 < distance(0.9) < distance(0.5) < distance(0.0)


def test_only_the_ratios_of_the_styles_count():
    network = build_network(NetworkSettings(**TINY))
    photo = photographs(20, 24, batch=1)
    whole, third = (
        value(network({"image": photo, "style": np.array([weights], "float32")}))
        for weights in ([0, 0.25, 0.75], [0.5, 0.125, 0.375])
    )
    np.testing.assert_allclose(third, 0.5 * photo + 0.5 * whole, atol=1e-6)


def test_a_picture_does_not_depend_on_its_batch():
    network = build_network(NetworkSettings(**TINY))
    images, weights = photographs(24, 20, batch=3), mixes(RNG, 3)
    together = value(network({"image": images, "style": weights}))
    alone = value(network({"image": images[1:2], "style": weights[1:2]}))
    np.testing.assert_allclose(together[1:2], alone, atol=1e-5)


def test_only_gamma_and_beta_depend_on_the_number_of_styles():
    one, three = (build_network(NetworkSettings(styles=n, width=0.25)) for n in (1, 3))
    norms = [
        layer
        for layer in three.layers
        if isinstance(layer, ConditionalInstanceNormalization)
    ]
    assert len(norms) == 16
    more = sum(2 * 2 * layer.gamma.shape[1] for layer in norms)
    assert three.count_params() - one.count_params() == more


def test_full_width_has_johnsons_layers():
    network = build_network(NetworkSettings())
    shapes = {
        layer.name: tuple(layer.kernel.shape)
        for layer in network.layers
        if isinstance(layer, keras.layers.Conv2D)
    }
    assert shapes["down1"] == (9, 9, 3, 32)
    assert shapes["down3"] == (3, 3, 64, 128)
    assert shapes["res5b"] == (3, 3, 128, 128)
    assert shapes["up2"] == (3, 3, 64, 32)
    assert shapes["out"] == (9, 9, 32, 3)


def test_it_is_saved_and_loaded_by_keras(tmp_path):
    network = build_network(NetworkSettings(**TINY))
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    inputs = {"image": photographs(20, 24), "style": mixes(RNG, 2)}
    np.testing.assert_array_equal(value(network(inputs)), value(loaded(inputs)))


@pytest.mark.parametrize("tiles", [False, True])
def test_a_saved_network_comes_back_as_what_it_was(tmp_path, tiles):
    settings = NetworkSettings(styles=2, width=0.33, lowering="slices")
    network = build_network(settings, tiles=tiles)
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    assert isinstance(loaded, TransformNetwork)
    assert (loaded.settings, loaded.tiles) == (settings, tiles)
    assert loaded.name == network.name == "transform"
    same(loaded, network)


@pytest.mark.parametrize("width", [0.17, 0.33, 1.01])
def test_a_network_of_any_width_is_rebuilt_with_its_weights(width):
    network = build_network(NetworkSettings(styles=2, width=width))
    copy = network.rebuilt(lowering="slices", tiles=True)
    same(copy, network)
    narrow, wide = round(32 * width), round(128 * width)
    assert copy.get_layer("down1").filters == narrow
    assert copy.get_layer("res1a").kernel.shape == (3, 3, wide, wide)
    assert copy.settings.lowering == "slices"
    again = copy.rebuilt(lowering="native", tiles=False)
    inputs = {"image": photographs(20, 24), "style": mixes(RNG, 2)}
    np.testing.assert_array_equal(value(again(inputs)), value(network(inputs)))


def test_a_copy_can_compute_in_another_precision():
    half = build_network(NetworkSettings(**TINY, dtype="mixed_bfloat16"))
    copy = half.rebuilt(dtype="float32")
    assert half.get_layer("down1").compute_dtype == "bfloat16"
    assert copy.get_layer("down1").compute_dtype == "float32"
    same(copy, half)


def same(one, other):
    for mine, theirs in zip(one.variables, other.variables, strict=True):
        assert mine.path == theirs.path
        np.testing.assert_array_equal(value(mine), value(theirs))


def test_settings_that_make_no_network_are_refused():
    with pytest.raises(InputError, match="styles must be at least 1"):
        NetworkSettings(styles=0)
    with pytest.raises(InputError, match=r"width must be in 0\.1\.\.2"):
        NetworkSettings(width=0.0)
