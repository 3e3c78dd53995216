"""Named settings of published recipes: what `nst optimize --recipe` starts from."""

import dataclasses
import types
from collections.abc import Mapping

from nst_tf.settings.loss import ExtractorSettings, LossSettings
from nst_tf.settings.optimize import OptimizeSettings

_GATYS = OptimizeSettings(
    side="short",
    resample="bilinear",
    scales=1,
    schedule="whole",
    steps=500,
    history=100,
    constrained=False,
    loss=LossSettings(style_weight=1000.0, tv_weight=0.0),
)
RECIPES: Mapping[str, OptimizeSettings] = types.MappingProxyType(
    {
        "default": OptimizeSettings(),
        "gatys": _GATYS,
        "gatys-2015": dataclasses.replace(
            _GATYS,
            constrained=True,
            history=20,
            extractor=ExtractorSettings(pooling="average"),
            loss=LossSettings(
                convention="gatys-2015", style_weight=1000.0, tv_weight=0.0
            ),
        ),
        "ng-course": dataclasses.replace(
            _GATYS,
            constrained=True,
            history=20,
            loss=LossSettings(
                convention="ng-course",
                content_weight=10.0,
                style_weight=40.0,
                tv_weight=0.0,
            ),
        ),
        "johnson": dataclasses.replace(
            _GATYS,
            constrained=True,
            history=20,
            extractor=ExtractorSettings(network="vgg16"),
            loss=LossSettings(
                convention="johnson",
                content_layers=("block3_conv3",),
                style_layers=(
                    "block1_conv2",
                    "block2_conv2",
                    "block3_conv3",
                    "block4_conv3",
                ),
                style_weight=5.0,
                tv_weight=0.0,
            ),
        ),
    }
)
"""Named settings: what `nst optimize --recipe NAME` starts from."""
