"""The geometry of loss networks, and one other than VGG behind the extractor."""

import keras
import numpy as np
import pytest

from nst_tf import InputError
from nst_tf.loss.extractor import Extractor
from nst_tf.loss.geometry import GEOMETRIES, FeatureLayer, Geometry
from nst_tf.loss.tiles import split
from tests.helpers import scene

SMALL = Geometry(
    "small",
    (
        FeatureLayer("block1_conv1", 0, 5, inner=(3,)),
        FeatureLayer("block1_conv2", 0, 6, reach=2),
        FeatureLayer("block3_conv1", 2, 8),
    ),
)
"""Maps of 3 channels inside, a kernel of 5x5, and a layer after two poolings."""


def small_extractor(layers):
    """Return an extractor of the small network, most layers more than one of Keras."""

    def convolution(channels, size, name=None):
        return keras.layers.Conv2D(channels, size, padding="same", name=name)

    keras.utils.set_random_seed(3)
    steps = {
        "block1_conv1": [convolution(3, 3), convolution(5, 1, "block1_conv1")],
        "block1_conv2": [convolution(6, 5), keras.layers.ReLU(name="block1_conv2")],
        "block3_conv1": [convolution(8, 3, "block3_conv1")],
    }
    pool = keras.layers.AveragePooling2D(2)
    return Extractor(SMALL.upto(layers), layers, steps=steps, pool=pool)


def test_the_halo_is_how_far_the_deepest_layer_sees():
    # VGG-19 to block5_conv1: 1 there, then 2 * below + convolutions of the block.
    network = GEOMETRIES["vgg19"]
    assert network.upto(["block1_conv1"]).halo == (1,)
    assert network.upto(["block1_conv1", "block2_conv2"]).halo == (6, 2)
    # VGG-16 has blocks of three: 3 is odd, the next pooling meets the grid at 4.
    other = GEOMETRIES["vgg16"].upto(["block4_conv1"])
    assert other.halo == (2 * 14 + 2, 2 * 6 + 2, 6, 1)


def test_layers_are_found_refused_and_cut_off_by_depth():
    network = GEOMETRIES["vgg19"]
    assert len(network.names) == 16
    assert len(GEOMETRIES["vgg16"].names) == 13
    assert network["block3_conv2"] == FeatureLayer("block3_conv2", 2, 256)
    assert network.upto(["block2_conv1", "block1_conv1"]).names == (
        "block1_conv1",
        "block1_conv2",
        "block2_conv1",
    )
    with pytest.raises(InputError, match=r"VGG19 has no layers .*block9.*block5_conv4"):
        network.check(["block1_conv1", "block9_conv1"])


def test_numbers_of_a_pixel_are_those_of_the_maps_of_a_picture():
    # 64x64 pixels in VGG-19 up to the first layer after a pooling.
    used = GEOMETRIES["vgg19"].upto(["block2_conv1"])
    maps = 2 * 64 * 64 * 64 + 32 * 32 * 128
    assert 64 * 64 * sum(layer.work for layer in used.layers) == maps
    assert 64 * 64 * used["block2_conv1"].density == 32 * 32 * 128
    assert SMALL["block1_conv1"].work == 3 + 5
    assert SMALL["block1_conv1"].density == 5


def test_a_network_other_than_vgg_fits_behind_the_extractor():
    layers = list(SMALL.names)
    extractor = small_extractor(layers)
    assert not extractor.trainable_variables
    image = scene(53, 71)[None]
    whole = {name: np.asarray(x) for name, x in extractor(image).items()}
    assert [whole[name].shape for name in layers] == [
        (1, 53, 71, 5),
        (1, 53, 71, 6),
        (1, 13, 17, 8),
    ]
    stitched = {name: np.full_like(x, np.nan) for name, x in whole.items()}
    for tile in split(53, 71, 24, extractor.geometry.halo):
        parts = {name: tile.part(SMALL[name].level) for name in layers}
        features = extractor.tile_features(tile.crop(image), tile, parts)
        for name in layers:
            rows, columns = parts[name].there
            stitched[name][:, slice(*rows), slice(*columns)] = features[name]
    for name in layers:
        np.testing.assert_allclose(stitched[name], whole[name], rtol=1e-4, atol=1e-6)


def test_padding_reaches_as_far_into_a_map_as_its_kernels_do():
    # One column, three with the 5x5 kernel; poolings halve those, rounded up.
    assert SMALL.rings == {"block1_conv1": 1, "block1_conv2": 3, "block3_conv1": 2}
    layers = list(SMALL.names)
    extractor = small_extractor(layers)
    image = scene(64, 64)[None]
    whole, part = extractor(image), extractor(image[:, :, 16:])
    for name, ring in SMALL.rings.items():
        start = 16 >> SMALL[name].level
        gap = np.abs(np.asarray(whole[name])[:, :, start:] - np.asarray(part[name]))
        assert gap[:, :, ring:].max() < 1e-5
        assert gap[:, :, ring - 1].max() > 1e-4


def test_a_position_sees_its_receptive_field_and_no_pixel_more():
    extractor = small_extractor(["block3_conv1"])
    size, stride, start = SMALL.receptive_field("block3_conv1")
    assert stride == 4
    image, row = scene(96, 96)[None], 10

    def value(changed_rows):
        changed = image.copy()
        changed[:, changed_rows] += 1.0
        return np.asarray(extractor(changed)["block3_conv1"])[0, row]

    plain = np.asarray(extractor(image)["block3_conv1"])[0, row]
    first, last = row * stride + start, row * stride + start + size - 1
    for inside in (first, last):
        assert np.abs(value(inside) - plain).max() > 1e-7
    for outside in (first - 1, last + 1):
        np.testing.assert_array_equal(value(outside), plain)
