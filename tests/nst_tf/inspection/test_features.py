"""What a layer sees: receptive fields, patches, reconstructions, `nst features`."""

import json

import numpy as np
import pytest
import tensorflow as tf

from nst_tf import InputError, build_extractor, optimize_image
from nst_tf.cli import main
from nst_tf.imaging.metadata import read_settings
from nst_tf.imaging.read import load_image
from nst_tf.imaging.write import save_image
from nst_tf.inspection.features import (
    find_patches,
    reconstruction,
    strongest_units,
)
from nst_tf.loss.geometry import GEOMETRIES
from nst_tf.settings.loss import ExtractorSettings
from tests.helpers import random_weights, scene, write_legacy


@pytest.mark.parametrize(
    ("layer", "size", "stride"),
    # As tables of VGG's receptive fields have them.
    [
        ("block1_conv1", 3, 1),
        ("block1_conv2", 5, 1),
        ("block2_conv2", 14, 2),
        ("block3_conv4", 48, 4),
        ("block4_conv4", 116, 8),
        ("block5_conv4", 252, 16),
    ],
)
def test_the_receptive_fields_are_the_published_ones(layer, size, stride):
    assert GEOMETRIES["vgg19"].receptive_field(layer)[:2] == (size, stride)
    if layer == "block3_conv4":  # VGG-16 has three convolutions in the third block.
        assert GEOMETRIES["vgg16"].receptive_field("block3_conv3").size == 40


@pytest.mark.parametrize("layer", ["block1_conv2", "block2_conv2", "block3_conv1"])
def test_the_gradient_of_a_position_fills_its_receptive_field(tmp_path, layer):
    # Positive weights and average pooling: every pixel within sight counts.
    weights = {k: (np.abs(w), b + 100) for k, (w, b) in random_weights().items()}
    path = write_legacy(tmp_path / "positive.h5", weights)
    settings = ExtractorSettings(pooling="average", vgg_weights=path)
    extractor = build_extractor([layer], settings=settings)
    image = tf.Variable(np.ones((1, 64, 72, 3), "float32"))
    field, (y, x) = extractor.geometry.receptive_field(layer), (7, 6)
    with tf.GradientTape() as tape:
        value = extractor(image)[layer][0, y, x, 5]
    seen = np.abs(tape.gradient(value, image).numpy()).sum(axis=(0, 3)) > 0
    expected = np.zeros_like(seen)
    top, left = (k * field.stride + field.start for k in (y, x))
    expected[max(0, top) : top + field.size, max(0, left) : left + field.size] = True
    np.testing.assert_array_equal(seen, expected)


@pytest.mark.usefixtures("random_vgg")
def test_the_patches_are_those_of_the_largest_values():
    layer, unit = "block2_conv1", 11
    photos = [(f"p{k}", scene(40 + 4 * k, 48, seed=k)) for k in range(5)]
    extractor = build_extractor([layer])
    peaks = {}
    for name, photo in photos:
        plane = np.asarray(extractor(photo[None])[layer])[0, ..., unit]
        peaks[name] = plane.max(), np.unravel_index(plane.argmax(), plane.shape)
    ranked = sorted(peaks, key=lambda name: -peaks[name][0])[:3]
    patches = find_patches(extractor, layer, [unit], photos, count=3)[unit]
    assert [patch.photo for patch in patches] == ranked
    for patch in patches:
        value, (y, x) = peaks[patch.photo]
        assert patch.activation == pytest.approx(value)
        # Rows 2y - 4 to 2y + 5 of the photograph, grey beyond it.
        padded = np.pad(
            dict(photos)[patch.photo],
            ((4, 6), (4, 6), (0, 0)),
            constant_values=0.5,
        )
        expected = padded[2 * y : 2 * y + 10, 2 * x : 2 * x + 10]
        np.testing.assert_array_equal(patch.pixels, expected)


def test_the_strongest_units_have_the_largest_means():
    features = np.zeros((2, 3, 4), "float32")
    features[..., 2], features[0, 0, 1], features[..., 3] = 0.5, 2.4, 0.1
    assert strongest_units(features, 3) == [2, 1, 3]


@pytest.mark.usefixtures("bare")
def test_shallow_content_rebuilds_the_picture_and_style_only_its_texture():
    picture = scene(48, 48, seed=2)
    gaps = {}
    for part in ("content", "style"):
        settings = reconstruction(part, "block1_conv1", size=48, steps=60)
        got = optimize_image(picture, picture, settings)
        gaps[part] = np.abs(got.pixels - picture).mean()
        assert got.loss.total < 0.02
    noise = np.abs(np.random.default_rng(0).normal(0.5, 0.1, picture.shape) - picture)
    assert gaps["content"] < 0.2 * noise.mean() < 0.5 * gaps["style"]


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for k in range(3):
        save_image(folder / f"{k}.png", scene(40, 56, seed=k))
    return folder


