"""The extractor: units, layers, weight files."""

import h5py
import keras
import numpy as np
import pytest
from keras import ops

from nst_tf import ExtractorSettings, InputError, build_extractor
from nst_tf.loss.vgg import CenteredInput
from nst_tf.loss.weight_files import first_kernel, layer_shapes, read_weights
from tests.helpers import random_weights, scene, write_legacy


def convolve(x, kernel, bias):
    """Correlate 3x3 with zero padding, then ReLU, in float64."""
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    height, width = x.shape[:2]
    total = np.zeros((height, width, kernel.shape[-1])) + bias
    for i in range(3):
        for j in range(3):
            total += padded[i : i + height, j : j + width] @ kernel[i, j].astype(
                "float64"
            )
    return np.maximum(total, 0)


def pool(x, reduce):
    height, width = x.shape[0] // 2, x.shape[1] // 2
    windows = x[: 2 * height, : 2 * width].reshape(height, 2, width, 2, -1)
    return reduce(windows, axis=(1, 3))


@pytest.mark.parametrize(("pooling", "reduce"), [("max", np.max), ("average", np.mean)])
def test_features_are_convolutions_of_bgr_minus_the_mean(random_vgg, pooling, reduce):
    weights = random_weights()
    image = scene(11, 9)
    x = 255.0 * image[..., ::-1] - np.array([103.939, 116.779, 123.68])
    x = convolve(x, *weights["block1_conv1"])
    x = convolve(x, *weights["block1_conv2"])
    expected = convolve(pool(x, reduce), *weights["block2_conv1"])
    extractor = build_extractor(
        ["block2_conv1"], settings=ExtractorSettings(pooling=pooling)
    )
    got = ops.convert_to_numpy(extractor(image[None])["block2_conv1"])[0]
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-3 * expected.max())


def test_features_equal_those_of_keras_applications(random_vgg):
    stock = keras.applications.VGG19(include_top=False, weights=None)
    for name, pair in random_weights().items():
        stock.get_layer(name).set_weights(pair)
    image = scene(32, 48)
    names = ["block1_conv1", "block3_conv4", "block5_conv4"]
    cut = keras.Model(stock.input, [stock.get_layer(name).output for name in names])
    expected = cut(keras.applications.vgg19.preprocess_input(255.0 * image[None]))
    got = build_extractor(names)(image[None])
    for name, value in zip(names, expected, strict=True):
        np.testing.assert_allclose(
            ops.convert_to_numpy(got[name]),
            ops.convert_to_numpy(value),
            rtol=1e-3,
            atol=1e-4 * float(ops.max(value)),
        )


def test_half_precision_loses_nothing_of_a_pixel():
    image = scene(16, 24)[None]
    centered = image - np.array([123.68, 116.779, 103.939]) / 255
    parts = CenteredInput(dtype="bfloat16", autocast=False)(image)
    parts = ops.convert_to_numpy(ops.cast(parts, "float32"))
    assert np.abs(parts[..., :3] - centered).max() > 5e-4
    assert np.abs(parts[..., :3] + parts[..., 3:] - centered).max() < 5e-6


def test_half_precision_agrees_with_float32(random_vgg):
    names = ["block1_conv1", "block3_conv1"]
    image = scene(32, 48)[None]
    exact, half = (
        build_extractor(names, dtype=dtype)(image) for dtype in ("float32", "bfloat16")
    )
    for name in names:
        expected = ops.convert_to_numpy(exact[name])
        error = ops.convert_to_numpy(ops.cast(half[name], "float32")) - expected
        assert np.linalg.norm(error) < 5e-3 * np.linalg.norm(expected)


def test_it_stops_at_the_deepest_layer_asked_for(random_vgg):
    extractor = build_extractor(["block3_conv1", "block1_conv1"])
    names = [layer.name for layer in extractor.layers]
    assert "block3_conv1" in names
    assert "block3_conv2" not in names


