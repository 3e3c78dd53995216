"""Settings of a compression: plain frozen dataclasses."""

import dataclasses
from typing import get_args

from nst_tf.settings.checks import at_least, reject
from nst_tf.settings.loss import Vgg


@dataclasses.dataclass(frozen=True, kw_only=True)
class CompressSettings:
    """All that decides the numbers of a compressed loss network."""

    network: Vgg = "vgg19"
    """The network that is compressed."""
    numbers: int = 5_000_000
    """Most numbers of the factored kernels: a byte each in the file."""
    crops: int = 88
    """Pictures that the closed form is fitted on."""
    crop: int = 160
    """Side of the pictures in pixels."""
    steps: int = 1500
    """Steps of training; 0 leaves the closed form."""
    rate: float = 5e-4
    """Largest step of a kernel, relative to its own root mean square."""
    batch: int = 4
    """Pictures a step."""
    runs: int = 10
    """Batches of pictures that are on their way at a time."""
    seed: int = 0
    """What crops, runs and positions come from."""

    def __post_init__(self) -> None:
        problems = at_least("rate", self.rate)
        for name in ("numbers", "crops", "batch", "runs"):
            problems += at_least(name, getattr(self, name), 1)
        problems += at_least("crop", self.crop, 32)
        problems += at_least("steps", self.steps, 0)
        problems += at_least("seed", self.seed, 0)
        if self.network not in get_args(Vgg):
            problems.append(f"network must be vgg19 or vgg16, got {self.network}")
        if self.crop % 16:
            problems.append(f"crop must be a multiple of 16, got {self.crop}")
        reject(problems)
