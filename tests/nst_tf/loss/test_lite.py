"""The compressed loss network and its file."""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.loss.extractor import build_extractor
from nst_tf.loss.lite_weights import (
    Factors,
    LiteWeights,
    quantized,
    read_lite,
    write_lite,
)
from nst_tf.loss.vgg import MEAN_RGB
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import ExtractorSettings
from tests.helpers import random_weights, scene

RANK = 6


@pytest.fixture(scope="module")
def small():
    """Return a network of the first three layers, two of them factored at random."""
    draw = np.random.default_rng(3)
    exact = random_weights()
    layers = {"block1_conv1": Factors(exact["block1_conv1"][0], None, np.ones(64, "f"))}
    for name, before, after in (("block1_conv2", 64, 64), ("block2_conv1", 64, 128)):
        layers[name] = Factors(
            0.1 * draw.standard_normal((3, 3, before, RANK), "float32"),
            0.3 * draw.standard_normal((RANK, after), "float32"),
            0.5 * draw.standard_normal(after, "float32"),
        )
    return LiteWeights(layers, {"network": "vgg19"})


@pytest.fixture
def build(small, tmp_path):
    """Return a function that builds the extractor of the small network."""
    path = tmp_path / "small.npz"
    write_lite(path, small)

    def made(layers, dtype="float32", **settings):
        chosen = ExtractorSettings(network="lite", vgg_weights=path, **settings)
        return build_extractor(layers, settings=chosen, dtype=dtype)

    return made


def by_hand(image, weights):
    """Return the maps by full kernels in float64, from the product of the factors."""
    x = tf.constant((255.0 * image - np.array(MEAN_RGB))[None, ..., ::-1], "float64")
    maps = {}
    for name, (kernel, mix, bias) in weights.layers.items():
        if name == "block2_conv1":
            x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        whole = kernel if mix is None else np.einsum("hwir,rc->hwic", kernel, mix)
        x = tf.nn.relu(tf.nn.conv2d(x, whole.astype("float64"), 1, "SAME") + bias)
        maps[name] = x.numpy()
    return maps


def test_a_factored_layer_is_the_convolution_with_the_product_of_its_factors(
    small, build
):
    image = scene(20, 26)
    wanted = by_hand(image, small)
    got = build(list(small.layers))(image[None])
    assert list(got) == list(wanted)
    for name, maps in wanted.items():
        np.testing.assert_allclose(got[name], maps, atol=2e-3 * maps.max())


def test_in_bfloat16_the_features_are_those_of_float32_but_for_rounding(small, build):
    image = scene(20, 26)[None]
    wanted = build(["block2_conv1"])(image)["block2_conv1"]
    got = build(["block2_conv1"], "bfloat16")(image)["block2_conv1"]
    assert got.dtype == "bfloat16"
    gap = np.linalg.norm(tf.cast(got, "float32") - wanted)
    assert gap < 0.02 * np.linalg.norm(wanted)


@pytest.mark.parametrize(
    ("padding", "mode"), [("reflect", "reflect"), ("replicate", "edge")]
)
def test_the_border_is_padded_like_that_of_vgg(small, build, padding, mode):
    image = scene(16, 18)
    got = build(["block1_conv1"], padding=padding)(image[None])
    wide = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode=mode)
    wanted = by_hand(wide, small)["block1_conv1"][:, 1:-1, 1:-1]
    np.testing.assert_allclose(got["block1_conv1"], wanted, atol=2e-3 * wanted.max())


def test_only_the_layers_up_to_the_deepest_are_built(build):
    model = build(["block1_conv2"])
    assert [x.name for x in model.layers if "conv" in x.name] == [
        *("block1_conv1", "block1_conv2_narrow", "block1_conv2")
    ]
    assert not model.trainable_weights


@pytest.mark.parametrize("layers", [["block5_conv4"], ["block3_conv1"], ["conv7"], []])
def test_layers_that_it_has_not_are_named_with_those_that_it_has(build, layers):
    with pytest.raises(InputError, match=r"block2_conv1|at least one layer"):
        build(layers)


def test_average_pooling_is_refused_with_what_can_be_done(build):
    with pytest.raises(InputError, match="pooling max, or network vgg19"):
        build(["block1_conv1"], pooling="average")


def test_eight_bits_err_by_half_a_level_of_their_channel_at_most():
    draw = np.random.default_rng(0)
    array = draw.standard_normal((3, 3, 5, 4)) * [1e-3, 1.0, 50.0, 0.0]
    values, scale = quantized(array)
    assert values.dtype == np.int8
    most = np.abs(array).max(axis=(0, 1, 2))
    assert (np.abs(values * scale - array) <= 0.5001 * most / 127).all()


def test_a_file_gives_back_what_was_written(small, tmp_path):
    path = tmp_path / "net.lite"
    write_lite(path, small)
    back = read_lite(path)
    assert back.card["network"] == "vgg19"
    for name, factors in small.layers.items():
        for wanted, got in zip(factors, back.layers[name], strict=True):
            if wanted is None:
                assert got is None
            else:  # float16 in the first three blocks.
                np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-6)


def damaged(path, small, kind):
    """Write a file that is not what it should be."""
    if kind == "missing":
        return
    if kind == "text":
        path.write_text("no network")
    elif kind == "foreign":
        with path.open("wb") as file:
            np.savez(file, a=np.zeros(3))
    elif kind == "pickle":
        with path.open("wb") as file:
            np.savez(file, card=np.array([{}], object))
    elif kind == "card":
        with path.open("wb") as file:
            np.savez(file, card=np.frombuffer(b"[]", "uint8"))
    elif kind == "later":
        write_lite(path, small._replace(card={"network": "vgg19", "version": 9}))
    elif kind == "shape":
        bent = dict(small.layers)
        bent["block1_conv2"] = bent["block1_conv2"]._replace(bias=np.zeros(9, "f"))
        write_lite(path, small._replace(layers=bent))
    elif kind == "hole":
        bent = dict(small.layers)
        del bent["block1_conv2"]
        write_lite(path, small._replace(layers=bent))
    elif kind == "not finite":
        bent = dict(small.layers)
        nan = np.full(64, np.nan, "float32")
        bent["block1_conv2"] = bent["block1_conv2"]._replace(bias=nan)
        write_lite(path, small._replace(layers=bent))
    else:
        write_lite(path, small)
        whole = path.read_bytes()
        if kind == "flipped":
            middle = len(whole) // 2
            whole = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
        path.write_bytes(whole[: len(whole) // 2] if kind == "cut" else whole)


@pytest.mark.parametrize(
    "kind",
    [
        *("missing", "text", "foreign", "pickle", "card", "later", "shape", "hole"),
        *("not finite", "cut", "flipped"),
    ],
)
def test_a_file_that_is_none_of_ours_or_damaged_is_one_clear_error(
    small, tmp_path, kind
):
    path = tmp_path / "net.lite"
    damaged(path, small, kind)
    with pytest.raises(InputError, match=r"net\.lite"):
        read_lite(path)