def test_it_is_frozen_and_takes_any_size(random_vgg):
    extractor = build_extractor(["block2_conv1"])
    assert not extractor.trainable_variables
    for height, width in ((17, 33), (40, 24)):
        shape = extractor(scene(height, width)[None])["block2_conv1"].shape
        assert tuple(shape) == (1, height // 2, width // 2, 128)


def test_bfloat16_features_stay_close_to_float32(random_vgg):
    image = scene(32, 32)[None]
    exact, rounded = (
        ops.convert_to_numpy(
            ops.cast(
                build_extractor(["block3_conv1"], dtype=dtype)(image)["block3_conv1"],
                "float32",
            )
        )
        for dtype in ("float32", "bfloat16")
    )
    assert np.abs(exact - rounded).mean() < 0.02 * np.abs(exact).mean()


def test_an_unknown_layer_is_named_with_those_there_are(random_vgg):
    with pytest.raises(InputError, match=r"block9_conv1.*block5_conv4"):
        build_extractor(["block9_conv1"])


def test_vgg16_has_three_convolutions_in_its_deep_blocks(tmp_path):
    path = write_legacy(tmp_path / "vgg16.h5", random_weights("vgg16"))
    settings = ExtractorSettings(network="vgg16", vgg_weights=path)
    with pytest.raises(InputError, match="VGG16 has no layers"):
        build_extractor(["block3_conv4"], settings=settings)
    extractor = build_extractor(["block5_conv3"], settings=settings)
    assert tuple(extractor(scene(32, 32)[None])["block5_conv3"].shape) == (1, 2, 2, 512)


@pytest.mark.parametrize("include_top", [False, True])
def test_a_keras_3_weight_file_loads(tmp_path, include_top):
    weights = random_weights(seed=4)
    classes = {"classes": 2} if include_top else {}
    stock = keras.applications.VGG19(
        include_top=include_top, weights=None, input_shape=(32, 32, 3), **classes
    )
    for name, pair in weights.items():
        stock.get_layer(name).set_weights(pair)
    stock.save_weights(tmp_path / "vgg.weights.h5")
    found = read_weights(tmp_path / "vgg.weights.h5", "vgg19")
    for name, (kernel, bias) in weights.items():
        np.testing.assert_array_equal(found[name][0], kernel)
        np.testing.assert_array_equal(found[name][1], bias)


def test_a_legacy_weight_file_loads(vgg_file):
    found = read_weights(vgg_file, "vgg19")
    for name, (kernel, _) in random_weights().items():
        np.testing.assert_array_equal(found[name][0], kernel)


def test_another_networks_weight_file_is_named_as_wrong(tmp_path, vgg_file):
    path = write_legacy(tmp_path / "vgg16.h5", random_weights("vgg16"))
    with pytest.raises(
        InputError, match=r"vgg16\.h5 does not hold VGG19.*block3_conv4"
    ):
        read_weights(path, "vgg19")


def test_a_file_that_is_not_hdf5_is_named_as_wrong(tmp_path):
    path = tmp_path / "weights.h5"
    path.write_text("no weights here")
    with pytest.raises(InputError, match="not a readable HDF5"):
        read_weights(path, "vgg19")


@pytest.mark.parametrize(
    ("part", "other"),
    [(b"SNOD", b"SNOX"), (b"block2_conv2_W_1:0", b"block2_conv2_\xff_1:0")],
    ids=["links", "names"],
)
def test_a_weight_file_that_is_damaged_inside_is_refused(
    vgg_file, tmp_path, part, other
):
    path = tmp_path / "weights.h5"
    path.write_bytes(vgg_file.read_bytes().replace(part, other))
    with pytest.raises(InputError, match="not a readable HDF5"):
        read_weights(path, "vgg19")
    assert (first_kernel(path) is None) == (part == b"SNOD")


def test_weights_that_are_not_finite_are_refused(tmp_path):
    weights = random_weights()
    weights["block1_conv1"][0][0, 0, 0, 0] = np.nan
    path = write_legacy(tmp_path / "nan.h5", weights)
    with pytest.raises(InputError, match="damaged"):
        read_weights(path, "vgg19")


def test_other_groups_in_a_file_do_no_harm(tmp_path):
    path = write_legacy(tmp_path / "more.h5", random_weights())
    with h5py.File(path, "a") as file:
        file.create_group("predictions").attrs["weight_names"] = []
    assert len(read_weights(path, "vgg19")) == len(layer_shapes("vgg19"))


def test_without_file_and_network_the_error_says_both_ways_out(monkeypatch):
    def fail(**_):
        raise Exception("URL fetch failure: no network")  # What Keras raises.

    monkeypatch.delenv("NST_VGG19_WEIGHTS", raising=False)
    monkeypatch.setattr(keras.applications, "VGG19", fail)
    vgg = ExtractorSettings(network="vgg19")
    with pytest.raises(InputError, match=r"(?s)network.*--vgg-weights") as caught:
        build_extractor(["block1_conv1"], settings=vgg)
    assert "NST_VGG19_WEIGHTS" in str(caught.value)


def test_of_two_networks_the_extractor_is_the_last(random_vgg):
    image = scene(16, 24)[None]
    both, alone = (
        build_extractor(["block2_conv1"], settings=ExtractorSettings(network=network))(
            image
        )["block2_conv1"]
        for network in ("lite-vgg19", "vgg19")
    )
    np.testing.assert_array_equal(both, alone)
