"""Settings of the extractor, the loss and an optimisation: plain frozen dataclasses.

Defaults live here and nowhere else: the command line, the documentation and the
tests read them from these classes. Standard library only.
"""

import dataclasses
import math
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

Network = Literal["vgg19", "vgg16"]
Pooling = Literal["max", "average"]
Convention = Literal["gatys-notebook", "gatys-2015", "ng-course", "johnson", "relative"]
Border = Literal["whole", "inner"]
Padding = Literal["zero", "reflect", "replicate"]
StyleLoss = Literal["gram", "mean-variance", "wasserstein"]
Optimizer = Literal["lbfgs", "adam"]
Precision = Literal["auto", "float32", "bfloat16"]
Side = Literal["long", "short"]
Resample = Literal["lanczos", "bilinear"]
Lowering = Literal["native", "multiples", "slices"]
Part = Literal["content", "style"]
Depth = Literal["shallow", "middle", "whole"]
Color = Literal[
    "off",
    "luminance",
    "match-cholesky",
    "match-pca",
    "match-symmetric",
    "match-histogram",
]

MIN_SIDE = 16
"""Pixels below which the fifth block of VGG has no feature left."""


REFERENCE_STYLE: Mapping[StyleLoss, float] = types.MappingProxyType(
    {"gram": 20.0, "mean-variance": 20.0, "wasserstein": 8.0}
)
"""Style over content, each divided by its reference, at strength 0.5: there results
look like those of the default weights, and alike (Wasserstein is hardest to lower)."""
REFERENCE_TV = 4e-3
"""Total variation over content, each divided by its reference, at tv_weight 1."""


class InputError(ValueError):
    """Something the user gave can't be used; the message says what to do."""


def _reject(problems: list[str]) -> None:
    if problems:
        raise InputError("; ".join(problems))


def _finite(name: str, value: float, *, least: float = 0.0) -> list[str]:
    if math.isfinite(value) and value >= least:
        return []
    return [f"{name} must be a finite number of at least {least:g}, got {value:g}"]


def _at_least(name: str, value: int, least: int) -> list[str]:
    return [] if value >= least else [f"{name} must be at least {least}, got {value}"]


