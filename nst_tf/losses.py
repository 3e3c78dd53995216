"""The three terms of the style-transfer loss, as pure functions.

Every function takes caffe-unit features (0..255 minus the mean) and returns one
float32 value a picture, `[B]`. Four published conventions differ only in their
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

from typing import Any, NamedTuple

import keras
from keras import ops

from nst_tf.settings import Convention

Tensor = Any


class _Rule(NamedTuple):
    """Constants of a convention; `"sum"` terms are not divided by their count."""

    content_mean: bool
    content_factor: float
    gram_by_channels: bool
    style_mean: bool
    style_factor: float
    style_by_channels: bool
    lambda_total: bool
    relative: bool = False


_RULES: dict[Convention, _Rule] = {
    "gatys-notebook": _Rule(True, 1.0, False, True, 1.0, True, False),
    "gatys-2015": _Rule(False, 0.5, False, False, 0.25, True, True),
    "ng-course": _Rule(True, 0.25, False, False, 0.25, True, True),
    "johnson": _Rule(True, 1.0, True, False, 1.0, False, False),
    "relative": _Rule(False, 1.0, False, False, 1.0, False, True, relative=True),
}


def default_layer_weights(convention: Convention, layers: int) -> tuple[float, ...]:
    """Return the lambda of each of `layers` style layers when the user gives none.

    1 for the notebook and Johnson, equal parts of 1 for the others.
    """
    part = 1.0 / layers if _RULES[convention].lambda_total and layers else 1.0
    return (part,) * layers


_LEAST = 1e-20
"""Energy below which a target counts as nothing to compare with."""
_BLOCK = 1024
"""Least positions whose half-precision product is rounded before it is summed."""


def _square(flat: Tensor) -> Tensor:
    """Return `F'F` of `[B, P, C]` in float32.

    Half-precision products accumulate in float32 but round their result. In blocks,
    summed in float32, that costs an error of 1e-4 to 8e-4 of the norm, a fifth or less
    of what half-precision features have, and half the time of a float32 product.
    """
    batch, positions, channels = flat.shape
    half = keras.backend.standardize_dtype(flat.dtype) != "float32"
    count = _blocks(positions) if half and positions else 0
    if count:
        blocks = ops.reshape(flat, (-1, positions // count, channels))  # [B*n, P/n, C]
        parts = ops.matmul(ops.transpose(blocks, (0, 2, 1)), blocks)
        parts = ops.reshape(parts, (-1, count, channels, channels))  # [B, n, C, C]
        return ops.sum(ops.cast(parts, "float32"), axis=1)
    wide = ops.cast(flat, "float32")
    if batch == 1:  # 3 to 13 % faster than a batch of one.
        return ops.matmul(ops.transpose(wide[0]), wide[0])[None]
    return ops.matmul(ops.transpose(wide, (0, 2, 1)), wide)


def _blocks(positions: int) -> int:
    """Return how many equal blocks to cut into, 0 if it can't be done well."""
    most, least = positions // _BLOCK, max(4, positions // (4 * _BLOCK))
    fitting = (n for n in range(most, least - 1, -1) if positions % n == 0)
    return next(fitting, 0)


@ops.custom_gradient
def _gram(flat: Tensor) -> Any:
    """Return `F'F` of `[B, P, C]` in float32, with one product in its gradient.

    Automatic differentiation multiplies by F twice; the product is symmetric, so
    `F (U + U')` gives the same with half the arithmetic. It runs in the dtype of the
    features, to which the result is rounded anyway.
    """
    gram = _square(flat)

    def grad(*args: Tensor, upstream: Tensor = None) -> Tensor:
        if upstream is None:
            (upstream,) = args
        both = upstream + ops.transpose(upstream, (0, 2, 1))
        return ops.matmul(flat, ops.cast(both, flat.dtype))

    return gram, grad


def gram_matrix(
    features: Tensor, *, convention: Convention = "gatys-notebook"
) -> Tensor:
    """Return the correlations between channels, averaged over positions.

    Args:
        features: Any float dtype `[B, h, w, C]`.
        convention: See the table of this module.

    Returns:
        float32 `[B, C, C]`, symmetric.
    """
    batch, height, width, channels = ops.shape(features)
    flat = ops.reshape(features, (batch, height * width, channels))  # [B, h*w, C]
    # The divisor goes onto the gradient's small matrix, not onto the features.
    divisor = ops.cast(height * width, "float32")
    if _RULES[convention].gram_by_channels:
        divisor = divisor * ops.cast(channels, "float32")
    return _gram(flat) / divisor


def content_loss(
    features: Tensor, target: Tensor, *, convention: Convention = "gatys-notebook"
) -> Tensor:
    """Return the squared distance of features to the photograph's, `[B]` float32.

    Args:
        features: `[B, h, w, C]` of the picture.
        target: `[B, h, w, C]` of the photograph.
        convention: See the table of this module.
    """
    rule = _RULES[convention]
    gap = ops.cast(features, "float32") - ops.cast(target, "float32")
    total = ops.sum(ops.square(gap), axis=(1, 2, 3))
    if rule.content_mean:
        _, height, width, channels = ops.shape(features)
        total = total / ops.cast(height * width * channels, "float32")
    if rule.relative:
        energy = ops.sum(ops.square(ops.cast(target, "float32")), axis=(1, 2, 3))
        total = total / ops.maximum(energy, _LEAST)
    return rule.content_factor * total


def style_loss(
    gram: Tensor, target: Tensor, *, convention: Convention = "gatys-notebook"
) -> Tensor:
    """Return the squared distance of one layer's Gram matrices, `[B]` float32.

    Args:
        gram: float32 `[B, C, C]` from `gram_matrix` under the same convention.
        target: float32 `[B, C, C]` of the style.
        convention: See the table of this module.
    """
    rule = _RULES[convention]
    reduce = ops.mean if rule.style_mean else ops.sum
    loss = rule.style_factor * reduce(ops.square(gram - target), axis=(1, 2))
    if rule.relative:
        loss = loss / ops.maximum(ops.sum(ops.square(target), axis=(1, 2)), _LEAST)
    channels = gram.shape[-1]
    return loss / float(channels * channels) if rule.style_by_channels else loss


def total_variation(image: Tensor) -> Tensor:
    """Return the mean squared difference of neighbouring pixels, `[B]` float32.

    In units of the 0..255 range, so that its weight compares with those of the other
    terms; a mean, so that it does not grow with the picture.

    Args:
        image: float32 `[B, H, W, 3]`, RGB 0..1.
    """
    image = 255.0 * ops.cast(image, "float32")
    down = image[:, 1:] - image[:, :-1]
    right = image[:, :, 1:] - image[:, :, :-1]
    return ops.mean(ops.square(down), axis=(1, 2, 3)) + ops.mean(
        ops.square(right), axis=(1, 2, 3)
    )
