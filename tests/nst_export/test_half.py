"""Files in half precision, as the GPUs and neural processors of phones compute."""

from pathlib import Path

import keras
import numpy as np
import pytest

from nst_export.formats.web import set_size, size_rules
from nst_export.half import fit_half, half_encoder, map_sizes
from nst_export.runtime.encoder import PaintingEncoder
from nst_export.runtime.mix import mix_weights
from nst_export.runtime.stylizer import Stylizer, bundled
from nst_tf.imaging.scene import landscape
from nst_tf.network.layers import InstanceNormalization
from nst_tf.network.trained import load_encoder, load_model
from nst_tf.shipped import shipped
from tests.helpers import scene

SIDE = 128
HALF = 4  # XNNPACK's flag: all maps in half precision, as a GPU keeps them.


def in_half(data, tmp_path, output, count, **values):
    """Return so many numbers of an output of a `.tflite`."""
    from ai_edge_litert.compiled_model import CompiledModel
    from ai_edge_litert.cpu_options import CpuOptions
    from ai_edge_litert.hardware_accelerator import HardwareAccelerator
    from ai_edge_litert.options import Options

    path = tmp_path / "fixed.tflite"
    path.write_bytes(set_size(data, size_rules(data), SIDE, SIDE))
    options = Options(
        hardware_accelerators=HardwareAccelerator.CPU,
        cpu_options=CpuOptions(xnnpack_flags=HALF),
    )
    model = CompiledModel.from_file(str(path), options=options)
    signature = "serving_default"
    found = model.create_output_buffer_by_name(signature, output)
    inputs = {}
    for name, value in values.items():
        inputs[name] = model.create_input_buffer_by_name(signature, name)
        inputs[name].write(np.ascontiguousarray(value, "float32"))
    model.run_by_name(signature, inputs, {output: found})
    return found.read(count, np.float32)


def photo():
    return landscape(SIDE, SIDE)


def largest(network, image, row):
    """Return the largest number of the maps that are normalised."""
    maps = {
        layer.name: layer.input[0]
        for layer in network.layers
        if isinstance(layer, InstanceNormalization)
    }
    inputs = {"image": image[None], "style": np.asarray([row], "float32")}
    found = keras.Model(network.input, maps)(inputs)
    return max(np.abs(np.asarray(value)).max() for value in found.values())


@pytest.mark.parametrize("name", ["gallery", "any", "any-float16"])
def test_the_files_that_ship_paint_the_same_in_half_precision(name, tmp_path):
    stylizer, data = Stylizer.load(bundled(name)), bundled(name).read_bytes()
    for style in stylizer.styles[:3]:
        weights = mix_weights(stylizer.styles, {style: 1.0})
        expected = stylizer(photo(), weights)
        row = [stylizer.style_row(weights)]
        given = data, tmp_path, "picture", expected.size
        got = in_half(*given, image=photo()[None], style=row)
        difference = got - expected.ravel()
        assert 10 * np.log10(1 / np.mean(difference**2)) > 35, style
        assert expected.std() > 0.05  # No single grey.
    black = in_half(*given, image=np.zeros((1, SIDE, SIDE, 3)), style=row)
    assert np.isfinite(black).all()


def test_the_encoder_that_ships_sees_the_same_in_half_precision(tmp_path):
    path = bundled("any").with_name("any-encoder.tflite")
    expected = PaintingEncoder(path).vector(photo()[None])
    given = path.read_bytes(), tmp_path, "vector", expected.size
    got = in_half(*given, painting=photo()[None])
    assert np.abs(got - expected).max() < 0.1 * np.abs(expected).max()


@pytest.mark.parametrize("lowering", ["multiples", "slices"])
def test_maps_and_their_squares_stay_far_below_the_largest_number(lowering):
    trained = load_model(shipped(Path("gallery"))).network
    native = trained.rebuilt(dtype="float32")
    fitting = native.rebuilt(lowering=lowering, dtype="float32")
    rows = np.eye(13, dtype="float32")[1:4]
    photos = [photo(), scene(SIDE, SIDE, seed=3), scene(SIDE, SIDE, seed=4)]
    fit_half(fitting, map_sizes(native, photos, rows))
    dull = (0.4 + 0.2 * photo()).astype("float32")
    images = photo(), scene(SIDE, SIDE, seed=6), dull
    for image, row in zip(images, rows, strict=True):
        inputs = {"image": image[None], "style": row[None]}
        picture, expected = (np.asarray(net(inputs)) for net in (fitting, native))
        np.testing.assert_allclose(picture, expected, atol=1e-3)
    assert largest(native, photo(), rows[0]) ** 2 > 65504
    assert largest(fitting, photo(), rows[0]) ** 2 < 65504 / 10


def test_an_encoder_that_fits_says_the_same_and_the_other_stays_as_it_is():
    encoder = load_encoder(shipped(Path("any")))
    views = [photo()[None], scene(SIDE, SIDE, seed=5)[None]]
    before = encoder.get_weights()
    fitting = half_encoder(encoder, views)
    for view in views:
        expected, got = (np.asarray(one(view)) for one in (encoder, fitting))
        np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-5)
    for old, new in zip(before, encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    last = "block3_conv1"
    maps = [
        keras.Model(one.input, one.get_layer(last).output)(views[0])
        for one in (encoder, fitting)
    ]
    sizes = [float(np.abs(np.asarray(found)).max()) for found in maps]
    assert sizes[0] ** 2 > 65504 > 64 * sizes[1] ** 2
