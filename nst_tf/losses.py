"""The three terms of the style-transfer loss, as pure functions.

The functions take caffe-unit features (0..255 minus the mean) and return one
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

from keras import ops

from nst_tf import sums
from nst_tf.roots import FLOOR, square_root, trace_of_root
from nst_tf.settings import Convention, LossSettings
from nst_tf.windows import window

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


def layer_weights(settings: LossSettings) -> tuple[float, ...]:
    """Return the lambda of each style layer of `settings`."""
    layers = len(settings.style_layers)
    given = settings.style_layer_weights
    lambdas = given or default_layer_weights(settings.convention, layers)
    bent = [x * settings.style_layer_ratio**k for k, x in enumerate(lambdas)]
    total = 1.0 if settings.strength is not None else sum(lambdas)
    return tuple(x * total / max(sum(bent), _LEAST) for x in bent)


_LEAST = 1e-20
"""Energy below which a target counts as nothing to compare with."""


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
    gram = gram_of(
        sums.product_sum(features), sums.weight_sum(features), convention=convention
    )
    return gram[:, 0]


def gram_of(products: Tensor, weight: Tensor, *, convention: Convention) -> Tensor:
    """Return the Gram matrices of what `product_sum` and `weight_sum` summed.

    Args:
        products: float32 `[B, R, C, C]`, R regions.
        weight: float32 `[B, R]`.
        convention: See the table of this module.
    """
    if _RULES[convention].gram_by_channels:
        weight = weight * float(products.shape[-1])
    return products / ops.maximum(weight, _LEAST)[..., None, None]


def mean_of(total: Tensor, weight: Tensor) -> Tensor:
    """Return a sum over positions `[B, R, C]` divided by their weight `[B, R]`."""
    return total / ops.maximum(weight, _LEAST)[..., None]


def content_loss(
    features: Tensor, target: Tensor, *, convention: Convention = "gatys-notebook"
) -> Tensor:
    """Return the squared distance of features to the photograph's, `[B]` float32.

    Args:
        features: `[B, h, w, C]` of the picture.
        target: `[B, h, w, C]` of the photograph.
        convention: See the table of this module.
    """
    energy = sums.energy_sum(target) if needs_energy(convention) else None
    return content_of(
        sums.gap_sum(features, target),
        sums.value_count(features),
        energy,
        convention=convention,
    )


def needs_energy(convention: Convention) -> bool:
    """Tell whether the content term is relative to the photograph's features."""
    return _RULES[convention].relative


def content_of(
    gap: Tensor, count: Tensor, energy: Tensor | None, *, convention: Convention
) -> Tensor:
    """Return the content term of sums over positions, `[B]` float32.

    Args:
        gap: `[B]`, sum of squared differences to the photograph.
        count: `[B]`, number of values that were compared.
        energy: `[B]`, sum of the photograph's squares, if `needs_energy`.
        convention: See the table of this module.
    """
    rule = _RULES[convention]
    if rule.content_mean:
        gap = gap / count
    if rule.relative:
        gap = gap / ops.maximum(energy, _LEAST)
    return rule.content_factor * gap


def style_loss(
    gram: Tensor, target: Tensor, *, convention: Convention = "gatys-notebook"
) -> Tensor:
    """Return the squared distance of one layer's Gram matrices, `[...]` float32.

    Args:
        gram: float32 `[..., C, C]` from `gram_matrix` under the same convention.
        target: float32 `[..., C, C]` of the style.
        convention: See the table of this module.
    """
    rule = _RULES[convention]
    reduce = ops.mean if rule.style_mean else ops.sum
    loss = rule.style_factor * reduce(ops.square(gram - target), axis=(-2, -1))
    if rule.relative:
        energy = ops.sum(ops.square(target), axis=(-2, -1))
        loss = loss / ops.maximum(energy, _LEAST)
    channels = gram.shape[-1]
    return loss / float(channels * channels) if rule.style_by_channels else loss


