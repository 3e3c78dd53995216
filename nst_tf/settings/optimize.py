"""Settings of an optimisation: a plain frozen dataclass.

Defaults live in such classes and nowhere else: the command line, the documentation and
the tests read them from there. Standard library only.
"""

import dataclasses
from typing import Literal

from nst_tf.settings import weight_changes
from nst_tf.settings.checks import (
    MIN_SIDE,
    InputError,
    at_least,
    choices,
    exceeds,
    momentum,
    parse_memory,
    reject,
)
from nst_tf.settings.loss import ExtractorSettings, LossSettings
from nst_tf.settings.schedule import parse_schedule

Optimizer = Literal["lbfgs", "adam"]
Precision = Literal["auto", "float32", "bfloat16"]
Side = Literal["long", "short"]
Resample = Literal["lanczos", "bilinear"]
Metric = Literal["spatial", "none"]
Depth = Literal["shallow", "middle", "whole"]
Color = Literal[
    "off",
    "luminance",
    "match-cholesky",
    "match-pca",
    "match-symmetric",
    "match-histogram",
]


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
    steps: int = 60
    """Evaluations of loss and gradient at the final scale."""
    coarse_steps: int = 60
    """Evaluations at each coarser scale."""
    schedule: str = "auto"
    """What the evaluations look at. whole: all of the loss. shallow-first: each scale
    begins with 30 more of the shallower style layers alone. deep-last: also, the
    deepest style layer joins for the last fifth. auto: whole for a relative loss, else
    deep-last with the notebook's own style term, else shallow-first. Other numbers:
    deep-last=30,0.8."""
    init: str = "content"
    """Start from content, noise, style, one-pass (a network's picture by the paintings)
    or the path of an image file."""
    seed: int = 0
    """Seed of the noise."""
    optimizer: Optimizer = "lbfgs"
    """L-BFGS, or Adam whose result is the moving average of the iterates."""
    learning_rate: float | None = None
    """Step length; without it 1 for L-BFGS and 0.02 (of the 0..1 range) for Adam."""
    history: int = 20
    """Curvature pairs that L-BFGS keeps; each costs two pictures of memory."""
    metric: Metric = "spatial"
    """Where L-BFGS makes long steps before it has seen any curvature: along low spatial
    frequencies, which saves a quarter of the evaluations, or nowhere."""
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
    """Weights of the terms that change on the way: for each change the evaluation
    after which (0: from the start) and the weights of all terms, in the order of
    their flags. A live run writes down here what it was told."""
    precision: Precision = "auto"
    """Arithmetic of the extractor; Gram matrices and losses are always float32."""
    memory: str | None = None
    """Most memory that the program may take, such as 4GB or 1800MB: larger pictures are
    worked on in tiles, with the same result, and L-BFGS keeps fewer pairs, or does
    without its metric. nst optimize sets it where a picture would not fit otherwise."""
    loss: LossSettings = dataclasses.field(default_factory=LossSettings)
    """The loss."""
    extractor: ExtractorSettings = dataclasses.field(default_factory=ExtractorSettings)
    """The network."""

    def __post_init__(self) -> None:
        problems = choices(self)
        problems += at_least("size", self.size, MIN_SIDE)
        if self.style_size is not None:
            problems += at_least("style_size", self.style_size, MIN_SIDE)
        problems += exceeds("style_scale", self.style_scale)
        for share in self.style_shares or ():
            problems += at_least("style_shares", share)
        if self.style_shares is not None and not any(self.style_shares):
            problems.append("style_shares can't all be 0")
        problems += at_least("scales", self.scales, 1)
        problems += at_least("steps", self.steps, 1)
        problems += at_least("coarse_steps", self.coarse_steps, 1)
        try:
            parse_schedule(self.schedule, self.loss)
        except InputError as error:
            problems.append(str(error))
        problems += at_least("history", self.history, 1)
        problems += at_least("backtracking", self.backtracking, 0)
        problems += at_least("seed", self.seed, 0)
        problems += exceeds("scale_factor", self.scale_factor, 1)
        problems += at_least("tolerance", self.tolerance)
        problems += momentum("ema", self.ema)
        if self.memory is not None:
            try:
                parse_memory(self.memory)
            except InputError as error:
                problems.append(str(error))
        if self.learning_rate is not None:
            problems += exceeds("learning_rate", self.learning_rate)
        problems += weight_changes.problems(self.weight_changes)
        if self.linear_light and not self.color.startswith("match-"):
            problems.append(
                "linear_light says how colours are matched: choose a color of"
                f" match-..., got {self.color}"
            )
        reject(problems)

    @property
    def searches(self) -> bool:
        """Whether the weight of style is found on the way, and not yet known."""
        return self.loss.content_error is not None and not self.weight_changes
