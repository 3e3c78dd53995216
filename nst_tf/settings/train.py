"""Settings of a training, and of the styles it trains."""

import dataclasses
import re
import types
import unicodedata
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from nst_tf.settings.checks import (
    MIN_SIDE,
    InputError,
    all_at_least,
    at_least,
    choices,
    exceeds,
    file_name,
    momentum,
    reject,
    within,
)
from nst_tf.settings.codec import from_plain
from nst_tf.settings.loss import TRAINED_PALETTE, ExtractorSettings, LossSettings
from nst_tf.settings.network import MULTIPLES, Architecture, NetworkSettings
from nst_tf.settings.optimize import Precision

TrainOptimizer = Literal["muon", "adam"]
RATES: Mapping[TrainOptimizer, float] = types.MappingProxyType(
    {"muon": 0.02, "adam": 0.001}
)
"""Highest learning rates when the settings name none."""
ADDED_STEPS = 2000
"""Steps for a style that is added to a trained model."""
LOSS = LossSettings(
    convention="relative",
    border="inner",
    style_weight=6.0,
    style_layer_ratio=1.25,
    tv_weight=1e-5,
)
"""What networks are trained with. The style weight is where the content budget starts.

With layers alike a network matches the shallow ones far better than anyone can see, and
the brushwork of block4_conv1 hardly.
"""
NOTHING_LEFT = 1.3
"""Content error of a picture that has nothing of the photograph."""
_LARGEST_SEED = 2**32 - 1
"""Of those that Keras takes."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")

_TUNED: Mapping[str, Any] = types.MappingProxyType(
    {
        "steps": 120,
        "batch": 2,
        "learning_rate": 0.04,
        "warmup_steps": 5,
        "ema": 0.95,
        "mix": 0.0,
        "weaker": 0.1,
        "temporal_weight": 0.0,
    }
)
"""How a style of a model for any painting is tuned: its scales and shifts alone."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StyleSettings:
    """One style of a recipe."""

    name: str
    """What users call it: lower-case letters, digits, - and _."""
    image: Path
    """The painting; relative to the recipe's folder, `${NAME:-default}` is expanded."""
    strength: float = 1.0
    """Factor of the style term for this style alone, where there is no budget."""
    content_budget: float | None = None
    """Content error to reach in this style; without it the recipe's."""
    size: int | None = None
    """Long side of the painting in pixels; without it the recipe's style_size."""
    credit: str = ""
    """Artist, title and year, as the model card shows them."""
    licence: str = ""
    """Licence of the painting."""

    def __post_init__(self) -> None:
        problems = choices(self)
        if not isinstance(self.image, str | PathLike):
            problems.append(f"image must be the name of a file, got {self.image!r}")
        reject(problems)
        object.__setattr__(self, "image", Path(self.image))


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """All that decides the weights of a trained network."""

    name: str = "styles"
    """Name of the model."""
    styles: tuple[StyleSettings, ...] = ()
    """The styles, in the order of the weights; style 0 is the photograph itself."""
    paintings: Path | None = None
    """Instead of styles: a folder of paintings, to train a network for any painting."""
    embedding: int = 128
    """For any painting: numbers in a style's vector."""
    architecture: Architecture = "johnson"
    """johnson: Johnson's network, at full to a quarter of the photograph's resolution;
    hourglass: at half to an eighth of it, twice as fast."""
    width: float = 1.0
    """Multiplier of the network's channels."""
    size: int = 256
    """Side of the training crops in pixels, a multiple of 4 (hourglass: 8)."""
    style_size: int = 512
    """Long side of the paintings in pixels. Never enlarged."""
    batch: int = 4
    """Photographs a step."""
    steps: int = 8_000
    """Steps of the whole run."""
    optimizer: TrainOptimizer = "muon"
    """Muon needs half as many steps as Adam or fewer."""
    learning_rate: float | None = None
    """Highest rate, which falls along a cosine to 1 % of it; without it 0.02 for Muon
    and 0.001 for Adam."""
    warmup_steps: int = 100
    """Steps along which the rate rises from 0."""
    clip: float = 0.0
    """Largest norm of the gradient of all weights (0: no limit)."""
    ema: float = 0.999
    """Momentum of the moving average of the weights, which is what is saved; after n
    steps n / (n + 9) at most, so that a short run does not keep its first weights."""
    mix: float = 0.25
    """Fraction of examples that mix two styles at random."""
    content_budget: float = 0.55
    """Content error to reach: squared error of the content layers over the photograph's
    energy there, in crops. Each style's weight follows until it is met (0: none does,
    the style weight stays)."""
    temporal_weight: float = 40.0
    """Weight of the temporal term: the mean squared difference, in 0..1, between the
    picture of a moved photograph and the moved picture (0: no such term)."""
    tone_weight: float = 0.5
    """Weight of the tone term: 1 less the correlation between photograph and picture of
    the luminance in squares of 16 pixels: dark surfaces stay dark (0: no such term)."""
    weaker: float = 0.25
    """Fraction of examples painted at less than full strength (0: none is, and the
    photograph is mixed in instead)."""
    relight: float = 0.3
    """Fraction of photographs that are made darker, lighter or flat in parts."""
    seed: int = 0
    """Seed of the weights, the order, the crops and the mixes."""
    precision: Precision = "auto"
    """Arithmetic of network and extractor; statistics and losses are float32."""
    loss: LossSettings = dataclasses.field(default_factory=lambda: LOSS)
    """The loss."""
    extractor: ExtractorSettings = dataclasses.field(default_factory=ExtractorSettings)
    """The network of the loss."""

    def __post_init__(self) -> None:
        problems = choices(self)
        if not isinstance(self.styles, tuple | list) or not all(
            isinstance(style, StyleSettings) for style in self.styles
        ):
            problems.append(
                f"styles must be a tuple of StyleSettings, got {self.styles!r}"
            )
        reject(problems)
        if self.loss.palette is None:
            usual = TRAINED_PALETTE if self.loss.convention == "relative" else 0.0
            loss = dataclasses.replace(self.loss, palette=usual)
            object.__setattr__(self, "loss", loss)
        problems = all_at_least(
            self, size=32, style_size=32, batch=1, steps=1, warmup_steps=0
        )
        problems += within("seed", self.seed, 0, _LARGEST_SEED)
        multiple = MULTIPLES[self.architecture]
        if self.size % multiple:
            problems.append(f"size must be a multiple of {multiple}, got {self.size}")
        if self.learning_rate is not None:
            problems += exceeds("learning_rate", self.learning_rate)
        if self.loss.strength is not None:
            problems.append(
                "strength is for the optimisation of one picture; in training a content"
                " budget says what may be given up: content_budget"
            )
        problems += at_least("clip", self.clip)
        problems += momentum("ema", self.ema)
        for name in ("mix", "weaker", "relight"):
            problems += within(name, getattr(self, name), 0, 1)
        problems += at_least("content_budget", self.content_budget, 0)
        for name in ("temporal_weight", "tone_weight"):
            problems += at_least(name, getattr(self, name))
        problems += at_least("embedding", self.embedding, 2)
        if not self.styles and self.paintings is None:
            problems.append("a recipe needs at least one [[styles]], or paintings")
        if self.styles and self.paintings is not None:
            problems.append("a recipe has [[styles]] or paintings, not both")
        problems += file_name("the model's name", self.name)
        names = [style.name for style in self.styles]
        for style in self.styles:
            if not _NAME.fullmatch(style.name):
                problems.append(
                    f"style name {style.name!r} must be of a-z, 0-9, - and _, such as"
                    f" {style_name(style.name)}"
                )
            if style.size is not None:
                problems += at_least(f"size of {style.name}", style.size, MIN_SIDE)
            problems += exceeds(f"strength of {style.name}", style.strength)
            if style.content_budget is not None:
                problems += exceeds(
                    f"content_budget of {style.name}", style.content_budget
                )
        if len(set(names)) != len(names):
            problems.append(f"two styles have one name: {', '.join(names)}")
        try:
            self.network()
        except InputError as error:
            if self.styles or self.paintings:
                problems.append(str(error))
        reject(problems)

    def network(self, **changes: Any) -> NetworkSettings:
        """Return the settings of the network to train."""
        own: dict[str, Any] = {
            "styles": self.embedding if self.paintings else len(self.styles),
            "architecture": self.architecture,
            "width": self.width,
            "trained_strength": self.weaker > 0,
        }
        return NetworkSettings(**own | changes)

    @property
    def budgets(self) -> list[float]:
        """The content errors to reach, one a style; empty without a budget."""
        if not self.content_budget:
            return []
        if self.paintings:
            return [self.content_budget]
        return [style.content_budget or self.content_budget for style in self.styles]


