"""Neural style transfer on TensorFlow and Keras 3: mechanisms.

Importing this package loads neither TensorFlow nor Keras; a name does when it is
first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "LBFGS": "lbfgs",
    "ExtractorSettings": "settings",
    "InputError": "settings",
    "LossParts": "objective",
    "LossSettings": "settings",
    "MixedTargets": "targets",
    "NetworkSettings": "settings",
    "Objective": "objective",
    "OptimizeSettings": "settings",
    "Picture": "images",
    "PixelImage": "pixels",
    "RECIPES": "settings",
    "Result": "optimize",
    "Step": "optimize",
    "StyleTransfer": "transfer",
    "Targets": "objective",
    "build_extractor": "extractor",
    "build_network": "network",
    "content_loss": "losses",
    "gram_matrix": "losses",
    "load_image": "images",
    "measure_loss": "optimize",
    "measure_losses": "optimize",
    "optimize_image": "optimize",
    "save_image": "images",
    "style_loss": "losses",
    "total_variation": "losses",
}

if TYPE_CHECKING:
    from nst_tf.extractor import build_extractor
    from nst_tf.images import Picture, load_image, save_image
    from nst_tf.lbfgs import LBFGS
    from nst_tf.losses import content_loss, gram_matrix, style_loss, total_variation
    from nst_tf.network import build_network
    from nst_tf.objective import LossParts, Objective, Targets
    from nst_tf.optimize import (
        Result,
        Step,
        measure_loss,
        measure_losses,
        optimize_image,
    )
    from nst_tf.pixels import PixelImage
    from nst_tf.settings import (
        RECIPES,
        ExtractorSettings,
        InputError,
        LossSettings,
        NetworkSettings,
        OptimizeSettings,
    )
    from nst_tf.targets import MixedTargets
    from nst_tf.transfer import StyleTransfer

__all__ = [
    "LBFGS",
    "RECIPES",
    "ExtractorSettings",
    "InputError",
    "LossParts",
    "LossSettings",
    "MixedTargets",
    "NetworkSettings",
    "Objective",
    "OptimizeSettings",
    "Picture",
    "PixelImage",
    "Result",
    "Step",
    "StyleTransfer",
    "Targets",
    "build_extractor",
    "build_network",
    "content_loss",
    "gram_matrix",
    "load_image",
    "measure_loss",
    "measure_losses",
    "optimize_image",
    "save_image",
    "style_loss",
    "total_variation",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
