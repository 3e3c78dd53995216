"""How far a compressed network is from VGG, in what an optimiser sees of it.

Not the features alone: the Gram matrices, and above all the gradient of the loss with
respect to the picture, whose direction is what an optimiser follows.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from keras import ops

from nst_tf.backend.compile import gradient_and_rest
from nst_tf.settings.loss import LossSettings
from nst_training.compress.forward import features

Tensor = Any
STYLE = LossSettings().style_layers
"""The layers whose Gram matrices the gradient is taken of."""
CONTENT = LossSettings().content_layers[0]
_THIN = 3
"""In the first two blocks every third row and column is compared."""
_TINY = 1e-30


class Shares(NamedTuple):
    """Weights of the parts of the mismatch.

    Attributes:
        direction: 1 less the cosine of the gradients.
        gradient: Their squared distance over VGG's square.
        features: Squared errors of every layer over the squares, added up.
        grams: Those of the Gram matrices.
        gaps: Those of the distances between the picture's and the style's.
    """

    direction: float = 1.0
    gradient: float = 0.1
    features: float = 0.5
    grams: float = 0.5
    gaps: float = 0.1


class Goal(NamedTuple):
    """What pictures are drawn to, for one of both networks.

    Attributes:
        grams: Of the style, layer -> float32 `[1, C, C]`.
        content: Of the photographs, float32 `[B, h, w, C]`.
    """

    grams: dict[str, Tensor]
    content: Tensor


def gram(maps: Tensor) -> Tensor:
    """Return the Gram matrices of `[B, h, w, C]`, float32 `[B, C, C]`.

    Unlike that of the loss it can be differentiated twice.
    """
    _, height, width, channels = maps.shape
    flat = ops.reshape(maps, (-1, height * width, channels))
    product = ops.matmul(ops.transpose(flat, (0, 2, 1)), flat)
    return ops.cast(product, "float32") / float(height * width)


def squares(x: Tensor) -> Tensor:
    """Return the sum of squares of each of `[B, ...]`, float32 `[B]`."""
    wide = ops.square(ops.cast(x, "float32"))
    return ops.sum(wide, axis=tuple(range(1, len(wide.shape))))


def term_weights(goal: Goal, batch: Mapping[str, Tensor]) -> list[Tensor]:
    """Return the weight of every style layer, then that of the content, `[B]` each.

    Args:
        goal: Of VGG.
        batch: `absolute`, `content`, `weight` as in `Runs`.
    """
    absolute = batch["absolute"]
    weights = []
    for name in STYLE:
        channels = float(goal.grams[name].shape[-1])
        relative = 1.0 / (len(STYLE) * squares(goal.grams[name]) + _TINY)
        share = absolute / channels**4 + (1.0 - absolute) * relative
        weights.append(batch["weight"] * share)
    size = float(goal.content.shape[1] * goal.content.shape[2] * goal.content.shape[3])
    relative = 1.0 / (squares(goal.content) + _TINY)
    share = absolute / size + (1.0 - absolute) * relative
    return [*weights, batch["content"] * share]


def style_transfer_loss(
    maps: Mapping[str, Tensor], goal: Goal, weights: list[Tensor]
) -> Tensor:
    """Return the loss of pictures, added up."""
    total = weights[-1] * squares(ops.cast(maps[CONTENT], "float32") - goal.content)
    for name, weight in zip(STYLE, weights, strict=False):
        total = total + weight * squares(gram(maps[name]) - goal.grams[name])
    return ops.sum(total)


def goal_of(
    numbers: Mapping[str, Any], photos: Tensor, style: Tensor, *, dtype: str
) -> Goal:
    """Return what a network makes of the photographs and the style."""
    maps = features(style, numbers, dtype=dtype)
    content = features(photos, numbers, dtype=dtype, last=CONTENT)[CONTENT]
    return Goal({k: gram(maps[k]) for k in STYLE}, ops.cast(content, "float32"))


def slope(
    numbers: Mapping[str, Any],
    pictures: Tensor,
    goal: Goal,
    weights: list[Tensor],
    *,
    dtype: str,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the gradient of the loss at pictures, and their feature maps."""

    def loss(x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        maps = features(x, numbers, dtype=dtype)
        return style_transfer_loss(maps, goal, weights), maps

    found: tuple[Tensor, dict[str, Tensor]] = gradient_and_rest(loss, pictures)
    return found


class Match(NamedTuple):
    """What one batch says.

    Attributes:
        cosines: Of both gradients, `[B]`.
        features: Layer -> relative squared error.
        grams: Style layer -> relative squared error.
        slope: The compressed network's gradient.
        exact: VGG's.
    """

    cosines: Tensor
    features: dict[str, Tensor]
    grams: dict[str, Tensor]
    slope: Tensor
    exact: Tensor


def mismatch(
    numbers: Mapping[str, Any],
    exact: Mapping[str, Any],
    batch: Mapping[str, Tensor],
    *,
    dtype: str = "float32",
    shares: Shares | None = None,
) -> tuple[Tensor, Match]:
    """Return how far the compressed network is from VGG on a batch.

    Args:
        numbers: Of the compressed network.
        exact: Of VGG.
        batch: `pictures`, `photos` `[B, H, W, 3]` and `style`, `others` `[*, H, W, 3]`
            with `absolute`, `content`, `weight` `[B]`.
        dtype: Compute dtype of both.
        shares: Weights of the parts.
    """
    shares = shares or Shares()
    pictures, photos, style = batch["pictures"], batch["photos"], batch["style"]
    true_goal = goal_of(exact, photos, style, dtype=dtype)
    weights = term_weights(true_goal, batch)
    true, true_maps = slope(exact, pictures, true_goal, weights, dtype=dtype)
    goal = goal_of(numbers, photos, style, dtype=dtype)
    mine, maps = slope(numbers, pictures, goal, weights, dtype=dtype)
    product = ops.sum(true * mine, axis=(1, 2, 3))
    cosines = product / ops.sqrt(squares(true) * squares(mine) + _TINY)
    distance = squares(mine - true) / (squares(true) + _TINY)
    others = features(batch["others"], numbers, dtype=dtype)
    true_others = features(batch["others"], exact, dtype=dtype)
    errors = {
        name: 0.5 * _error(maps[name], true_maps[name], name)
        + 0.5 * _error(others[name], true_others[name], name)
        for name in maps
    }
    grams, gaps = {}, []
    for name in STYLE:
        ours, wanted = gram(maps[name]), gram(true_maps[name])
        grams[name] = ops.mean(squares(ours - wanted) / (squares(wanted) + _TINY))
        gap, true_gap = ours - goal.grams[name], wanted - true_goal.grams[name]
        least = 0.003 * squares(true_goal.grams[name])
        gaps.append(ops.mean(squares(gap - true_gap) / (squares(true_gap) + least)))
    total = (
        shares.direction * ops.mean(1.0 - cosines)
        + shares.gradient * ops.mean(ops.minimum(distance, 2.0))
        + shares.features * sum(errors.values())
        + shares.grams * sum(grams.values())
        + shares.gaps * sum(gaps)
    )
    return total, Match(cosines, errors, grams, mine, true)


def _error(mine: Tensor, true: Tensor, name: str) -> Tensor:
    """Return the relative squared error of feature maps, averaged over B."""
    if name.startswith(("block1", "block2")):
        mine, true = mine[:, ::_THIN, ::_THIN], true[:, ::_THIN, ::_THIN]
    return ops.mean(squares(mine - true) / (squares(true) + 1e-6))
