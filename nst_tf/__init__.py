"""Neural style transfer on TensorFlow and Keras 3: mechanisms.

Importing this package loads neither TensorFlow nor Keras; a name does when it is
first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from nst_tf.registration import register, register_when_loaded

__version__ = "0.1.0"

_HOMES = {
    "LBFGS": "optimizers.lbfgs",
    "ExtractorSettings": "settings.loss",
    "InputError": "settings.checks",
    "LossParts": "loss.parts",
    "LossSettings": "settings.loss",
    "MixedTargets": "loss.targets",
    "NetworkSettings": "settings.network",
    "Objective": "loss.objective",
    "OptimizeSettings": "settings.optimize",
    "Picture": "imaging.picture",
    "PixelImage": "painting.pixels",
    "RECIPES": "settings.recipes",
    "Result": "painting.events",
    "Step": "painting.events",
    "StyleTransfer": "running.transfer",
    "Targets": "loss.term",
    "build_extractor": "loss.extractor",
    "build_network": "network.transform",
    "content_loss": "loss.content",
    "gram_matrix": "loss.style.gram",
    "load_image": "imaging.read",
    "load_model": "network.trained",
    "measure_loss": "painting.measure",
    "measure_losses": "painting.measure",
    "optimize_image": "painting.run",
    "save_image": "imaging.write",
    "style_loss": "loss.style.gram",
    "total_variation": "loss.variation",
}

if TYPE_CHECKING:
    from nst_tf.imaging.picture import Picture
    from nst_tf.imaging.read import load_image
    from nst_tf.imaging.write import save_image
    from nst_tf.loss.content import content_loss
    from nst_tf.loss.extractor import build_extractor
    from nst_tf.loss.objective import Objective
    from nst_tf.loss.parts import LossParts
    from nst_tf.loss.style.gram import gram_matrix, style_loss
    from nst_tf.loss.targets import MixedTargets
    from nst_tf.loss.term import Targets
    from nst_tf.loss.variation import total_variation
    from nst_tf.network.trained import load_model
    from nst_tf.network.transform import build_network
    from nst_tf.optimizers.lbfgs import LBFGS
    from nst_tf.painting.events import Result, Step
    from nst_tf.painting.measure import measure_loss, measure_losses
    from nst_tf.painting.pixels import PixelImage
    from nst_tf.painting.run import optimize_image
    from nst_tf.running.transfer import StyleTransfer
    from nst_tf.settings.checks import InputError
    from nst_tf.settings.loss import ExtractorSettings, LossSettings
    from nst_tf.settings.network import NetworkSettings
    from nst_tf.settings.optimize import OptimizeSettings
    from nst_tf.settings.recipes import RECIPES

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
    "load_model",
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
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    register()
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


register_when_loaded()
