"""The style encoder: its statistics, the sum of its vectors, its file."""

import keras
import numpy as np
import pytest
from keras import ops

from nst_tf import ExtractorSettings, NetworkSettings, build_extractor
from nst_tf.network.encoder import LAYERS, SEEN, StyleEncoder
from nst_training.painted import build_painter
from tests.helpers import scene


@pytest.fixture(scope="module")
def encoder():
    settings = NetworkSettings(styles=7, width=0.125)
    return build_painter(settings, encoder_dtype="float32").encoder


def test_its_features_are_those_of_the_loss_network(encoder):
    painting = scene(48, 64, seed=1)[None]
    features = build_extractor(SEEN, settings=ExtractorSettings(network="lite"))(
        painting
    )
    mine = keras.Model(encoder.input, [encoder.get_layer(name).output for name in SEEN])
    for name, got in zip(SEEN, mine(painting), strict=True):
        # At the border zeros are no mean of VGG's here, but black.
        inner = np.s_[:, 4:-4, 4:-4]
        expected = ops.convert_to_numpy(features[name])[inner]
        np.testing.assert_allclose(
            ops.convert_to_numpy(got)[inner], expected, atol=2e-3 * expected.max()
        )


def test_a_vector_is_made_of_means_and_deviations_and_has_the_sum_1(encoder):
    painting = scene(40, 56, seed=2)[None]
    vector = ops.convert_to_numpy(encoder(painting))
    assert vector.shape == (1, 7)
    np.testing.assert_allclose(vector.sum(axis=-1), 1, atol=1e-5)
    maps = keras.Model(encoder.input, [encoder.get_layer(name).output for name in SEEN])
    found = [
        ops.convert_to_numpy(x)[0].reshape(-1, x.shape[-1]) for x in maps(painting)
    ]
    expected = np.concatenate([part for x in found for part in (x.mean(0), x.std(0))])
    statistics = keras.Model(encoder.input, encoder.get_layer("statistics").output)
    np.testing.assert_allclose(
        ops.convert_to_numpy(statistics(painting))[0],
        np.log1p(expected) - 3,
        atol=1e-3,
    )


def test_it_has_less_than_a_million_weights(encoder):
    assert encoder.count_params() < 1_000_000
    assert [name for name, *_ in LAYERS][-1] == SEEN[-1]


def test_a_saved_encoder_is_the_same(encoder, tmp_path):
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    assert isinstance(loaded, StyleEncoder)
    painting = scene(32, 32, seed=3)[None]
    np.testing.assert_array_equal(loaded(painting), encoder(painting))
