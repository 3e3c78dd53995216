"""The passes of a run, from coarse to fine: data."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from nst_tf.imaging.resize import fit, fit_within
from nst_tf.loss.conventions import layer_weights
from nst_tf.settings.checks import MIN_SIDE, InputError
from nst_tf.settings.loss import LossSettings
from nst_tf.settings.optimize import Depth, OptimizeSettings

_MIDDLE = 0.8
"""Part of the steps that leave out the deepest style layer, where it makes 1 % of the
loss: with the style term's own settings, as here."""
_STYLE = (
    "convention",
    "style_layers",
    "style_layer_weights",
    "style_layer_ratio",
    "style_loss",
    "strength",
)
_COARSEST = 64
"""Short side in pixels below which no coarser scale is worth a pass."""


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int


class Stage(NamedTuple):
    """One pass over the picture.

    Attributes:
        picture: Size of the picture.
        styles: Size of every style image.
        steps: Evaluations.
        depth: What counts of the loss: the shallower half of the style layers alone,
            all but the deepest style layer, or the whole.
    """

    picture: Size
    styles: tuple[Size, ...]
    steps: int
    depth: Depth = "whole"


def plan_stages(
    content: tuple[int, int],
    styles: Sequence[tuple[int, int]],
    settings: OptimizeSettings,
) -> list[Stage]:
    """Return the passes from the coarsest to the final size.

    At each size the shallow layers come first: they are cheap, and enlarging a picture
    has spoilt the fine detail that they see, and the deeper ones through them. On the
    reference pair 30 shallow evaluations (the price of 7) saved 25 of 140.

    At the final size the deepest style layer comes last, if it makes little of the
    loss: an evaluation costs a fifth less without it, and L-BFGS keeps its pairs. The
    reference pair comes to the published loss in 246 instead of 294 s; a picture of 512
    pixels takes 98 instead of 110 s by default and ends with 0.4 % more loss.

    Args:
        content: Width and height of the photograph.
        styles: Width and height of every style image.
        settings: Size, scales and steps.

    Raises:
        InputError: A picture is too narrow for the chosen size.
    """
    stages: list[Stage] = []
    loss = settings.loss
    several = loss.term_weights[1] and len(loss.style_layers) > 1
    shallow = settings.shallow_steps if several else 0
    middle = _middle_steps(settings) if several else 0
    # A position cannot be mirrored about itself.
    least = MIN_SIDE * (2 if settings.extractor.padding == "reflect" else 1)
    for index in range(settings.scales):
        ratio = settings.scale_factor**-index
        picture = Size(
            *fit(*content, max(1, round(settings.size * ratio)), settings.side)
        )
        if index and min(picture) < _COARSEST:
            break
        wanted = (settings.style_size or settings.size) * settings.style_scale * ratio
        most = max(1, round(wanted))
        paintings = tuple(
            Size(*fit_within(*style, most, settings.side)) for style in styles
        )
        named = [("content", picture), *(("style", size) for size in paintings)]
        for name, size in named:
            if min(size) < least:
                raise InputError(
                    f"the {name} image would be {size.width}x{size.height} pixels; each"
                    f" side needs {least}: choose a larger size or crop the image"
                )
        counts: dict[Depth, int] = {
            "shallow": shallow,
            "middle": 0 if index else middle,
            "whole": settings.coarse_steps if index else settings.steps - middle,
        }
        stages[:0] = [
            Stage(picture, paintings, count, depth)
            for depth, count in counts.items()
            if count
        ]
    return stages


def _middle_steps(settings: OptimizeSettings) -> int:
    """Return how many of the steps leave out the deepest style layer."""
    loss, share = settings.loss, settings.middle_share
    if part_of(loss, "middle") == loss:
        return 0
    if share is None:
        usual = LossSettings()
        same = all(getattr(loss, name) == getattr(usual, name) for name in _STYLE)
        share = _MIDDLE if same else 0.0
    return int(share * settings.steps)


def part_of(loss: LossSettings, depth: Depth) -> LossSettings:
    """Return what counts of a loss at a depth: itself where nothing is saved."""
    lambdas = layer_weights(loss)
    pairs = sorted(zip(loss.style_layers, lambdas, strict=True))  # Names sort by depth.
    content: tuple[str, ...] = ()
    if depth == "middle":
        content = loss.content_layers
        if len(pairs) < 2 or pairs[-1][0] <= max((*content, pairs[-2][0])):
            return loss
        pairs = pairs[:-1]
    elif depth == "shallow":
        pairs = pairs[: max(1, len(pairs) // 2)]
    if not pairs or depth == "whole":
        return loss
    names, lambdas = zip(*pairs, strict=True)
    return dataclasses.replace(
        loss,
        content_layers=content,
        style_layers=names,
        style_layer_weights=lambdas,
        style_layer_ratio=1.0,
    )
