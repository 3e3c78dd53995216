"""The objective: targets and weights in, one scalar and its parts out."""

import functools
import operator
from typing import Any, cast

import keras
from keras import ops

from nst_tf.backend.slicing import slice_map
from nst_tf.loss.content import Content
from nst_tf.loss.extractor import Extractor
from nst_tf.loss.parts import LossParts
from nst_tf.loss.style.palette import PIXELS
from nst_tf.loss.style.term import Style
from nst_tf.loss.term import Seen, Sums, Targets
from nst_tf.loss.terms import build_terms
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import TERMS, LossSettings

Tensor = Any


class Objective(keras.layers.Layer):
    """The Gatys loss on the features of a frozen extractor.

    Args:
        extractor: A model from `build_extractor` that has the layers of `settings`.
        settings: Convention, layers and weights.

    Raises:
        InputError: The extractor lacks a layer, or does not know its borders, which
            `border` inner needs.

    Reference:
        Gatys et al. 2016, https://doi.org/10.1109/CVPR.2016.265
    """

    def __init__(
        self, extractor: Extractor, settings: LossSettings | None = None
    ) -> None:
        super().__init__(dtype="float32", trainable=False, autocast=False)
        self.extractor = extractor
        self.settings = settings or LossSettings()
        held = getattr(extractor, "output", None)
        if isinstance(held, dict) and (lacking := {*self.settings.layers} - {*held}):
            raise InputError(
                f"the extractor lacks the layers {', '.join(sorted(lacking))}; it has"
                f" {', '.join(held)}: build_extractor(settings.loss.layers) has all"
            )
        self.terms = build_terms(self.settings)
        self.content = cast(Content, self.terms[Content.name])
        self.style = cast(Style, self.terms[Style.name])
        # A map of content alone stays whole: its target saw the same zeros.
        cut = self.settings.style_layers if self.settings.border == "inner" else ()
        if cut and not hasattr(extractor, "geometry"):
            raise InputError(
                "border inner needs an extractor of build_extractor, which knows how"
                " far its features see; with another model take border whole"
            )
        self.rings = {name: extractor.geometry.rings[name] for name in cut}
        self.built = True

    def features(self, image: Tensor) -> dict[str, Tensor]:
        """Return what is compared of `image`, float32 `[B, H, W, 3]`, RGB 0..1."""
        return self.inner(self.extractor(image)) | self.pixels(image)

    def pixels(self, image: Tensor) -> dict[str, Tensor]:
        """Return the pixels as one more map, if their palette counts."""
        return {PIXELS: image} if self.settings.palette else {}

    def level(self, name: str) -> int:
        """Return how often what is compared was halved: by the poolings before it."""
        return 0 if name == PIXELS else self.extractor.geometry[name].level

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
        return Targets(
            self.content_targets(photo),
            self.style.targets(moments),
            strength,
            self.layer_masks(masks) if masks is not None else None,
        )

    def content_targets(self, photo: Tensor) -> dict[str, Tensor]:
        """Return what of `photo`, float32 `[B, H, W, 3]`, is to be kept."""
        maps = self.features(photo)
        return {name: maps[name] for name in self.settings.content_layers}

    def style_moments(
        self, style: Tensor, masks: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return the moments of `style`, which may be mixed with those of others.

        Args:
            style: float32 `[B, H, W, 3]`, RGB 0..1.
            masks: float32 `[B, H, W, R]`, 0..1, its regions; without it there is one.
        """
        layers = self.layer_masks(masks) if masks is not None else None
        return self.style.moments(self.style.sums(self.features(style), layers))

    def layer_masks(self, masks: Tensor) -> dict[str, Tensor]:
        """Bring masks down to the positions of the style layers.

        A position weighs the mean of the pixels that pooling brings to it: of 2x2
        after one, 4x4 after two and so on.

        Args:
            masks: float32 `[B, H, W, R]`, 0..1.

        Returns:
            float32 `dict[layer, [B, h, w, R]]`.
        """
        levels = {name: self.level(name) for name in self.style.layers}
        pooled = [ops.convert_to_tensor(masks, "float32")]
        for _ in range(max(levels.values(), default=0)):
            pooled.append(ops.average_pool(pooled[-1], 2, 2, padding="valid"))
        return self.inner({name: pooled[level] for name, level in levels.items()})

    def statistics(self, seen: Seen, targets: Targets) -> Sums:
        """Return the sums over positions that the loss is a function of, float32.

        Added up over disjoint tiles of the feature maps, with `targets.content` and
        `targets.masks` cut to the tile, they are those of the whole.

        Args:
            seen: A picture or a tile of it.
            targets: What it is compared with.
        """
        statistics: Sums = {}
        for term in self.terms.values():
            statistics |= term.statistics(seen, targets)
        return statistics

    def loss(self, statistics: Sums, targets: Targets) -> LossParts:
        """Return the loss of what `statistics` summed over a whole picture.

        Args:
            statistics: From `statistics`, or the sum of those of all tiles with what
                the terms have `gathered` of it.
            targets: The content targets and the masks are not looked at.
        """
        weights: dict[str, Any] = {k: term.weight for k, term in self.terms.items()}
        if targets.weights is not None:
            given = ops.unstack(targets.weights, len(TERMS))
            weights = dict(zip(TERMS, given, strict=True))
        terms = {
            name: weights[name] * term.value(statistics, targets)
            for name, term in self.terms.items()
        }
        return LossParts(functools.reduce(operator.add, terms.values()), terms)

    def call(self, image: Tensor, targets: Targets) -> LossParts:
        """Return the loss of `image`, float32 `[B, H, W, 3]`, averaged over B."""
        seen = Seen(image, self.features(image))
        return self.loss(self.statistics(seen, targets), targets)

    def measure(self, image: Tensor, targets: Targets) -> LossParts:
        """Return the loss of `image` where no gradient is wanted."""
        parts: LossParts = self(image, targets)
        return parts


def _cut(features: Tensor, ring: int) -> Tensor:
    """Cut `ring` positions off each side of `[B, h, w, C]`, but leave a half of it."""
    _, height, width, _ = features.shape
    if height is None or width is None:
        _, height, width, _ = ops.shape(features)
        y, x = ops.minimum(ring, height // 4), ops.minimum(ring, width // 4)
    else:
        y, x = min(ring, height // 4), min(ring, width // 4)
    return slice_map(features, slice(y, height - y), slice(x, width - x))
