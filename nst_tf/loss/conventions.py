"""The conventions of the content and the style term: their constants.

The terms' functions take caffe-unit features (0..255 minus the mean) and return
one float32 value a picture, `[B]`. Four published conventions differ only in their
constants, a fifth makes every term relative to its target (B batch, h w feature-map
size, C channels, F features, G Gram matrix):

| convention     | content term             | Gram G       | style term of a layer     |
|----------------|--------------------------|--------------|---------------------------|
| gatys-notebook | mean (F - P)^2           | F'F / (hw)   | mean (G - A)^2 / C^2      |
| gatys-2015     | sum (F - P)^2 / 2        | F'F / (hw)   | sum (G - A)^2 / (4 C^2)   |
| ng-course      | sum (F - P)^2 / (4hwC)   | F'F / (hw)   | sum (G - A)^2 / (4 C^2)   |
| johnson        | mean (F - P)^2           | F'F / (hwC)  | sum (G - A)^2             |
| relative       | sum (F - P)^2 / sum P^2  | F'F / (hw)   | sum (G - A)^2 / sum A^2   |

In the published forms one layer outweighs the others: of the notebook's style term of
eight photographs against six paintings, block4_conv1 makes 92 to 98 %, and one painting
weighs six times another. The relative form gives layers and paintings equal parts, so
that weights mean the same for every painting and size; a network, which has to please
all at once, learns colour and fine texture from the start.

The papers of 2015 and the course notes write the style term with an undivided Gram
matrix and 1 / (4 C^2 (hw)^2). That is defined only when both pictures have the same
size; dividing each Gram matrix by its own hw gives the same number there and a
meaningful one elsewhere.

References:
    Gatys et al. 2015, https://arxiv.org/abs/1508.06576
    Johnson et al. 2016, https://arxiv.org/abs/1603.08155
    Gatys' notebook, https://github.com/leongatys/PytorchNeuralStyleTransfer
"""

import dataclasses
from typing import Any, NamedTuple

from nst_tf.settings.loss import PALETTE, Convention, LossSettings


class Rule(NamedTuple):
    """Constants of a convention; `"sum"` terms are not divided by their count."""

    content_mean: bool
    content_factor: float
    gram_by_channels: bool
    style_mean: bool
    style_factor: float
    style_by_channels: bool
    lambda_total: bool
    relative: bool = False


RULES: dict[Convention, Rule] = {
    "gatys-notebook": Rule(True, 1.0, False, True, 1.0, True, False),
    "gatys-2015": Rule(False, 0.5, False, False, 0.25, True, True),
    "ng-course": Rule(True, 0.25, False, False, 0.25, True, True),
    "johnson": Rule(True, 1.0, True, False, 1.0, False, False),
    "relative": Rule(False, 1.0, False, False, 1.0, False, True, relative=True),
}


def convention_of(settings: LossSettings) -> Convention:
    """Return the convention of `settings`, whose place `strength` takes."""
    return settings.convention if settings.strength is None else "relative"


def default_layer_weights(convention: Convention, layers: int) -> tuple[float, ...]:
    """Return the lambda of each of `layers` style layers when the user gives none.

    1 for the notebook and Johnson, equal parts of 1 for the others.
    """
    part = 1.0 / layers if RULES[convention].lambda_total and layers else 1.0
    return (part,) * layers


def layer_weights(settings: LossSettings) -> tuple[float, ...]:
    """Return the lambda of each style layer of `settings`."""
    layers = len(settings.style_layers)
    given = settings.style_layer_weights
    lambdas = given or default_layer_weights(convention_of(settings), layers)
    bent = [x * settings.style_layer_ratio**k for k, x in enumerate(lambdas)]
    total = 1.0 if settings.strength is not None else sum(lambdas)
    return tuple(x * total / max(sum(bent), LEAST) for x in bent)


def spelled_out(settings: LossSettings) -> LossSettings:
    """Return the same loss without `strength`: all that it implies is said."""
    if settings.strength is None:
        return settings
    weights: dict[str, Any] = {
        f"{name}_weight": weight for name, weight in settings.term_weights.items()
    }
    return dataclasses.replace(
        settings,
        strength=None,
        convention=convention_of(settings),
        style_layer_weights=layer_weights(settings),
        style_layer_ratio=1.0,
        **weights,
    )


def with_palette(settings: LossSettings) -> LossSettings:
    """Return a loss for the optimisation of a picture, with what counts by default."""
    if settings.palette is not None or not settings.style_layers:
        return settings
    relative = RULES[convention_of(settings)].relative
    return dataclasses.replace(settings, palette=PALETTE if relative else 0.0)


HARMONICS = 8
"""Cosines that a palette is told by: values 1/16 of the range apart are told apart."""
LEAST = 1e-20
"""Energy below which a target counts as nothing to compare with."""
