"""Many small pictures of one pair of images, to choose settings by eye."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from nst_tf.backend.precision import resolve_precision
from nst_tf.loss.extractor import build_extractor
from nst_tf.painting.events import Observer, Result
from nst_tf.painting.run import optimize_image
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import StyleLoss
from nst_tf.settings.optimize import OptimizeSettings


class Trial(NamedTuple):
    """One cell of the sheet.

    Attributes:
        strength: How much style, 0..1.
        style_scale: Size of the style images relative to the result's.
        style_loss: What is compared.
        settings: All of them.
    """

    strength: float
    style_scale: float
    style_loss: StyleLoss
    settings: OptimizeSettings

    @property
    def label(self) -> str:
        """What tells this cell from the others, in two lines."""
        return f"strength {self.strength:g}\n{self.style_loss}, x{self.style_scale:g}"

    @property
    def flags(self) -> str:
        """The flags of `nst optimize` that set this cell apart."""
        return (
            f"--strength {self.strength:g} --style-scale {self.style_scale:g}"
            f" --style-loss {self.style_loss}"
        )


def plan_trials(
    base: OptimizeSettings,
    strengths: Sequence[float],
    style_scales: Sequence[float],
    style_losses: Sequence[StyleLoss],
) -> list[Trial]:
    """Return a trial for each combination: a row a loss and scale, strengths across.

    Raises:
        InputError: A list is empty or holds a value twice or out of range.
    """
    axes = {
        "strengths": strengths,
        "style_scales": style_scales,
        "style_losses": style_losses,
    }
    for name, values in axes.items():
        if not values or len(set(values)) < len(values):
            raise InputError(f"{name} must be different values, one or more")
    trials = []
    for chosen, scale, strength in itertools.product(
        style_losses, style_scales, strengths
    ):
        loss = dataclasses.replace(base.loss, strength=strength, style_loss=chosen)
        settings = dataclasses.replace(
            base, style_scale=scale, weight_changes=(), loss=loss
        )
        trials.append(Trial(strength, scale, chosen, settings))
    return trials


def run_trials(
    content: np.ndarray,
    style: np.ndarray,
    trials: Sequence[Trial],
    *,
    observer: Callable[[Trial], Observer],
) -> Iterator[tuple[Trial, Result]]:
    """Yield every trial with its picture.

    Args:
        content: float32 `[H, W, 3]`, RGB 0..1; the photograph.
        style: float32 `[H', W', 3]`, RGB 0..1; the painting.
        trials: From `plan_trials`.
        observer: Called with a trial for the observer of its steps.
    """
    first = trials[0].settings
    extractor = build_extractor(
        first.loss.layers,
        settings=first.extractor,
        dtype=resolve_precision(first.precision),
    )
    for trial in trials:
        result = optimize_image(
            content,
            style,
            trial.settings,
            observer=observer(trial),
            extractor=extractor,
        )
        yield trial, result
