"""The loss of each stage of a training, and the paintings that it compares with."""

import dataclasses
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nst_tf.backend.precision import resolve_precision
from nst_tf.imaging.read import load_image
from nst_tf.imaging.resize import reduce
from nst_tf.loss.choice import LAST_SHARE, networks_of
from nst_tf.loss.extractor import build_extractor
from nst_tf.loss.objective import Objective
from nst_tf.loss.targets import MixedTargets
from nst_tf.settings.checks import MIN_SIDE, InputError
from nst_tf.settings.loss import Network
from nst_training.painted import PaintedTargets
from nst_training.settings import TrainSettings


class Stage(NamedTuple):
    """Steps with one loss network.

    Attributes:
        objective: The loss.
        targets: What pictures are compared with.
        until: The last step.
    """

    objective: Objective
    targets: MixedTargets | PaintedTargets
    until: int


class Objectives:
    """Builds the losses of a training, every loss network once.

    Args:
        settings: Of the training.
        paintings: One a style, from `read_paintings`.

    Attributes:
        dtype: Of the loss networks.
    """

    def __init__(self, settings: TrainSettings, paintings: list[np.ndarray]) -> None:
        self.settings, self.paintings = settings, paintings
        self.dtype = resolve_precision(settings.precision)
        self._built: dict[Network, tuple[Objective, MixedTargets | PaintedTargets]] = {}

    def stages(self, step: int) -> list[Stage]:
        """Return the stages to come, all built: a later one's weights may be unusable.

        Args:
            step: Made so far.
        """
        steps = self.settings.steps
        *first, last = networks_of(self.settings.extractor)
        before = steps - math.ceil(LAST_SHARE * steps)
        names = [] if step >= before else first
        return [
            *(Stage(*self._objective(name), before) for name in names),
            Stage(*self._objective(last), steps),
        ]

    def _objective(
        self, name: Network
    ) -> tuple[Objective, MixedTargets | PaintedTargets]:
        """Return the loss in a loss network, and what it compares with."""
        if name not in self._built:
            settings = self.settings
            chosen = dataclasses.replace(settings.extractor, network=name)
            extractor = build_extractor(
                settings.loss.layers, settings=chosen, dtype=self.dtype
            )
            objective = Objective(extractor, settings.loss)
            strengths = [style.strength for style in settings.styles]
            self._built[name] = (
                objective,
                PaintedTargets(objective)
                if settings.paintings
                else MixedTargets(objective, self.paintings, strengths),
            )
        return self._built[name]


def read_paintings(settings: TrainSettings, *, known: int) -> list[np.ndarray]:
    """Return the paintings of a training, float32 `[H, W, 3]`, RGB 0..1, one a style.

    Args:
        settings: Of the training.
        known: Styles at the start that are never asked for.

    Raises:
        InputError: A painting can't be read or is too small.
    """
    new = settings.styles[known:]
    # A position cannot be mirrored about itself.
    least = MIN_SIDE * (2 if settings.extractor.padding == "reflect" else 1)
    read = [
        _painting(style.image, style.size or settings.style_size, least)
        for style in new
    ]
    # Any picture holds the place of those that are never asked for.
    return read[:1] * known + read


def _painting(path: Path, size: int, least: int) -> np.ndarray:
    pixels = reduce(load_image(path).pixels, size)
    height, width = pixels.shape[:2]
    if min(height, width) < least:
        raise InputError(
            f"the style image {path} would be {width}x{height} pixels; each side needs"
            f" {least}: choose a larger size or crop the image"
        )
    return pixels