def style_name(text: str) -> str:
    """Return a legal name of a style for any text, such as the name of a file.

    Letters lose their accents; what is left of none, as of other scripts, is `style`.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9-]+", "_", plain.lower()).strip("_-")
    return name or "style"


def with_style(card: Mapping[str, Any], name: str, image: Path) -> TrainSettings:
    """Return the settings that add a style to a trained model.

    Args:
        card: The model's `model.json`.
        name: Name of the new style.
        image: The painting.

    Raises:
        InputError: The card's recipe does not fit this version, or the name is taken.
    """
    try:
        # Cards of version 0.1 name none of these, and mean what was before.
        before = {"architecture": "johnson", "content_budget": 0.0, "weaker": 0.0}
        before |= {"temporal_weight": 0.0, "tone_weight": 0.0}
        recipe = before | card["recipe"]
        recipe["loss"] = {"palette": 0.0, **recipe.get("loss", {})}
        settings = from_plain(TrainSettings, recipe)
    except InputError as error:
        raise InputError(f"the model's recipe does not fit: {error}") from error
    style = StyleSettings(name=name, image=image)
    changes: dict[str, Any] = {"steps": ADDED_STEPS}
    if settings.paintings is not None:
        # One style alone, from where the encoder has it, with the palette of today.
        loss = dataclasses.replace(settings.loss, palette=None)
        changes = {"paintings": None, "name": name, "loss": loss, **_TUNED}
    return dataclasses.replace(
        settings,
        styles=(*settings.styles, style),
        **changes,
        # What is at hand here, whatever the model was trained with.
        extractor=dataclasses.replace(settings.extractor, network="auto"),
    )


def sweep(settings: TrainSettings, factors: Sequence[float]) -> TrainSettings:
    """Return settings that train every style at several strengths in one network.

    Its previews are the contact sheet to choose from: style NAME at factor 0.3 is the
    style NAME-x0_3. A content budget is multiplied too, up to an error at which nothing
    of the photograph is left.
    """

    def budget(style: StyleSettings, factor: float) -> float | None:
        usual = style.content_budget or settings.content_budget
        return min(factor * usual, NOTHING_LEFT) if settings.content_budget else None

    styles = tuple(
        dataclasses.replace(
            style,
            name=f"{style.name}-x{factor:g}".replace(".", "_"),
            strength=style.strength * factor,
            content_budget=budget(style, factor),
        )
        for style in settings.styles
        for factor in factors
    )
    return dataclasses.replace(settings, styles=styles)
