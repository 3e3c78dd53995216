"""The loss as a function of sums over positions: tiles add up to the whole."""

import dataclasses

import numpy as np
import pytest
from keras import ops

from nst_tf import LossSettings, Objective, build_extractor
from nst_tf.loss.term import Seen
from tests.helpers import scene

LOSS = LossSettings(
    content_layers=("block2_conv2",),
    style_layers=("block1_conv1", "block2_conv2"),
)
PHOTO, PICTURE, PAINTING = (scene(32, 48, seed=k)[None] for k in (1, 2, 7))
CUTS = {"block1_conv1": 20, "block2_conv2": 10}
"""Columns of each layer's map in the left tile."""
CONVENTIONS = ("gatys-notebook", "gatys-2015", "ng-course", "johnson", "relative")


def tiles(maps):
    """Cut every map `[B, h, w, C]` into a left and a right part."""
    left = {name: value[:, :, : CUTS[name]] for name, value in maps.items()}
    right = {name: value[:, :, CUTS[name] :] for name, value in maps.items()}
    return left, right


def masks():
    """Return two regions with a soft edge for every layer."""
    ramp = np.clip((np.arange(48, dtype="float32") - 12) / 20, 0, 1)
    whole = np.broadcast_to(np.stack([ramp, 1 - ramp], -1), (1, 32, 48, 2))
    half = whole.reshape(1, 16, 2, 24, 2, 2).mean((2, 4))
    return {"block1_conv1": whole.copy(), "block2_conv2": half}


def sums(objective, features, targets):
    """Return the sums of the terms that look at features alone."""
    terms, found = objective.terms, {}
    for name in ("content", "style"):
        found |= terms[name].statistics(Seen(PICTURE, features), targets)
    return found


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("masked", [False, True])
def test_the_statistics_of_tiles_add_up_to_the_loss(random_vgg, convention, masked):
    loss = dataclasses.replace(LOSS, convention=convention)
    objective = Objective(build_extractor(loss.layers), loss)
    targets = objective.targets(PHOTO, PAINTING)
    features = objective.features(PICTURE)
    if masked:
        grams = {k: np.repeat(v, 2, axis=1) for k, v in targets.style.items()}
        strength = np.array([[1.0, 0.5]], "float32")
        targets = targets._replace(style=grams, masks=masks(), strength=strength)
    whole = sums(objective, features, targets)
    parts = []
    pieces = zip(
        tiles(features),
        tiles(targets.content),
        tiles(targets.masks) if masked else (None, None),
        strict=True,
    )
    for part, content, mask in pieces:
        cut = targets._replace(content=content, masks=mask)
        parts.append(sums(objective, part, cut))
    total = {name: parts[0][name] + parts[1][name] for name in whole}
    assert total["block2_conv2/gram"].shape == (1, 1 + masked, 128, 128)
    for name, value in whole.items():
        scale = np.abs(value).max()
        np.testing.assert_allclose(total[name], value, rtol=1e-4, atol=1e-5 * scale)
    total |= objective.terms["tv"].statistics(Seen(PICTURE, {}), targets)
    got = objective.loss(total, targets)
    expected = objective(ops.convert_to_tensor(PICTURE), targets)
    assert list(got.flat()) == list(expected.flat())
    got, expected = (list(parts.flat().values()) for parts in (got, expected))
    np.testing.assert_allclose(got, expected, rtol=1e-4)


def test_a_mask_makes_the_guided_gram_matrix(random_vgg):
    objective = Objective(build_extractor(LOSS.layers), LOSS)
    features = objective.features(PICTURE)
    got = objective.style.moments(objective.style.sums(features, masks()))
    for name, mask in masks().items():
        values = ops.convert_to_numpy(features[name]).astype("float64")
        weights = mask / mask.sum((1, 2), keepdims=True)
        expected = np.einsum("bhwr,bhwc,bhwd->brcd", weights, values, values)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(got[f"{name}/gram"], expected, atol=1e-5 * scale)
