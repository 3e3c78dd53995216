"""Exact tiles: the same features, loss and gradient as without them."""

import dataclasses

import keras
import numpy as np
import pytest

from nst_tf import (
    ExtractorSettings,
    LossSettings,
    Objective,
    build_extractor,
)
from nst_tf.backend.compile import gradient
from nst_tf.loss.tiled import TiledObjective
from nst_tf.loss.tiles import split
from tests.helpers import SMALL, scene

DEEP = LossSettings()
SHALLOW = SMALL.loss


def norm(values):
    return float(np.linalg.norm(np.asarray(values, "float64")))


def two_regions(objective, photo, style):
    """Return targets whose left and right follow two parts of a style, softly."""
    ramp = np.linspace(0, 1, photo.shape[2], dtype="float32")
    masks = np.stack([ramp, 1 - ramp], axis=-1)[None, None]
    masks = np.broadcast_to(masks, (*photo.shape[:3], 2)).copy()
    moments = objective.style_moments(style, masks[:, :, ::-1])
    strength = np.array([[0.7, 0.3]], "float32")
    return objective.blended(photo, moments, strength, masks)


def both_gradients(settings, size, tile, *, extractor=None, seed=1, masks=False):
    """Return loss and gradient of a picture, whole and in tiles."""
    extractor = build_extractor(settings.layers, settings=extractor)
    image, photo, style = (scene(*size, seed=seed + k)[None] for k in range(3))
    found = []
    for objective in (
        Objective(extractor, settings),
        TiledObjective(extractor, settings, tile=tile),
    ):
        targets = objective.targets(photo, style[:, :90, :70])
        if masks:
            targets = two_regions(objective, photo, style)

        def loss(x, objective=objective, targets=targets):
            return objective(x, targets).total

        slope = gradient(loss, keras.ops.convert_to_tensor(image))
        parts = [float(x) for x in objective(image, targets).flat().values()]
        found.append((parts, np.asarray(slope)))
    return found


def test_a_tile_gives_its_own_pixels_and_neighbours_where_the_picture_has_some():
    image = np.arange(2 * 40 * 56 * 3).reshape(2, 40, 56, 3)
    seen = np.zeros((40, 56), int)
    for tile in split(40, 56, 16, (1, 1)):
        (top, bottom), (left, right) = tile.rows.own, tile.columns.own
        crop = tile.crop(image)
        seen[top:bottom, left:right] += 1
        np.testing.assert_array_equal(tile.own(crop), image[:, top:bottom, left:right])
        np.testing.assert_array_equal(
            tile.own(crop, below=1, beside=1),
            image[:, top : bottom + 1, left : right + 1],
        )
    assert (seen == 1).all()


def test_the_halo_is_no_wider_than_what_reaches_a_position(random_vgg):
    extractor = build_extractor(["block3_conv1"])
    image = scene(96, 96, seed=1)[None]
    before = np.asarray(extractor(image)["block3_conv1"])
    far = extractor.geometry.halo[0]
    changed = image.copy()
    changed[:, : 40 - far] = 0  # Position 10 of the third block begins at pixel 40.
    after = np.asarray(extractor(changed)["block3_conv1"])
    np.testing.assert_allclose(after[:, 10:], before[:, 10:], rtol=1e-5, atol=1e-3)
    changed[:, 40 - far] = 0
    assert norm(np.asarray(extractor(changed)["block3_conv1"])[:, 10] - before[:, 10])


@pytest.mark.parametrize("size", [(101, 133), (64, 96), (37, 250)])
@pytest.mark.parametrize("tile", [16, 48, 77, 300])
def test_tiles_own_every_pixel_once(size, tile):
    owned = np.zeros(size, int)
    for part in split(*size, tile, (70, 34, 16, 6, 1)):
        (top, bottom), (left, right) = part.rows.own, part.columns.own
        owned[top:bottom, left:right] += 1
        # The last of a row may exceed the tile by less than the grid's step.
        assert bottom - top < max(16, tile) + 16
        assert right - left < max(16, tile) + 16
    assert (owned == 1).all()


