"""Settings of the loss and of the network whose features it compares."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from nst_tf.settings.budget import DEFAULT_STRENGTH, content_target
from nst_tf.settings.checks import at_least, choices, exceeds, reject, within

Network = Literal["auto", "vgg19", "vgg16", "lite", "lite-vgg19"]
Vgg = Literal["vgg19", "vgg16"]
Pooling = Literal["max", "average"]
Convention = Literal["gatys-notebook", "gatys-2015", "ng-course", "johnson", "relative"]
Border = Literal["whole", "inner"]
Padding = Literal["zero", "reflect", "replicate"]
StyleLoss = Literal["gram", "mean-variance", "wasserstein"]
Part = Literal["content", "style"]
_STYLE_WEIGHT = 100.0
"""Weight of the style term where neither a strength nor a weight is given."""
PALETTE = 2.0
"""Lambda of the palette where a picture is optimised by the relative loss. Of pixels
burnt out without it 1 leaves 0.46, 2 0.45 and 8 0.43 (two bold paintings); with more,
colours of few pixels grow bolder."""
TRAINED_PALETTE = 1.0
"""The same where a network is trained by the relative loss."""
_FIRST_STYLE_WEIGHT = 6.0
"""What the search for a style weight begins with at a content error of 0.45; the error
grows as its root. Of 12 photographs and paintings 3 to 14 were found."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExtractorSettings:
    """Which network the features come from."""

    network: Network = "auto"
    """Whose layers are compared: an ImageNet classifier, or lite, made from VGG-19,
    which ships with the package and is faster; lite-vgg19 is lite for all but the last
    fifth of a run. auto: lite-vgg19 where the weights of VGG-19 are at hand, else
    lite."""
    pooling: Pooling = "max"
    """Max pooling as trained, or average pooling as in the paper of 2015."""
    padding: Padding = "zero"
    """What lies beyond the border: zeros as trained, or the image mirrored or its edge
    repeated, against frames painted along the border."""
    vgg_weights: Path | None = None
    """An HDF5 weight file of a VGG; without it NST_VGG19_WEIGHTS (NST_VGG16_WEIGHTS),
    else what Keras has in its cache or downloads."""
    lite_weights: Path | None = None
    """A compressed network that nst compress wrote; without it the one that ships."""

    def __post_init__(self) -> None:
        reject(choices(self))


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossSettings:
    """Which loss, on which layers, how heavy."""

    convention: Convention = "relative"
    """The normalisation of the terms; weights do not carry over between conventions."""
    content_layers: tuple[str, ...] = ("block4_conv2",)
    """Keras names of the layers compared feature by feature."""
    style_layers: tuple[str, ...] = (
        "block1_conv1",
        "block2_conv1",
        "block3_conv1",
        "block4_conv1",
        "block5_conv1",
    )
    """Keras names of the layers compared by the statistics of style_loss."""
    style_loss: StyleLoss = "gram"
    """What is compared: Gram matrices, every channel's mean and deviation, or means and
    covariances by the Wasserstein distance of Gaussians."""
    style_layer_weights: tuple[float, ...] | None = None
    """One lambda a style layer; without it the convention's own."""
    palette: float | None = None
    """Lambda of how red, green and blue are distributed over the pixels, beside those
    of the style layers (0: it does not count). Without it 2 where one picture is
    optimised by the relative loss, 1 where a network is trained by it, else 0, as
    published."""
    style_layer_ratio: float = 1.0
    """Each style layer's lambda over that of the layer before; their sum stays."""
    strength: float | None = None
    """How much of the photograph may be given up, from 0 (nothing) to 1 (style alone):
    a content error, whatever the style, size, layers and style_loss, for which the
    style weight is found on the way. Takes the place of content_weight, style_weight
    and convention. Without a style_weight or a published convention, 0.5."""
    border: Border = "whole"
    """Compare whole feature maps, or of style layers the inner part that the zero
    padding of the extractor does not reach: against frames along the border."""
    content_weight: float = 1.0
    """Weight of the content term; where a strength is met, the style weight makes up
    for it."""
    style_weight: float | None = None
    """Weight of the style term, instead of a strength. Published conventions have 100
    without it."""
    tv_weight: float = 1e-5
    """Weight of the total variation (mean squared neighbour difference, 0..255)."""

    def __post_init__(self) -> None:
        problems = choices(self)
        given = {name: getattr(self, f"{name}_weight") for name in TERMS}
        for name, weight in given.items():
            if weight is not None:
                problems += at_least(f"{name}_weight", weight)
        lambdas = self.style_layer_weights
        if lambdas is not None:
            if len(lambdas) != len(self.style_layers):
                problems.append(
                    f"style_layer_weights needs {len(self.style_layers)} numbers, one a"
                    f" style layer, got {len(lambdas)}"
                )
            for value in lambdas:
                problems += at_least("style_layer_weights", value)
        problems += exceeds("style_layer_ratio", self.style_layer_ratio)
        if self.palette is not None:
            problems += at_least("palette", self.palette)
        if self.strength is not None:
            problems += within("strength", self.strength, 0, 1)
        for name in ("content_layers", "style_layers"):
            layers = getattr(self, name)
            if len(set(layers)) != len(layers):
                problems.append(f"{name} names a layer twice: {', '.join(layers)}")
        if not self.content_layers and not self.style_layers:
            problems.append("give at least one content or style layer")
        if not paints(given):
            problems.append("content_weight and style_weight can't both be 0")
        reject(problems)

    @property
    def content_error(self) -> float | None:
        """The content error that stands for the weight of style, if one does."""
        strength = self.strength
        if strength is None:
            given = self.style_weight is not None or self.convention != "relative"
            if given or not self.content_weight or not self.content_layers:
                return None
            strength = DEFAULT_STRENGTH
        return content_target(strength) if 0 < strength < 1 else None

    @property
    def term_weights(self) -> dict[str, float]:
        """Weights of the terms by name, in the order of `TERMS`.

        With a `content_error` that of style is what the search for it begins with.
        """
        weights = {name: getattr(self, f"{name}_weight") for name in TERMS}
        if self.strength is not None:
            weights["content"] = float(self.strength < 1)
            weights["style"] = float(self.strength > 0)
        if (error := self.content_error) is not None:
            weights["style"] = _FIRST_STYLE_WEIGHT * (error / 0.45) ** 2
        elif weights["style"] is None:
            weights["style"] = _STYLE_WEIGHT
        return weights

    @property
    def layers(self) -> tuple[str, ...]:
        """Every layer the loss looks at, without repetition."""
        return tuple(dict.fromkeys(self.style_layers + self.content_layers))


TERMS = tuple(
    field.name.removesuffix("_weight")
    for field in dataclasses.fields(LossSettings)
    if field.name.endswith("_weight")
)
"""Names of the loss's terms, in the order of logs, sliders and `weight_changes`."""


def paints(weights: Mapping[str, float | None]) -> bool:
    """Tell whether the terms' weights leave something to paint: content or style."""
    return bool(weights["content"] or weights["style"] != 0)
