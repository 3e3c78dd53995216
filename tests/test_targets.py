"""Targets of a batch: mixes of Gram matrices, the photographs' content."""

import numpy as np
import pytest
from keras import ops

from nst_tf import LossSettings, MixedTargets, Objective, build_extractor
from tests.helpers import scene

LOSS = LossSettings(
    content_layers=("block2_conv2",), style_layers=("block1_conv1", "block2_conv1")
)
PHOTOS = np.stack([scene(24, 28, seed=k) for k in range(3)])
STYLES = [scene(32, 20, seed=7), scene(26, 40, seed=8)]
WEIGHTS = np.array([[0, 0, 1], [0, 1, 0], [0, 0.3, 0.7]], "float32")


@pytest.fixture
def objective(random_vgg):
    return Objective(build_extractor(LOSS.layers), LOSS)


def value(tensor):
    return ops.convert_to_numpy(tensor)


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
                value(targets.style[name])[index], expected, rtol=1e-3, atol=1e-2
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
