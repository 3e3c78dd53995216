"""The objective: targets and weights in, one scalar and its parts out."""

from typing import Any, NamedTuple

import keras
from keras import ops

from nst_tf import losses, sums
from nst_tf.settings import LossSettings

Tensor = Any


class Targets(NamedTuple):
    """What a picture is compared with.

    `content` and `masks` belong to positions: a tile of a picture is compared with the
    same tile of them. The rest is the same for every tile.

    Attributes:
        content: `dict[layer, [B, h, w, C]]`, features of the photograph.
        style: float32 `dict[layer/gram, [B, R, C, C]]`, Gram matrices of the style of
            each of R regions; one without masks.
        strength: Factor of the style term of every picture, `[B]` or `[B, R]`, or None
            for 1.
        masks: float32 `dict[layer, [B, h, w, R]]`, 0..1, how much each position of the
            style layers belongs to each region, or None for one region.
    """

    content: dict[str, Tensor]
    style: dict[str, Tensor]
    strength: Tensor | None = None
    masks: dict[str, Tensor] | None = None


class LossParts(NamedTuple):
    """The weighted terms of the loss, float32 scalars; `total` is their sum."""

    total: Tensor
    content: Tensor
    style: Tensor
    tv: Tensor


class Objective(keras.layers.Layer):
    """The Gatys loss on the features of a frozen extractor.

    Args:
        extractor: A model from `build_extractor` that has the layers of `settings`.
        settings: Convention, layers and weights.

    Reference:
        Gatys et al. 2016, https://doi.org/10.1109/CVPR.2016.265
    """

    def __init__(
        self, extractor: keras.Model, settings: LossSettings | None = None
    ) -> None:
        super().__init__(dtype="float32", trainable=False)
        self.extractor = extractor
        self.settings = settings or LossSettings()
        chosen = self.settings
        self.lambdas = chosen.style_layer_weights or losses.default_layer_weights(
            chosen.convention, len(chosen.style_layers)
        )
        self.rings = _rings(extractor) if chosen.border == "inner" else {}
        self.built = True

    def features(self, image: Tensor) -> dict[str, Tensor]:
        """Return what is compared of `image`, float32 `[B, H, W, 3]`, RGB 0..1."""
        return self.inner(self.extractor(image))

    def inner(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """Cut the border off feature maps, if the settings say so."""
        if not self.rings:
            return features
        return {k: _cut(value, self.rings[k]) for k, value in features.items()}

    def targets(self, photo: Tensor, style: Tensor) -> Targets:
        """Extract what a picture of `photo` in the manner of `style` must match.

        Args:
            photo: float32 `[B, H, W, 3]`, RGB 0..1.
            style: float32 `[B, H', W', 3]`, RGB 0..1, of any size.
        """
        content = self.features(photo)
        return Targets(
            {name: content[name] for name in self.settings.content_layers},
            self.grams(style),
        )

    def grams(self, style: Tensor) -> dict[str, Tensor]:
        """Return the style targets of `style`, float32 `[B, H, W, 3]`, RGB 0..1."""
        return self.moments(self.style_statistics(self.features(style)))

    def statistics(
        self, features: dict[str, Tensor], targets: Targets
    ) -> dict[str, Tensor]:
        """Return the sums over positions that the loss is a function of.

        Added up over disjoint tiles of the feature maps, with `targets.content` and
        `targets.masks` cut to the tile, they are those of the whole.

        Args:
            features: From `features`, whole maps or a tile of each.
            targets: What the maps are compared with.

        Returns:
            float32: for style layers `layer/gram` `[B, R, C, C]` and `layer/weight`
            `[B, R]`; for content layers `layer/content` (squared differences),
            `layer/count` (values compared) and, in the relative convention,
            `layer/energy` (squares of the target), all `[B]`.
        """
        statistics = self.style_statistics(features, targets.masks)
        for name in self.settings.content_layers:
            target = targets.content[name]
            statistics[f"{name}/content"] = sums.gap_sum(features[name], target)
            statistics[f"{name}/count"] = sums.value_count(target)
            if losses.needs_energy(self.settings.convention):
                statistics[f"{name}/energy"] = sums.energy_sum(target)
        return statistics

    def style_statistics(
        self, features: dict[str, Tensor], masks: dict[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Return the part of `statistics` that the style term needs."""
        statistics = {}
        for name in self.settings.style_layers:
            mask = masks[name] if masks is not None else None
            statistics[f"{name}/gram"] = sums.product_sum(features[name], mask)
            statistics[f"{name}/weight"] = sums.weight_sum(features[name], mask)
        return statistics

    def moments(self, statistics: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return means over positions, of a style what pictures must match."""
        return {
            f"{name}/gram": losses.gram_of(
                statistics[f"{name}/gram"],
                statistics[f"{name}/weight"],
                convention=self.settings.convention,
            )
            for name in self.settings.style_layers
        }

    def loss(
        self, statistics: dict[str, Tensor], targets: Targets, tv: Tensor = 0.0
    ) -> LossParts:
        """Return the loss of what `statistics` summed over a whole picture.

        Args:
            statistics: From `statistics`, or the sum of those of all tiles.
            targets: The content targets and the masks are not looked at.
            tv: The picture's total variation, averaged over B, as `variation` gives it.
        """
        settings = self.settings
        convention = settings.convention
        content = style = ops.zeros((), "float32")
        for name in settings.content_layers:
            gap = losses.content_of(
                statistics[f"{name}/content"],
                statistics[f"{name}/count"],
                statistics.get(f"{name}/energy"),
                convention=convention,
            )
            content = content + ops.mean(gap)
        moments = self.moments(statistics)
        for name, weight in zip(settings.style_layers, self.lambdas, strict=True):
            key = f"{name}/gram"
            gap = losses.style_loss(
                moments[key], targets.style[key], convention=convention
            )  # [B, R]
            if targets.strength is not None:
                gap = ops.reshape(targets.strength, (-1, gap.shape[1])) * gap
            style = style + weight * ops.mean(ops.sum(gap, axis=1))
        content = settings.content_weight * content
        style = settings.style_weight * style
        tv = settings.tv_weight * ops.convert_to_tensor(tv, "float32")
        return LossParts(content + style + tv, content, style, tv)

    def variation(self, image: Tensor) -> Tensor:
        """Return the total variation of `image` averaged over B, 0 if unweighted."""
        if not self.settings.tv_weight:
            return ops.zeros((), "float32")
        return ops.mean(losses.total_variation(image))

    def call(self, image: Tensor, targets: Targets) -> LossParts:
        """Return the loss of `image`, float32 `[B, H, W, 3]`, averaged over B."""
        statistics = self.statistics(self.features(image), targets)
        return self.loss(statistics, targets, self.variation(image))


def _rings(extractor: keras.Model) -> dict[str, int]:
    """Return how far zero padding reaches into every layer's output, in positions."""
    ring, block, rings = 0, 1, {}
    convolutions = (x for x in extractor.layers if isinstance(x, keras.layers.Conv2D))
    for layer in convolutions:  # In order, named block1_conv1 and on.
        if int(layer.name[5]) > block:
            ring, block = -(-ring // 2), block + 1
        ring += 1
        rings[layer.name] = ring
    return rings


def _cut(features: Tensor, ring: int) -> Tensor:
    """Cut `ring` positions off each side of `[B, h, w, C]`, but leave a half of it."""
    _, height, width, _ = features.shape
    if height is None or width is None:
        _, height, width, _ = ops.shape(features)
        y, x = ops.minimum(ring, height // 4), ops.minimum(ring, width // 4)
    else:
        y, x = min(ring, height // 4), min(ring, width // 4)
    return features[:, y : height - y, x : width - x]