def features(image, folder, *flags):
    command = ["features", str(image), "-o", str(folder), "--size", "64", "--quiet"]
    return main([*command, *map(str, flags)])


@pytest.mark.usefixtures("random_vgg")
def test_the_command_writes_its_sheets(pair, photos, tmp_path):
    out = tmp_path / "sheets"
    flags = ["--layer", "block2_conv1", "--photos", photos, "--units", 5, 9]
    assert features(pair[0], out, *flags, "--reconstruct", "content", "--steps", 3) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "block2_conv1.content.png",
        "block2_conv1.maps.png",
        "block2_conv1.unit5.png",
        "block2_conv1.unit9.png",
    ]
    patches = read_settings(out / "block2_conv1.unit5.png")["patches"]
    assert {patch["photo"] for patch in patches} <= {"0.png", "1.png", "2.png"}
    values = [patch["activation"] for patch in patches]
    assert values == sorted(values, reverse=True)
    json.dumps(patches)


@pytest.mark.usefixtures("random_vgg")
def test_like_repeats_a_reconstruction(pair, tmp_path):
    flags = ["--layer", "block1_conv2", "--maps", 0, "--steps", 4, "--seed", 3]
    assert features(pair[0], tmp_path, *flags, "--reconstruct", "style") == 0
    first, again = tmp_path / "block1_conv2.style.png", tmp_path / "again.png"
    command = ["optimize", str(pair[0]), str(pair[0]), "-o", str(again), "--quiet"]
    assert main([*command, "--like", str(first)]) == 0
    np.testing.assert_array_equal(load_image(again).pixels, load_image(first).pixels)


@pytest.mark.usefixtures("random_vgg")
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--layer", "block9_conv1"], "VGG19 has no layers ['block9_conv1']; it has"),
        (
            ["--layer", "block1_conv1", "--photos", "PHOTOS", "--units", "64", "3"],
            "block1_conv1 has the units 0 to 63; there is no unit 64",
        ),
        (["--layer", "block1_conv1", "--photos", "EMPTY"], "holds no image files"),
        (["--layer", "block1_conv1", "--photos", "NONE"], "there is no folder"),
    ],
)
def test_what_is_not_there_is_said(pair, photos, tmp_path, capsys, flags, message):
    (tmp_path / "EMPTY").mkdir()
    places = {"PHOTOS": photos, "EMPTY": tmp_path / "EMPTY", "NONE": tmp_path / "no"}
    flags = [places.get(flag, flag) for flag in flags]
    assert features(pair[0], tmp_path / "sheets", *flags) == 2
    said = capsys.readouterr().err
    assert message in said
    assert not list((tmp_path / "sheets").glob("*.png"))


@pytest.mark.usefixtures("random_vgg")
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--layer", "block4_conv1"], None),  # 8 pixels are a position of it.
        (["--layer", "block5_conv1"], "side needs 16"),
        (["--layer", "block4_conv1", "--padding", "reflect"], "side needs 16"),
    ],
)
def test_what_is_too_narrow_for_a_layer_is_said(pair, tmp_path, capsys, flags, said):
    (tmp_path / "photos").mkdir()
    narrow = tmp_path / "photos" / "narrow.png"
    save_image(narrow, scene(16, 128, seed=1))
    runs = (narrow, flags), (pair[0], [*flags, "--photos", tmp_path / "photos"])
    for image, given in runs:
        assert features(image, tmp_path / "out", *given) == (2 if said else 0)
        error = capsys.readouterr().err
        if said:
            assert f"{narrow} is 64x8 pixels when it is looked at" in error
            assert said in error


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--units", "3"], "units need photos"),
        (["--maps", "0"], "there is nothing to do"),
        (["--size", "10"], "size must be at least 64, got 10"),
    ],
)
def test_flags_that_make_no_sense_are_refused(pair, tmp_path, capsys, flags, message):
    with pytest.raises(SystemExit) as left:
        features(pair[0], tmp_path, "--layer", "block1_conv1", *flags)
    assert left.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_layers_need_to_be_known(random_vgg):
    with pytest.raises(InputError, match="VGG19 has no layers"):
        build_extractor(["block1_conv9"])
