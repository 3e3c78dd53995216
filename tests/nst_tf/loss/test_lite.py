"""The compressed loss network, its file, and the one that ships."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from nst_tf import ExtractorSettings, InputError, build_extractor
from nst_tf.loss.choice import LITE
from nst_tf.loss.geometry import GEOMETRIES
from nst_tf.loss.lite_weights import (
    Factors,
    LiteWeights,
    quantized,
    read_card,
    read_lite,
    write_lite,
)
from nst_tf.loss.tiles import split
from nst_tf.loss.vgg import MEAN_RGB
from nst_tf.loss.weight_files import layer_shapes
from tests.helpers import random_weights, scene

RANK = 6
SHIPPED = ExtractorSettings(network="lite")


@pytest.fixture(scope="module")
def small():
    """Return a network of the first three layers, two of them factored at random.

    Its numbers are whole multiples that float16 holds, so that the file has them all.
    """
    draw = np.random.default_rng(3)

    def rounded(*shape, scale):
        return (scale * draw.standard_normal(shape)).astype("float16").astype("float32")

    first = random_weights()["block1_conv1"][0].astype("float16").astype("float32")
    layers = {"block1_conv1": Factors(first, None, np.ones(64, "f"))}
    for name, before, after in (("block1_conv2", 64, 64), ("block2_conv1", 64, 128)):
        layers[name] = Factors(
            rounded(3, 3, before, RANK, scale=0.1),
            rounded(RANK, after, scale=0.3),
            rounded(after, scale=0.5),
        )
    return LiteWeights(layers, {"network": "vgg19"})


@pytest.fixture(scope="module")
def settings(small, tmp_path_factory):
    """Return settings of that network, in a file."""
    path = tmp_path_factory.mktemp("lite") / "small.npz"
    write_lite(path, small)
    return ExtractorSettings(network="lite", lite_weights=path)


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
    small, settings
):
    image = scene(20, 26)
    wanted = by_hand(image, small)
    got = build_extractor(list(small.layers), settings=settings)(image[None])
    assert list(got) == list(wanted)
    for name, maps in wanted.items():
        np.testing.assert_allclose(got[name], maps, atol=1e-4 * maps.max())


def test_in_bfloat16_the_features_are_those_of_float32_but_for_rounding(settings):
    wanted, got = (
        build_extractor(["block2_conv1"], settings=settings, dtype=dtype)(
            scene(20, 26)[None]
        )["block2_conv1"]
        for dtype in ("float32", "bfloat16")
    )
    assert keras.backend.standardize_dtype(got.dtype) == "bfloat16"
    gap = np.linalg.norm(tf.cast(got, "float32") - wanted)
    assert gap < 0.02 * np.linalg.norm(wanted)


@pytest.mark.parametrize(
    ("padding", "mode"), [("reflect", "reflect"), ("replicate", "edge")]
)
def test_the_border_is_padded_like_that_of_vgg(small, settings, padding, mode):
    image = scene(16, 18)
    padded = dataclasses.replace(settings, padding=padding)
    got = build_extractor(["block1_conv1"], settings=padded)(image[None])
    wide = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode=mode)
    wanted = by_hand(wide, small)["block1_conv1"][:, 1:-1, 1:-1]
    np.testing.assert_allclose(got["block1_conv1"], wanted, atol=1e-4 * wanted.max())


def test_only_the_layers_up_to_the_deepest_are_built(settings):
    model = build_extractor(["block1_conv2"], settings=settings)
    assert [x.name for x in model.layers if "conv" in x.name] == [
        *("block1_conv1", "block1_conv2_narrow", "block1_conv2")
    ]
    assert not model.trainable_weights


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["block5_conv4"], r"LITE has no layers .*block5_conv4.*; it has .*block2_con"),
        (["conv7"], r"LITE has no layers .*conv7.*; it has block1_conv1, "),
        ([], "at least one layer"),
        (["block2_conv2"], r"small\.npz has no layer block2_conv2"),
    ],
)
def test_layers_that_it_has_not_are_one_clear_error(settings, layers, message):
    with pytest.raises(InputError, match=message):
        build_extractor(layers, settings=settings)


def test_one_made_from_vgg_16_has_the_layers_of_that(tmp_path, pair):
    from nst_tf.cli import main

    rng = np.random.default_rng(0)
    layers = {}
    for name, (*_, before, channels) in layer_shapes("vgg16").items():
        kernel = rng.standard_normal((3, 3, before, channels), "float32")
        factors = kernel / np.sqrt(4.5 * before), None, np.zeros(channels, "float32")
        layers[name] = Factors(*factors)
        if name == "block5_conv1":
            break
    path = tmp_path / "v16.npz"
    write_lite(path, LiteWeights(layers, {"network": "vgg16"}))
    settings = ExtractorSettings(network="lite", lite_weights=path)
    found = build_extractor(["block4_conv2", "block5_conv1"], settings=settings)
    assert found(scene(32, 32)[None])["block5_conv1"].shape == (1, 2, 2, 512)
    assert "block3_conv4" not in found.geometry.names
    command = ["optimize", *map(str, pair), "-o", str(tmp_path / "out.png"), "--quiet"]
    small = ["--size", "48", "--scales", "1", "--steps", "1"]
    which = ["--network", "lite", "--lite-weights", str(path)]
    assert main([*command, *small, *which]) == 0


@pytest.mark.parametrize("network", ["lite", "lite-vgg19"])
def test_average_pooling_is_refused(network, pair, tmp_path, capsys):
    from nst_tf.cli import main

    command = ["optimize", *map(str, pair), "-o", str(tmp_path / "out.png"), "--quiet"]
    assert main([*command, "--network", network, "--pooling", "average"]) == 2
    said = capsys.readouterr().err
    assert "lite is made for max pooling, not average: use --network vgg19" in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("padding", ["zero", "reflect"])
def test_stitched_tiles_are_the_features_of_the_whole(padding):
    layers = ["block1_conv1", "block1_conv2", "block3_conv1", "block5_conv1"]
    shipped = dataclasses.replace(SHIPPED, padding=padding)
    extractor = build_extractor(layers, settings=shipped)
    image = scene(101, 133)[None]
    whole = {name: np.asarray(x) for name, x in extractor(image).items()}
    stitched = {name: np.full_like(x, np.nan) for name, x in whole.items()}
    for tile in split(101, 133, 48, extractor.geometry.halo):
        parts = {name: tile.part(extractor.geometry[name].level) for name in layers}
        features = extractor.tile_features(tile.crop(image), tile, parts)
        for name in layers:
            rows, columns = parts[name].there
            stitched[name][:, slice(*rows), slice(*columns)] = features[name]
    for name in layers:
        gap = np.abs(stitched[name] - whole[name]).max() / np.abs(whole[name]).max()
        assert gap < 1e-5, name


def test_eight_bits_err_by_half_a_level_of_their_channel_at_most():
    draw = np.random.default_rng(0)
    array = draw.standard_normal((3, 3, 5, 4)) * [1e-3, 1.0, 50.0, 0.0]
    values, scale = quantized(array)
    assert values.dtype == np.int8
    most = np.abs(array).max(axis=(0, 1, 2))
    assert (np.abs(values * scale - array) <= 0.5001 * most / 127).all()


def test_a_file_gives_back_what_was_written(small, tmp_path):
    path = tmp_path / "net.npz"
    write_lite(path, small)
    back = read_lite(path)
    assert back.card["network"] == "vgg19"
    for name, factors in small.layers.items():
        for wanted, got in zip(factors, back.layers[name], strict=True):
            if wanted is None:
                assert got is None
            else:  # float16 in the first two blocks.
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
    elif kind in ("scale", "number"):
        write_lite(path, small)
        with np.load(path) as file:
            arrays = dict(file)
        name = {"scale": "block1_conv2/kernel/scale", "number": "block1_conv2/mix"}
        arrays[name[kind]] = {"scale": np.ones(9), "number": np.float32(1)}[kind]
        with path.open("wb") as file:
            np.savez(file, **arrays)
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
        *("not finite", "cut", "flipped", "scale", "number"),
    ],
)
def test_a_file_that_is_none_of_ours_or_damaged_is_one_clear_error(
    small, tmp_path, kind
):
    path = tmp_path / "net.npz"
    damaged(path, small, kind)
    with pytest.raises(InputError, match=r"net\.npz"):
        read_lite(path)


def test_the_file_that_ships_is_small_and_as_the_geometry_says():
    assert LITE.stat().st_size < 6e6
    network = read_lite(LITE)
    assert tuple(network.layers) == GEOMETRIES["lite"].names
    for layer in GEOMETRIES["lite"].layers:
        factors = network.layers[layer.name]
        inner = () if factors.mix is None else factors.mix.shape[:1]
        assert (inner, factors.channels) == (layer.inner, layer.channels), layer.name


def test_the_card_of_the_file_that_ships_gives_credit_and_licence():
    card = read_card(LITE)
    assert card["network"] == "vgg19"
    assert "Simonyan" in card["credit"]
    assert "Zisserman" in card["credit"]
    assert card["licence"] == "CC BY 4.0"
    assert len(bytes.fromhex(card["first_kernel"])) == 32


@pytest.mark.weights
def test_the_features_of_lite_are_near_those_of_vgg(reference, real_vgg):
    layers = [
        *("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1"),
        *("block4_conv2", "block5_conv1"),
    ]
    vgg = ExtractorSettings(network="vgg19", vgg_weights=real_vgg)
    extractors = [build_extractor(layers, settings=x) for x in (vgg, SHIPPED)]
    limits = (1e-5, 0.03, 0.06, 0.08, 0.1, 0.2)
    for picture in reference:
        exact, lite = (extractor(picture[None]) for extractor in extractors)
        for name, limit in zip(layers, limits, strict=True):
            wanted, got = np.asarray(exact[name]), np.asarray(lite[name])
            error = np.square(got - wanted).sum() / np.square(wanted).sum()
            assert error < limit, name
