"""The objective: targets and weights in, one scalar and its parts out."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

from nst_tf.backend.slicing import slice_map
from nst_tf.loss import statistics as sums
from nst_tf.loss.content import content_of, needs_energy
from nst_tf.loss.conventions import energy_of, layer_weights, mean_of
from nst_tf.loss.parts import TERMS, LossParts
from nst_tf.loss.style.gram import gram_of, style_loss
from nst_tf.loss.style.mean_variance import mean_variance_loss
from nst_tf.loss.style.wasserstein import wasserstein_loss, wasserstein_root
from nst_tf.loss.variation import total_variation
from nst_tf.settings.loss import Convention, LossSettings, StyleLoss

Tensor = Any


class Targets(NamedTuple):
    """What a picture is compared with.

    `content` and `masks` belong to positions: a tile of a picture is compared with the
    same tile of them. The rest is the same for every tile.

    Attributes:
        content: `dict[layer, [B, h, w, C]]`, features of the photograph.
        style: float32 moments of the style of each of R regions (one without masks),
            from `Objective.style_targets`: `layer/gram` `[B, R, C, C]` and the like.
        strength: Factor of the style term of every picture, `[B]` or `[B, R]`, or None
            for 1.
        masks: float32 `dict[layer, [B, h, w, R]]`, 0..1, how much each position of the
            style layers belongs to each region, or None for one region.
        reference: `[B]` each, what the terms are divided by for `strength` in the
            settings, from `Objective.reference`; else None.
        weights: Weights of the content, style and total variation terms, `[3]`, where
            they may change on the way; None for those of the settings.
    """

    content: dict[str, Tensor]
    style: dict[str, Tensor]
    strength: Tensor | None = None
    masks: dict[str, Tensor] | None = None
    reference: dict[str, Tensor] | None = None
    weights: Tensor | None = None


Measure = Callable[[Targets], tuple[dict[str, Tensor], Tensor]]
"""Gives a photograph's statistics against targets, and its total variation `[B]`."""


