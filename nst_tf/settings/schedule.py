"""How the evaluations of a run are spent on the layers of the loss."""

import re
from typing import NamedTuple

from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import LossSettings

SHALLOW_STEPS = 30
"""Evaluations of the shallower style layers with which a scale begins."""
DEEP_SHARE = 0.8
"""Part of the final evaluations after which the deepest style layer joins."""
_STYLE = (
    "convention",
    "style_layers",
    "style_layer_weights",
    "style_layer_ratio",
    "style_loss",
    "strength",
)
"""What decides how much of the loss the deepest style layer makes."""
_FORM = re.compile(r"([a-z-]+)(?:=(\d+)(?:,(0?\.\d+|0))?)?")


class Schedule(NamedTuple):
    """A named schedule with its numbers.

    Attributes:
        shallow_steps: Evaluations that begin each scale with the shallower half of the
            style layers alone.
        deep_share: Part of the evaluations at the final scale, from the first on,
            without the deepest style layer.
    """

    shallow_steps: int
    deep_share: float


def parse_schedule(text: str, loss: LossSettings) -> Schedule:
    """Return what `--schedule` means for a loss.

    `whole`, `shallow-first`, `deep-last` or `auto`, which is whole for a relative loss,
    whose layers count alike, deep-last with the notebook's own style term, whose
    deepest layer makes 1 % of it, else shallow-first. `NAME=STEPS` and
    `NAME=STEPS,SHARE` give other numbers than 30 evaluations and 0.8 of them.

    Raises:
        InputError: It means nothing.

    Example:
        >>> parse_schedule("deep-last=20,0.5", LossSettings())
        Schedule(shallow_steps=20, deep_share=0.5)
    """
    found = _FORM.fullmatch(text)
    name = found[1] if found else ""
    if name not in ("auto", "deep-last", "shallow-first", "whole") or (
        found and ((name == "whole" and found[2]) or (found[3] and name != "deep-last"))
    ):
        raise InputError(
            "schedule must be auto, whole, shallow-first or deep-last, or give the"
            f" numbers, such as shallow-first=30 or deep-last=30,0.8; got {text!r}"
        )
    if found is None or name == "whole" or (text == "auto" and _relative(loss)):
        return Schedule(0, 0.0)
    steps = int(found[2]) if found[2] else SHALLOW_STEPS
    if name == "shallow-first" or (name == "auto" and not _usual(loss)):
        return Schedule(steps, 0.0)
    return Schedule(steps, float(found[3]) if found[3] else DEEP_SHARE)


def _relative(loss: LossSettings) -> bool:
    """Tell whether terms are relative to their targets."""
    return loss.convention == "relative" or loss.strength is not None


def _usual(loss: LossSettings) -> bool:
    """Tell whether the style term is the notebook's."""
    usual = LossSettings(convention="gatys-notebook")
    return all(getattr(loss, name) == getattr(usual, name) for name in _STYLE)


def name_schedule(shallow_steps: int | None, middle_share: float | None) -> str:
    """Return the schedule that the two settings of version 0.1 stood for.

    Args:
        shallow_steps: None for 30.
        middle_share: None where the loss decided.
    """
    steps = SHALLOW_STEPS if shallow_steps is None else shallow_steps
    if middle_share is None:
        return "auto" if steps == SHALLOW_STEPS else f"auto={steps}"
    if not 0 <= middle_share < 1:
        raise InputError(
            f"middle_share must be in 0..1, 1 left out; got {middle_share:g}"
        )
    if middle_share:
        return f"deep-last={steps},{middle_share:g}"
    return f"shallow-first={steps}" if steps else "whole"
