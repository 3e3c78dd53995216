"""Errors of pictures: 0 for photograph and painting, else what a formula gives."""

import numpy as np
import pytest
from keras import ops

from nst_tf import build_extractor
from nst_tf.inspection.errors import STYLE_LAYERS, ErrorMeter
from nst_tf.settings.budget import CONTENT_LAYER
from nst_tf.settings.loss import ExtractorSettings
from tests.helpers import scene

VGG = ExtractorSettings(network="vgg19")
PHOTO, PAINTING = scene(48, 64, seed=1), scene(64, 48, seed=2)


def test_a_photograph_has_its_own_content_and_a_painting_its_own_style(random_vgg):
    meter = ErrorMeter(VGG)
    exact = np.round(PAINTING * 255) / 255
    found = meter(exact.astype("float32"), exact.astype("float32"), exact)
    assert found.content == pytest.approx(0, abs=1e-6)
    assert found.style == pytest.approx([0] * 5, abs=1e-6)
    assert meter(PHOTO, PHOTO, PAINTING).mean_style > 0.001


def test_errors_are_squares_over_energies_of_the_8_bit_picture(random_vgg):
    picture = np.clip(PHOTO + 0.2 * PAINTING.transpose(1, 0, 2), 0, 1)
    found = ErrorMeter(VGG)(picture.astype("float32"), PHOTO, PAINTING)
    extractor = build_extractor((*STYLE_LAYERS, CONTENT_LAYER), settings=VGG)
    saved = np.round(picture * 255) / 255
    maps = [
        {k: ops.convert_to_numpy(v)[0] for k, v in extractor(x[None]).items()}
        for x in (saved.astype("float32"), PHOTO, PAINTING)
    ]
    mine, photo, painting = maps
    gap = ((mine[CONTENT_LAYER] - photo[CONTENT_LAYER]) ** 2).sum()
    assert found.content == pytest.approx(
        gap / (photo[CONTENT_LAYER] ** 2).sum(), rel=1e-3
    )
    for name, error in zip(STYLE_LAYERS, found.style, strict=True):
        one, other = (
            np.einsum("hwc,hwd->cd", x, x) / (x.shape[0] * x.shape[1])
            for x in (mine[name], painting[name])
        )
        expected = ((one - other) ** 2).sum() / (other**2).sum()
        assert error == pytest.approx(expected, rel=1e-3)