KINDS: dict[StyleLoss, tuple[str, ...]] = {
    "gram": ("gram",),
    "mean-variance": ("sum", "square"),
    "wasserstein": ("sum", "gram"),
}
"""What each style loss sums over positions, besides their weight."""


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
        super().__init__(dtype="float32", trainable=False, autocast=False)
        self.extractor = extractor
        self.settings = settings or LossSettings()
        chosen = self.settings
        self.lambdas = layer_weights(chosen)
        # Of which sums over positions the style term is a function.
        self.kinds = KINDS[chosen.style_loss]
        scaled = chosen.strength is not None
        self.convention: Convention = "relative" if scaled else chosen.convention
        # Content is compared with a map that saw the same zeros: it stays whole.
        rings = _rings(extractor) if chosen.border == "inner" else {}
        self.rings = {k: rings[k] for k in chosen.style_layers if k in rings}
        self.built = True

    def features(self, image: Tensor) -> dict[str, Tensor]:
        """Return what is compared of `image`, float32 `[B, H, W, 3]`, RGB 0..1."""
        return self.inner(self.extractor(image))

    def inner(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """Cut the border off the maps of style layers, if the settings say so."""
        cut = {k: _cut(features[k], r) for k, r in self.rings.items() if k in features}
        return features | cut

    def targets(self, photo: Tensor, style: Tensor) -> Targets:
        """Extract what a picture of `photo` in the manner of `style` must match.

        Args:
            photo: float32 `[B, H, W, 3]`, RGB 0..1.
            style: float32 `[B, H', W', 3]`, RGB 0..1, of any size.
        """
        return self.blended(photo, self.style_moments(style))

    def blended(
        self,
        photo: Tensor,
        moments: dict[str, Tensor],
        strength: Tensor | None = None,
        masks: Tensor | None = None,
    ) -> Targets:
        """Extract what a picture of `photo` with the moments of styles must match.

        Args:
            photo: float32 `[B, H, W, 3]`, RGB 0..1.
            moments: From `style_moments`, of one style or a mix of several.
            strength: Factor of the style term, `[B]` or `[B, R]`.
            masks: float32 `[B, H, W, R]`, 0..1, the photograph's regions.
        """
        content, measure = self._photograph(photo)
        targets = Targets(
            content,
            self.style_targets(moments),
            strength,
            self.layer_masks(masks) if masks is not None else None,
        )
        if self.settings.strength is None:
            return targets
        statistics, variation = measure(targets)
        return targets._replace(
            reference=self.reference(statistics, targets, variation)
        )

    def _photograph(self, photo: Tensor) -> tuple[dict[str, Tensor], Measure]:
        """Return content targets, and what measures the photograph against targets."""
        maps = self.features(photo)

        def measure(targets: Targets) -> tuple[dict[str, Tensor], Tensor]:
            return self.statistics(maps, targets), total_variation(photo)

        return {name: maps[name] for name in self.settings.content_layers}, measure

    def style_moments(
        self, style: Tensor, masks: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return the moments of `style`, which may be mixed with those of others.

        Args:
            style: float32 `[B, H, W, 3]`, RGB 0..1.
            masks: float32 `[B, H, W, R]`, 0..1, its regions; without it there is one.
        """
        layers = self.layer_masks(masks) if masks is not None else None
        return self.moments(self.style_statistics(self.features(style), layers))

    def layer_masks(self, masks: Tensor) -> dict[str, Tensor]:
        """Bring masks down to the positions of the style layers.

        A position weighs the mean of the pixels that pooling brings to it: of 2x2 in
        the second block, 4x4 in the third and so on.

        Args:
            masks: float32 `[B, H, W, R]`, 0..1.

        Returns:
            float32 `dict[layer, [B, h, w, R]]`.
        """
        levels = {1: ops.convert_to_tensor(masks, "float32")}
        for block in range(2, 6):
            levels[block] = ops.average_pool(levels[block - 1], 2, 2, padding="valid")
        names = self.settings.style_layers
        return self.inner({name: levels[int(name[5])] for name in names})

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
            float32: for style layers `layer/weight` `[B, R]` and, as the style loss
            needs them, `layer/gram` `[B, R, C, C]`, `layer/sum` and `layer/square`
            `[B, R, C]`; for content layers `layer/content` (squared differences),
            `layer/count` (values compared) and, for relative terms, `layer/energy`
            (squares of the target), all `[B]`.
        """
        statistics = self.style_statistics(features, targets.masks)
        for name in self.settings.content_layers:
            target = targets.content[name]
            statistics[f"{name}/content"] = sums.gap_sum(features[name], target)
            statistics[f"{name}/count"] = sums.value_count(target)
            if needs_energy(self.convention):
                statistics[f"{name}/energy"] = sums.energy_sum(target)
        return statistics

    def style_statistics(
        self, features: dict[str, Tensor], masks: dict[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Return the part of `statistics` that the style term needs."""
        statistics = {}
        for name in self.settings.style_layers:
            mask = masks[name] if masks is not None else None
            maps = features[name]
            statistics[f"{name}/weight"] = sums.weight_sum(maps, mask)
            if "gram" in self.kinds:
                exact = self.settings.style_loss == "wasserstein"
                statistics[f"{name}/gram"] = sums.product_sum(maps, mask, exact=exact)
            if "sum" in self.kinds:
                statistics[f"{name}/sum"] = sums.feature_sum(maps, mask)
            if "square" in self.kinds:
                statistics[f"{name}/square"] = sums.square_sum(maps, mask)
        return statistics

    def moments(self, statistics: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the means over positions of what `style_statistics` summed.

        Mixed in shares of 1 they are those of a mixture of styles.
        """
        moments = {}
        # Only the Gram loss has the conventions' constants.
        plain = self.settings.style_loss != "gram"
        for name in self.settings.style_layers:
            weight = statistics[f"{name}/weight"]
            for kind in self.kinds:
                key = f"{name}/{kind}"
                if kind == "gram":
                    moments[key] = gram_of(
                        statistics[key],
                        weight,
                        convention="relative" if plain else self.convention,
                    )
                else:
                    moments[key] = mean_of(statistics[key], weight)
        return moments

    def style_targets(self, moments: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return what pictures must match: `moments`, and what is derived of them."""
        if self.settings.style_loss != "wasserstein":
            return moments
        targets = dict(moments)
        for name in self.settings.style_layers:
            targets[f"{name}/root"], targets[f"{name}/floor"] = wasserstein_root(
                moments[f"{name}/sum"], moments[f"{name}/gram"]
            )
        return targets

    def reference(
        self, statistics: dict[str, Tensor], targets: Targets, variation: Tensor
    ) -> dict[str, Tensor]:
        """Return what the terms are divided by for `strength` in the settings.

        Every layer's style term by that of the photograph, so that all have a part of
        1 to lose; the total variation by the photograph's. The content term is relative
        to the photograph's features: 1 where none is left.

        Args:
            statistics: Those of the photograph.
            targets: Content and style.
            variation: Total variation of the photograph, `[B]`.
        """
        moments = self.moments(statistics)
        reference = {"tv": ops.maximum(variation, 1.0)}
        for name in self.settings.style_layers:
            gap = self._gap(name, moments, targets)
            # Of a photograph that is the style already nothing can be told.
            nothing = {key: ops.zeros_like(value) for key, value in moments.items()}
            least = self._gap(name, nothing, targets)
            reference[name] = ops.maximum(gap, 1e-5 * least + 1e-20)
            if targets.strength is not None:  # A small region counts for little.
                reference[name] = reference[name] / ops.sum(targets.strength)
        return reference

    def _gap(self, name: str, moments: dict[str, Tensor], targets: Targets) -> Tensor:
        """Return the style term of one layer, unweighted, `[B]`."""
        style, chosen = targets.style, self.settings.style_loss
        if chosen == "gram":
            key = f"{name}/gram"
            gap = style_loss(moments[key], style[key], convention=self.convention)
        elif chosen == "mean-variance":
            keys = f"{name}/sum", f"{name}/square"
            gap = mean_variance_loss(
                *(moments[key] for key in keys), *(style[key] for key in keys)
            )
            gap = gap / energy_of(style[keys[1]], self.convention)
        else:
            keys = f"{name}/sum", f"{name}/gram"
            derived = style[f"{name}/root"], style[f"{name}/floor"]
            gap = wasserstein_loss(
                moments[keys[0]],
                moments[keys[1]],
                style[keys[0]],
                style[keys[1]],
                *derived,
            )
            squares = ops.diagonal(style[keys[1]], axis1=-2, axis2=-1)
            gap = gap / energy_of(squares, self.convention)
        if targets.strength is not None:  # gap: [B, R]
            gap = ops.reshape(targets.strength, (-1, gap.shape[1])) * gap
        return ops.sum(gap, axis=1)

    def loss(
        self, statistics: dict[str, Tensor], targets: Targets, tv: Tensor = 0.0
    ) -> LossParts:
        """Return the loss of what `statistics` summed over a whole picture.

        Args:
            statistics: From `statistics`, or the sum of those of all tiles.
            targets: The content targets and the masks are not looked at.
            tv: The picture's total variation, averaged over B, as `variation` gives it.
        """
        settings, reference = self.settings, targets.reference
        content = style = ops.zeros((), "float32")
        for name in settings.content_layers:
            gap = content_of(
                statistics[f"{name}/content"],
                statistics[f"{name}/count"],
                statistics.get(f"{name}/energy"),
                convention=self.convention,
            )
            content = content + ops.mean(gap)
        moments = self.moments(statistics)
        for name, weight in zip(settings.style_layers, self.lambdas, strict=True):
            gap = self._gap(name, moments, targets)
            if reference is not None:
                gap = gap / reference[name]
            style = style + weight * ops.mean(gap)
        tv = ops.convert_to_tensor(tv, "float32")
        if reference is not None:
            content = content / max(1, len(settings.content_layers))
            tv = tv / ops.mean(reference["tv"])
        weights: Any = settings.term_weights
        if targets.weights is not None:
            weights = ops.unstack(targets.weights, 3)
        parts = [
            w * term for w, term in zip(weights, (content, style, tv), strict=True)
        ]
        total = parts[0] + parts[1] + parts[2]
        return LossParts(total, dict(zip(TERMS, parts, strict=True)))

    def variation(self, image: Tensor) -> Tensor:
        """Return the total variation of `image` averaged over B, 0 if unweighted."""
        if not self.settings.tv_weight:
            return ops.zeros((), "float32")
        return ops.mean(total_variation(image))

    def call(self, image: Tensor, targets: Targets) -> LossParts:
        """Return the loss of `image`, float32 `[B, H, W, 3]`, averaged over B."""
        statistics = self.statistics(self.features(image), targets)
        return self.loss(statistics, targets, self.variation(image))

    def measure(self, image: Tensor, targets: Targets) -> LossParts:
        """Return the loss of `image` where no gradient is wanted."""
        parts: LossParts = self(image, targets)
        return parts


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
    return slice_map(features, slice(y, height - y), slice(x, width - x))
