"""Settings of the loss and of the network whose features it compares."""

import dataclasses
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from nst_tf.settings.checks import exceeds, finite, reject, within

Network = Literal["auto", "vgg19", "vgg16", "lite", "lite-vgg19"]
Pooling = Literal["max", "average"]
Convention = Literal["gatys-notebook", "gatys-2015", "ng-course", "johnson", "relative"]
Border = Literal["whole", "inner"]
Padding = Literal["zero", "reflect", "replicate"]
StyleLoss = Literal["gram", "mean-variance", "wasserstein"]
Part = Literal["content", "style"]
REFERENCE_STYLE: Mapping[StyleLoss, float] = types.MappingProxyType(
    {"gram": 20.0, "mean-variance": 20.0, "wasserstein": 8.0}
)
"""Style over content, each divided by its reference, at strength 0.5: there results
look like those of the default weights, and alike (Wasserstein is hardest to lower).
Found by eye, on sheets of `nst explore`."""
REFERENCE_TV = 4e-3
"""Total variation over content, each divided by its reference, at tv_weight 1."""


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossSettings:
    """Which loss, on which layers, how heavy."""

    convention: Convention = "gatys-notebook"
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
    style_layer_ratio: float = 1.0
    """Each style layer's lambda over that of the layer before; their sum stays."""
    strength: float | None = None
    """Style over content from 0 (the photograph) to 1 (style alone), of like effect at
    any size, for any style, layers and style_loss: every term is divided by its value
    at a reference. Takes the place of content_weight, style_weight and convention."""
    border: Border = "whole"
    """Compare whole feature maps, or of style layers the inner part that the zero
    padding of the extractor does not reach: against frames along the border."""
    content_weight: float = 1.0
    """Weight of the content term."""
    style_weight: float = 100.0
    """Weight of the style term."""
    tv_weight: float = 5.0
    """Weight of the total variation (mean squared neighbour difference, 0..255)."""
    temporal_weight: float = 0.0
    """Weight of the temporal term (mean squared difference to the picture before, 0..1,
    moved as the scene did): for films, and networks that are to paint them."""

    def __post_init__(self) -> None:
        problems = []
        given = {name: getattr(self, f"{name}_weight") for name in TERMS}
        for name, weight in given.items():
            problems += finite(f"{name}_weight", weight)
        lambdas = self.style_layer_weights
        if lambdas is not None:
            if len(lambdas) != len(self.style_layers):
                problems.append(
                    f"style_layer_weights needs {len(self.style_layers)} numbers, one a"
                    f" style layer, got {len(lambdas)}"
                )
            for value in lambdas:
                problems += finite("style_layer_weights", value)
        problems += exceeds("style_layer_ratio", self.style_layer_ratio)
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
    def term_weights(self) -> dict[str, float]:
        """Weights of the terms by name, in the order of `TERMS`."""
        weights = {name: getattr(self, f"{name}_weight") for name in TERMS}
        if self.strength is None:
            return weights
        content, style = 2 - 2 * self.strength, 2 * self.strength
        return weights | {
            "content": content**2,
            "style": REFERENCE_STYLE[self.style_loss] * style**2,
            "tv": REFERENCE_TV * self.tv_weight,
        }

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


def paints(weights: Mapping[str, float]) -> bool:
    """Tell whether the terms' weights leave something to paint: content or style."""
    return bool(weights["content"] or weights["style"])