@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("tile", [32, 80])
def test_stitched_tiles_are_the_features_of_the_whole(random_vgg, pooling, tile):
    layers = ["block1_conv1", "block1_conv2", "block3_conv1", "block5_conv1"]
    extractor = build_extractor(layers, settings=ExtractorSettings(pooling=pooling))
    image = scene(101, 133)[None]
    whole = {name: np.asarray(x) for name, x in extractor(image).items()}
    stitched = {name: np.full_like(x, np.nan) for name, x in whole.items()}
    for part in split(101, 133, tile, extractor.geometry.halo):
        parts = {name: part.part(extractor.geometry[name].level) for name in layers}
        features = extractor.tile_features(part.crop(image), part, parts)
        for name in layers:
            rows, columns = parts[name].there
            assert parts[name].whole == whole[name].shape[1:3]
            stitched[name][:, slice(*rows), slice(*columns)] = features[name]
    for name in layers:
        gap = np.abs(stitched[name] - whole[name]).max() / np.abs(whole[name]).max()
        assert gap < 1e-5, name


@pytest.mark.parametrize("border", ["whole", "inner"])
def test_loss_and_gradient_equal_the_untiled_ones(random_vgg, border):
    settings = dataclasses.replace(SHALLOW, border=border)
    (parts, slope), (tiled_parts, tiled_slope) = both_gradients(settings, (61, 83), 24)
    np.testing.assert_allclose(tiled_parts, parts, rtol=1e-5)
    assert norm(tiled_slope - slope) < 1e-5 * norm(slope)


def test_layers_of_one_level_are_not_taken_for_each_other(random_vgg):
    layers = {"style": ("block2_conv1",), "content": ("block2_conv2",)}
    named = {f"{kind}_layers": names for kind, names in layers.items()}
    settings = dataclasses.replace(SHALLOW, **named)
    (parts, slope), (tiled_parts, tiled_slope) = both_gradients(settings, (40, 56), 32)
    np.testing.assert_allclose(tiled_parts, parts, rtol=1e-5)
    assert norm(tiled_slope - slope) < 1e-5 * norm(slope)


@pytest.mark.parametrize(
    "values",
    [
        {"convention": "johnson"},
        {"convention": "relative", "tv_weight": 0.0},
        {"style_loss": "mean-variance"},
        {"style_loss": "wasserstein"},
        {"strength": 0.6},
        {"strength": 0.6, "palette": 2.0},
    ],
)
@pytest.mark.parametrize("masks", [False, True])
def test_every_loss_can_be_tiled_masks_included(random_vgg, values, masks):
    settings = dataclasses.replace(SHALLOW, **values)
    (parts, slope), (tiled_parts, tiled_slope) = both_gradients(
        settings, (40, 56), 32, masks=masks
    )
    # Covariances are differences, their roots' slopes steep: rounding shows.
    limit = 1e-3 if settings.style_loss == "wasserstein" else 1e-5
    np.testing.assert_allclose(tiled_parts, parts, rtol=limit)
    assert norm(tiled_slope - slope) < limit * norm(slope)


def test_with_trained_weights_all_layers_agree():
    extractor = ExtractorSettings(network="lite")
    (parts, slope), (tiled_parts, tiled_slope) = both_gradients(
        DEEP, (117, 133), 80, extractor=extractor
    )
    np.testing.assert_allclose(tiled_parts, parts, rtol=1e-5)
    assert norm(tiled_slope - slope) < 1e-5 * norm(slope)
    assert np.abs(tiled_slope - slope).max() < 1e-4 * np.abs(slope).max()


@pytest.mark.parametrize("padding", ["reflect", "replicate"])
def test_other_paddings_can_be_tiled(random_vgg, padding):
    (parts, slope), (tiled_parts, tiled_slope) = both_gradients(
        SHALLOW, (41, 57), 24, extractor=ExtractorSettings(padding=padding)
    )
    np.testing.assert_allclose(tiled_parts, parts, rtol=1e-5)
    assert norm(tiled_slope - slope) < 1e-5 * norm(slope)
