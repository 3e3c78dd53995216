"""What runs of one program share: loss networks and compiled models."""

from typing import Any

from nst_tf.loss.extractor import Extractor
from nst_tf.painting.inputs import Inputs
from nst_tf.painting.schedule import Pass
from nst_tf.running.transfer import StyleTransfer
from nst_tf.settings.optimize import OptimizeSettings


class Workshop:
    """Keeps what a run built for the next of equal settings and sizes.

    To build and compile takes some seconds a pass, on a GPU ten times as long as the
    pass itself at 384 pixels. Results have the same bits with and without.

    Example:
        >>> workshop = Workshop()
        >>> for photo in photos:
        ...     optimize_image(photo, painting, settings, workshop=workshop)
    """

    def __init__(self) -> None:
        self.extractors: dict[Any, Extractor] = {}
        self._models: dict[Any, StyleTransfer] = {}

    def model(
        self, settings: OptimizeSettings, inputs: Inputs, stage: Pass, index: int
    ) -> StyleTransfer | None:
        """Return the model of an earlier run's pass, if it does for this one."""
        return self._models.get(_key(settings, inputs, stage, index))

    def keep(
        self,
        model: StyleTransfer,
        settings: OptimizeSettings,
        inputs: Inputs,
        stage: Pass,
        index: int,
    ) -> None:
        """Keep a pass' model, if another picture can be put into it."""
        key = _key(settings, inputs, stage, index)
        if key is not None:
            self._models[key] = model


def _key(
    settings: OptimizeSettings, inputs: Inputs, stage: Pass, index: int
) -> tuple[Any, ...] | None:
    """Return what models of equal graphs share; None where the photograph is in it."""
    held = inputs.regions.masks is not None or settings.color == "luminance"
    if held or settings.optimizer != "lbfgs" or settings.memory is not None:
        return None
    return settings, stage.picture, index, inputs.is_grey
