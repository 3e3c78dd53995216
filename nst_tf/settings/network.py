"""Settings of the transform network."""

import dataclasses
from typing import Literal

from nst_tf.settings.checks import at_least, reject, within

Lowering = Literal["native", "multiples", "slices"]
MULTIPLE = 4
"""The network's two strides: what both sides of a picture must be multiples of with
other lowerings than native."""


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
        problems = at_least("styles", self.styles, 1)
        problems += within("width", self.width, 0.1, 2)
        reject(problems)