_UNITS = {"kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def parse_memory(text: str) -> int:
    """Return the bytes that `4GB`, `3.5GiB` or `800MB` means.

    Raises:
        InputError: It means nothing.
    """
    found = re.fullmatch(r"\s*(\d+\.?\d*)\s*([kmg]i?b)\s*", text.lower())
    if not found or float(found[1]) == 0:
        raise InputError(
            f"memory must be a number and a unit such as 4GB, 3.5GiB or 800MB, got"
            f" {text!r}"
        )
    return int(float(found[1]) * _UNITS[found[2]])


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExtractorSettings:
    """Which network the features come from."""

    network: Network = "vgg19"
    """The ImageNet classifier whose layers are compared."""
    pooling: Pooling = "max"
    """Max pooling as trained, or average pooling as in the paper of 2015."""
    padding: Padding = "zero"
    """What lies beyond the border: zeros as trained, or the image mirrored or its edge
    repeated, against frames painted along the border."""
    vgg_weights: Path | None = None
    """An HDF5 weight file; without it NST_VGG19_WEIGHTS (or NST_VGG16_WEIGHTS), else
    the Keras download."""


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

    def __post_init__(self) -> None:
        problems = []
        for name in ("content_weight", "style_weight", "tv_weight"):
            problems += _finite(name, getattr(self, name))
        lambdas = self.style_layer_weights
        if lambdas is not None:
            if len(lambdas) != len(self.style_layers):
                problems.append(
                    f"style_layer_weights needs {len(self.style_layers)} numbers, one a"
                    f" style layer, got {len(lambdas)}"
                )
            for value in lambdas:
                problems += _finite("style_layer_weights", value)
        ratio = self.style_layer_ratio
        if not (math.isfinite(ratio) and ratio > 0):
            problems.append(f"style_layer_ratio must exceed 0, got {ratio:g}")
        if self.strength is not None and not 0 <= self.strength <= 1:
            problems.append(f"strength must be in 0..1, got {self.strength:g}")
        for name in ("content_layers", "style_layers"):
            layers = getattr(self, name)
            if len(set(layers)) != len(layers):
                problems.append(f"{name} names a layer twice: {', '.join(layers)}")
        if not self.content_layers and not self.style_layers:
            problems.append("give at least one content or style layer")
        if self.content_weight == 0 and self.style_weight == 0:
            problems.append("content_weight and style_weight can't both be 0")
        _reject(problems)

    @property
    def term_weights(self) -> tuple[float, float, float]:
        """Weights of the content, style and total variation terms."""
        if self.strength is None:
            return self.content_weight, self.style_weight, self.tv_weight
        content, style = 2 - 2 * self.strength, 2 * self.strength
        factor = REFERENCE_STYLE[self.style_loss]
        return content**2, factor * style**2, REFERENCE_TV * self.tv_weight

    @property
    def layers(self) -> tuple[str, ...]:
        """Every layer the loss looks at, without repetition."""
        return tuple(dict.fromkeys(self.style_layers + self.content_layers))


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """Shape of the transform network."""

    styles: int = 1
    """Number of styles besides the photograph itself, which is style 0."""
    width: float = 1.0
    """Multiplier of the channels: 1 is Johnson's network, 0.5 and 0.25 are faster."""
    lowering: Lowering = "native"
    """How layers are written: native for any size; multiples for sides that are
    multiples of 4; slices for these too, in the form LiteRT's kernels take whole."""
    dtype: str = "float32"
    """A Keras dtype policy: float32, or mixed_bfloat16 for training."""

    def __post_init__(self) -> None:
        problems = _at_least("styles", self.styles, 1)
        if not 0.1 <= self.width <= 2:
            problems.append(f"width must be in 0.1..2, got {self.width:g}")
        _reject(problems)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimizeSettings:
    """All that decides the pixels of one optimised picture."""

    size: int = 512
    """Side of the result in pixels (see side)."""
    side: Side = "long"
    """Whether size is the long or the short side of the result."""
    style_size: int | None = None
    """The same side of the style image in pixels; without it, size. Never enlarged."""
    style_scale: float = 1.0
    """Size of the style images relative to the result's: smaller, finer brushwork."""
    style_shares: tuple[float, ...] | None = None
    """One number a style image: its share of the blend, or, where each has a mask, the
    strength of its region (0: stays the photograph). Without it, 1 each."""
    resample: Resample = "lanczos"
    """Filter that resizes both images."""
    scales: int = 2
    """Sizes to pass from coarse to fine; 1 works at the final size alone."""
    scale_factor: float = 2.0
    """Ratio of one scale to the next."""
    steps: int = 100
    """Evaluations of loss and gradient at the final scale."""
    coarse_steps: int = 100
    """Evaluations at each coarser scale."""
    shallow_steps: int = 30
    """Evaluations that begin each scale with the shallower style layers alone."""
    middle_share: float | None = None
    """Part of steps, from the first on, without the deepest style layer, which costs a
    fifth of an evaluation. Without it 0.8 where that layer makes 1 % of the loss (the
    notebook's convention and layers), else 0."""
    init: str = "content"
    """Start from content, noise, style or the path of an image file."""
    seed: int = 0
    """Seed of the noise."""
    optimizer: Optimizer = "lbfgs"
    """L-BFGS, or Adam whose result is the moving average of the iterates."""
    learning_rate: float | None = None
    """Step length; without it 1 for L-BFGS and 0.02 (of the 0..1 range) for Adam."""
    history: int = 20
    """Curvature pairs that L-BFGS keeps; each costs two pictures of memory."""
    backtracking: int = 0
    """How often L-BFGS may shorten a step that overshot (0: never)."""
    ema: float = 0.99
    """Momentum of Adam's moving average of the picture; 0 takes the last iterate."""
    constrained: bool = True
    """Keep every pixel in 0..1 at each step, so that the file is what was optimised."""
    color: Color = "off"
    """Keep the photograph's colours: paint its luminance alone, or match the style's
    colours to it first, their mean and covariance in one of three forms, or their
    histogram."""
    linear_light: bool = False
    """Match the colours as amounts of light instead of as sRGB values."""
    tolerance: float = 0.0
    """Stop a scale when the loss fell by less than this fraction in 20 evaluations."""
    weight_changes: tuple[float, ...] = ()
    """Weights of the terms that change on the way, four numbers a change: the
    evaluation after which (0: from the start), content, style and total variation
    weight. A live run writes down here what it was told."""
    precision: Precision = "auto"
    """Arithmetic of the extractor; Gram matrices and losses are always float32."""
    memory: str | None = None
    """Most memory that the program may take, such as 4GB or 800MB: larger pictures are
    worked on in tiles, with the same result, and L-BFGS keeps fewer pairs."""
    loss: LossSettings = dataclasses.field(default_factory=LossSettings)
    """The loss."""
    extractor: ExtractorSettings = dataclasses.field(default_factory=ExtractorSettings)
    """The network."""

    def __post_init__(self) -> None:
        problems = []
        problems += _at_least("size", self.size, MIN_SIDE)
        if self.style_size is not None:
            problems += _at_least("style_size", self.style_size, MIN_SIDE)
        if not (math.isfinite(self.style_scale) and self.style_scale > 0):
            problems.append(f"style_scale must exceed 0, got {self.style_scale:g}")
        for share in self.style_shares or ():
            problems += _finite("style_shares", share)
        if self.style_shares is not None and not any(self.style_shares):
            problems.append("style_shares can't all be 0")
        problems += _at_least("scales", self.scales, 1)
        problems += _at_least("steps", self.steps, 1)
        problems += _at_least("coarse_steps", self.coarse_steps, 1)
        problems += _at_least("shallow_steps", self.shallow_steps, 0)
        if self.middle_share is not None and not 0 <= self.middle_share < 1:
            problems.append(
                f"middle_share must be in 0..1, 1 left out; got {self.middle_share:g}"
            )
        problems += _at_least("history", self.history, 1)
        problems += _at_least("backtracking", self.backtracking, 0)
        problems += _at_least("seed", self.seed, 0)
        problems += _finite("scale_factor", self.scale_factor)
        if self.scale_factor <= 1:
            problems.append(f"scale_factor must exceed 1, got {self.scale_factor:g}")
        problems += _finite("tolerance", self.tolerance)
        if not 0 <= self.ema < 1:
            problems.append(f"ema must be in 0..1 (1 excluded), got {self.ema:g}")
        if self.memory is not None:
            try:
                parse_memory(self.memory)
            except InputError as error:
                problems.append(str(error))
        rate = self.learning_rate
        if rate is not None and not (math.isfinite(rate) and rate > 0):
            problems.append(f"learning_rate must exceed 0, got {rate:g}")
        problems += _check_changes(self.weight_changes)
        if self.linear_light and not self.color.startswith("match-"):
            problems.append(
                "linear_light says how colours are matched: choose a color of"
                f" match-..., got {self.color}"
            )
        _reject(problems)


def _check_changes(values: tuple[float, ...]) -> list[str]:
    if len(values) % 4:
        return [f"weight_changes needs four numbers a change, got {len(values)}"]
    problems, latest = [], -1.0
    for start in range(0, len(values), 4):
        after, *weights = values[start : start + 4]
        if after != int(after) or after < latest:
            problems.append(
                "weight_changes needs evaluations in order, from 0; got"
                f" {after:g} after {latest:g}"
            )
        latest = max(after, latest)
        for name, value in zip(("content", "style", "tv"), weights, strict=True):
            problems += _finite(f"weight_changes: the {name} weight", value)
        if not any(weights[:2]):
            problems.append("weight_changes: content and style can't both weigh 0")
    return problems


_GATYS = OptimizeSettings(
    side="short",
    resample="bilinear",
    scales=1,
    shallow_steps=0,
    middle_share=0.0,
    steps=500,
    history=100,
    constrained=False,
    loss=LossSettings(style_weight=1000.0, tv_weight=0.0),
)

RECIPES: Mapping[str, OptimizeSettings] = types.MappingProxyType(
    {
        "default": OptimizeSettings(),
        "gatys": _GATYS,
        "gatys-2015": dataclasses.replace(
            _GATYS,
            constrained=True,
            history=20,
            extractor=ExtractorSettings(pooling="average"),
            loss=LossSettings(
                convention="gatys-2015", style_weight=1000.0, tv_weight=0.0
            ),
        ),
        "ng-course": dataclasses.replace(
            _GATYS,
            constrained=True,
            history=20,
            loss=LossSettings(
                convention="ng-course",
                content_weight=10.0,
                style_weight=40.0,
                tv_weight=0.0,
            ),
        ),
        "johnson": dataclasses.replace(
            _GATYS,
            constrained=True,
            history=20,
            extractor=ExtractorSettings(network="vgg16"),
            loss=LossSettings(
                convention="johnson",
                content_layers=("block3_conv3",),
                style_layers=(
                    "block1_conv2",
                    "block2_conv2",
                    "block3_conv3",
                    "block4_conv3",
                ),
                style_weight=5.0,
                tv_weight=0.0,
            ),
        ),
    }
)
"""Named settings: what `nst optimize --recipe NAME` starts from."""


def to_dict(settings: OptimizeSettings) -> dict[str, Any]:
    """Return `settings` as JSON-ready values, nested as the classes are."""

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = dataclasses.fields(value)
            return {f.name: plain(getattr(value, f.name)) for f in fields}
        if isinstance(value, tuple):
            return list(value)
        return str(value) if isinstance(value, Path) else value

    result: dict[str, Any] = plain(settings)
    return result


def from_dict(values: Mapping[str, Any]) -> OptimizeSettings:
    """Rebuild settings that `to_dict` wrote.

    Raises:
        InputError: A name or a value is not one of this version's settings.
    """
    try:
        given = dict(values)
        given["loss"] = _typed(LossSettings, dict(given.get("loss", {})))
        given["extractor"] = _typed(ExtractorSettings, dict(given.get("extractor", {})))
        return _typed(OptimizeSettings, given)
    except (TypeError, ValueError) as error:
        raise InputError(f"these settings do not fit this version: {error}") from error


def _typed(cls: type[Any], values: dict[str, Any]) -> Any:
    """Make a settings object of JSON values, refusing those of another type."""
    hints = typing.get_type_hints(cls)
    for name, value in values.items():
        if name not in hints:
            raise TypeError(f"there is no setting {name}")
        options = typing.get_args(hints[name])
        kinds = options if isinstance(hints[name], types.UnionType) else (hints[name],)
        if isinstance(value, list):
            values[name] = value = tuple(value)
        if Path in kinds and isinstance(value, str):
            values[name] = value = Path(value)
        if float in kinds and isinstance(value, int) and not isinstance(value, bool):
            values[name] = value = float(value)
        if typing.get_origin(hints[name]) is Literal:
            if value not in options:
                raise TypeError(f"{name} must be one of {options}, got {value!r}")
            continue
        plain = tuple(typing.get_origin(kind) or kind for kind in kinds)
        fits = isinstance(value, plain) and (
            bool in plain or not isinstance(value, bool)
        )
        if isinstance(value, tuple):
            numbers = any(float in typing.get_args(kind) for kind in kinds)
            allowed = (float, int) if numbers else (str,)
            fits = fits and all(isinstance(entry, allowed) for entry in value)
        if not fits:
            raise TypeError(f"{name} can't be {value!r}")
    return cls(**values)
