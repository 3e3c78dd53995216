"""The objective: targets and weights in, one scalar and its parts out."""

from typing import Any, NamedTuple

import keras
from keras import ops

from nst_tf import losses
from nst_tf.settings import LossSettings

Tensor = Any


class Targets(NamedTuple):
    """What a picture is compared with.

    Attributes:
        content: `dict[layer, [B, h, w, C]]`, features of the photograph.
        style: float32 `dict[layer, [B, C, C]]`, Gram matrices of the style.
        strength: Factor of the style term of every picture, `[B]`, or None for 1.
    """

    content: dict[str, Tensor]
    style: dict[str, Tensor]
    strength: Tensor | None = None


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
        """Return the Gram matrices of `style`, float32 `[B, H, W, 3]`, RGB 0..1."""
        features = self.features(style)
        convention = self.settings.convention
        return {
            name: losses.gram_matrix(features[name], convention=convention)
            for name in self.settings.style_layers
        }

    def call(self, image: Tensor, targets: Targets) -> LossParts:
        """Return the loss of `image`, float32 `[B, H, W, 3]`, averaged over B."""
        settings = self.settings
        convention = settings.convention
        features = self.features(image)
        content = style = tv = ops.zeros((), "float32")
        for name in settings.content_layers:
            content = content + ops.mean(
                losses.content_loss(
                    features[name], targets.content[name], convention=convention
                )
            )
        for name, weight in zip(settings.style_layers, self.lambdas, strict=True):
            gram = losses.gram_matrix(features[name], convention=convention)
            gap = losses.style_loss(gram, targets.style[name], convention=convention)
            if targets.strength is not None:
                gap = targets.strength * gap
            style = style + weight * ops.mean(gap)
        if settings.tv_weight:
            tv = ops.mean(losses.total_variation(image))
        content = settings.content_weight * content
        style = settings.style_weight * style
        tv = settings.tv_weight * tv
        return LossParts(content + style + tv, content, style, tv)


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
