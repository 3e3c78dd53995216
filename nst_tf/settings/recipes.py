"""Named settings of published recipes: what `nst optimize --recipe` starts from."""

import dataclasses
import types
from collections.abc import Mapping
from typing import Any

from nst_tf.settings.loss import Convention, ExtractorSettings, LossSettings
from nst_tf.settings.optimize import OptimizeSettings

_GATYS = OptimizeSettings(
    side="short",
    resample="bilinear",
    scales=1,
    schedule="whole",
    steps=500,
    history=100,
    constrained=False,
    loss=LossSettings(convention="gatys-notebook", style_weight=1000.0, tv_weight=0.0),
)


def _published(
    convention: Convention, extractor: ExtractorSettings | None = None, **loss: Any
) -> OptimizeSettings:
    """Return the notebook's settings with another loss, and the pixels kept in 0..1."""
    return dataclasses.replace(
        _GATYS,
        constrained=True,
        history=20,
        extractor=extractor or _GATYS.extractor,
        loss=LossSettings(convention=convention, tv_weight=0.0, **loss),
    )


RECIPES: Mapping[str, OptimizeSettings] = types.MappingProxyType(
    {
        "default": OptimizeSettings(),
        "gatys": _GATYS,
        "gatys-2015": _published(
            "gatys-2015", ExtractorSettings(pooling="average"), style_weight=1000.0
        ),
        "ng-course": _published("ng-course", content_weight=10.0, style_weight=40.0),
        "johnson": _published(
            "johnson",
            ExtractorSettings(network="vgg16"),
            content_layers=("block3_conv3",),
            style_layers=(
                "block1_conv2",
                "block2_conv2",
                "block3_conv3",
                "block4_conv3",
            ),
            style_weight=5.0,
        ),
    }
)
"""Named settings: what `nst optimize --recipe NAME` starts from."""
