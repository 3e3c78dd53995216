"""Targets of a batch: mixes of Gram matrices, the photographs' content."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

from nst_tf import InputError, LossSettings, MixedTargets, Objective, build_extractor
from tests.helpers import scene, value

LOSS = LossSettings(
    content_layers=("block2_conv2",), style_layers=("block1_conv1", "block2_conv1")
)
PHOTOS = np.stack([scene(24, 28, seed=k) for k in range(3)])
STYLES = [scene(32, 20, seed=7), scene(26, 40, seed=8)]
WEIGHTS = np.array([[0, 0, 1], [0, 1, 0], [0, 0.3, 0.7]], "float32")


@pytest.fixture
def objective(random_vgg):
    return Objective(build_extractor(LOSS.layers), LOSS)


def inputs():
    return {"image": ops.convert_to_tensor(PHOTOS), "style": WEIGHTS}


def gram(features):
    picture = value(features)[0].astype("float64")
    flat = picture.reshape(-1, picture.shape[-1])
    return np.einsum("pc,pd->cd", flat, flat) / len(flat)


def test_gram_matrices_are_mixed(objective):
    targets = MixedTargets(objective, STYLES)(inputs())
    for name in LOSS.style_layers:
        painted = [gram(objective.extractor(style[None])[name]) for style in STYLES]
        for index, mix in enumerate(WEIGHTS):
            expected = mix[1] * painted[0] + mix[2] * painted[1]
            np.testing.assert_allclose(
                value(targets.style[f"{name}/gram"])[index, 0],
                expected,
                rtol=1e-3,
                atol=1e-2,
            )


def test_the_content_is_that_of_each_photograph(objective):
    targets = MixedTargets(objective, STYLES)(inputs())
    assert targets.content.keys() == set(LOSS.content_layers)
    for name, features in targets.content.items():
        np.testing.assert_array_equal(
            value(features), value(objective.extractor(PHOTOS)[name])
        )
    assert float(objective(ops.convert_to_tensor(PHOTOS), targets).content) == 0


def test_strengths_scale_the_style_term_of_each_picture(objective):
    one = MixedTargets(objective, STYLES)
    other = MixedTargets(objective, STYLES, [2.0, 4.0])
    single = {"image": ops.convert_to_tensor(PHOTOS[:1]), "style": WEIGHTS[2:]}
    image = ops.convert_to_tensor(PHOTOS[1:2])
    plain, strong = (objective(image, t(single)).style for t in (one, other))
    assert float(strong) == pytest.approx((0.3 * 2 + 0.7 * 4) * float(plain), rel=1e-5)


def test_the_loss_of_a_batch_is_the_mean_of_its_pictures(objective):
    mixed = MixedTargets(objective, STYLES, [1.0, 3.0])
    outputs = PHOTOS[::-1].copy()
    whole = objective(ops.convert_to_tensor(outputs), mixed(inputs()))
    alone = []
    for index in range(3):
        one = slice(index, index + 1)
        targets = mixed(
            {"image": ops.convert_to_tensor(PHOTOS[one]), "style": WEIGHTS[one]}
        )
        alone.append(float(objective(ops.convert_to_tensor(outputs[one]), targets)[0]))
    assert float(whole.total) == pytest.approx(np.mean(alone), rel=1e-4)


def test_the_inner_border_is_where_zero_padding_does_not_reach(random_vgg):
    layers = ("block1_conv2", "block2_conv2", "block3_conv1")
    loss = LossSettings(content_layers=layers[:1], style_layers=layers, border="inner")
    objective = Objective(build_extractor(layers), loss)
    # Three quarters of a picture that goes on: the same features, but at its border.
    picture = scene(96, 128, seed=3)
    whole = {k: value(v) for k, v in objective.extractor(picture[None]).items()}
    part = objective.features(ops.convert_to_tensor(picture[None, :, :96]))
    for name, got in part.items():
        ring = objective.rings[name]
        height, width = got.shape[1:3]
        rest = whole[name][:, ring : ring + height, ring : ring + width]
        np.testing.assert_allclose(value(got), rest, rtol=1e-3, atol=1e-3)
        assert height + 2 * ring == whole[name].shape[1]
        # One position nearer to the border they do differ.
        plain = value(objective.extractor(picture[None, :, :96])[name])
        outer = plain.shape[2] - ring
        gap = np.abs(plain[:, :, outer] - whole[name][:, :, outer]).max()
        assert gap > 1e-2
    assert objective.rings["block1_conv2"] == 2
    assert objective.rings["block2_conv2"] == 3


def test_without_a_geometry_there_is_no_inner_border():
    image = keras.Input((None, None, 3))
    features = keras.layers.Conv2D(4, 3, name="one")(image)
    model = keras.Model(image, {"one": features})
    loss = LossSettings(content_layers=("one",), style_layers=("one",), border="inner")
    with pytest.raises(InputError, match="with another model take border whole"):
        Objective(model, loss)
    whole = dataclasses.replace(loss, border="whole", palette=0.0)
    objective = Objective(model, whole)
    photo, painting = (ops.convert_to_tensor(scene(24, 24, k)[None]) for k in (1, 2))
    assert float(objective(photo, objective.targets(photo, painting)).total) > 0


def test_content_is_compared_up_to_the_border(random_vgg):
    layers = ("block1_conv1", "block2_conv1")
    loss = LossSettings(
        content_layers=layers[1:], style_layers=layers[:1], border="inner"
    )
    objective = Objective(build_extractor(layers), loss)
    photo = scene(32, 48)[None]
    targets = objective.targets(
        ops.convert_to_tensor(photo), ops.convert_to_tensor(STYLES[0][None])
    )
    assert tuple(targets.content[layers[1]].shape[1:3]) == (16, 24)
    changed = photo.copy()
    changed[:, :, :2] = 1 - changed[:, :, :2]
    assert float(objective(ops.convert_to_tensor(photo), targets).content) == 0
    assert float(objective(ops.convert_to_tensor(changed), targets).content) > 0


def test_half_of_a_small_map_is_left(random_vgg):
    layers = ("block3_conv1",)
    loss = LossSettings(content_layers=layers, style_layers=layers, border="inner")
    objective = Objective(build_extractor(layers), loss)
    (features,) = objective.features(
        ops.convert_to_tensor(scene(16, 32)[None])
    ).values()
    assert tuple(features.shape[1:3]) == (2, 4)
    targets = MixedTargets(objective, STYLES)(
        {"image": ops.convert_to_tensor(PHOTOS), "style": WEIGHTS}
    )
    parts = objective(ops.convert_to_tensor(PHOTOS), targets)
    assert float(parts.content) == 0