def energy_of(target: Tensor, convention: Convention) -> Tensor:
    """Return what a style loss of moments is divided by, `[...]` float32.

    Args:
        target: float32 `[..., C]`, mean squares of the style's features.
        convention: The relative one divides by their mean, the others by nothing.
    """
    energy = ops.maximum(ops.mean(target, axis=-1), _LEAST)
    return energy if _RULES[convention].relative else ops.ones_like(energy)


def mean_variance_loss(
    mean: Tensor, square: Tensor, target_mean: Tensor, target_square: Tensor
) -> Tensor:
    """Return the squared distance of means and deviations, a mean over channels.

    Args:
        mean: float32 `[..., C]`, mean of the picture's features over positions.
        square: float32 `[..., C]`, mean of their squares.
        target_mean: The same of the style.
        target_square: The same of the style.

    References:
        Li et al. 2017, https://arxiv.org/abs/1701.01036
        Huang, Belongie 2017, https://arxiv.org/abs/1703.06868
    """
    # A fraction of the style's energy bounds the gradient where a channel is flat.
    floor = 1e-5 * target_square + 1e-6
    deviation = ops.sqrt(ops.maximum(square - ops.square(mean), 0.0) + floor)
    variance = ops.maximum(target_square - ops.square(target_mean), 0.0)
    gap = ops.square(mean - target_mean)
    gap = gap + ops.square(deviation - ops.sqrt(variance + floor))
    return ops.mean(gap, axis=-1)


def wasserstein_loss(
    mean: Tensor,
    second: Tensor,
    target_mean: Tensor,
    target_second: Tensor,
    target_root: Tensor,
    target_floor: Tensor,
) -> Tensor:
    """Return the squared Wasserstein-2 distance of Gaussians, a mean over channels.

    `|m - n|^2 + tr(A + B - 2 (B^(1/2) A B^(1/2))^(1/2))` over C, with means m, n and
    covariances A, B: how far features must be moved for both to agree.

    Args:
        mean: float32 `[..., C]`, mean of the picture's features over positions.
        second: float32 `[..., C, C]`, mean of their products, not centred.
        target_mean: The same of the style.
        target_second: The same of the style.
        target_root: `[..., C, C]`, from `wasserstein_root` of the style.
        target_floor: `[...]`, from `wasserstein_root` of the style.

    Reference:
        https://github.com/crowsonkb/style-transfer-pytorch, which regularises the
        covariance; here the root itself is, so that the loss of equals is 0 but for
        what lies below the floor.
    """
    gap = ops.sum(ops.square(mean - target_mean), axis=-1)
    covariance = _covariance(mean, second)
    product = ops.matmul(ops.matmul(target_root, covariance), target_root)
    total = _trace(covariance) + _trace(_covariance(target_mean, target_second))
    gap = gap + total - 2.0 * trace_of_root(product, target_floor)
    return gap / float(mean.shape[-1])


def wasserstein_root(mean: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return the covariance's root `[..., C, C]` and the least root told from 0."""
    root, largest = square_root(_covariance(mean, second))
    return root, FLOOR * largest + _LEAST


def _covariance(mean: Tensor, second: Tensor) -> Tensor:
    return second - mean[..., :, None] * mean[..., None, :]


def _trace(matrix: Tensor) -> Tensor:
    return ops.sum(ops.diagonal(matrix, axis1=-2, axis2=-1), axis=-1)


def total_variation(image: Tensor) -> Tensor:
    """Return the mean squared difference of neighbouring pixels, `[B]` float32.

    In units of the 0..255 range, so that its weight compares with those of the other
    terms; a mean, so that it does not grow with the picture.

    Args:
        image: float32 `[B, H, W, 3]`, RGB 0..1.
    """
    image = 255.0 * ops.cast(image, "float32")
    after, before = slice(1, None), slice(None, -1)
    down = window(image, rows=after) - window(image, rows=before)
    right = window(image, columns=after) - window(image, columns=before)
    return ops.mean(ops.square(down), axis=(1, 2, 3)) + ops.mean(
        ops.square(right), axis=(1, 2, 3)
    )
