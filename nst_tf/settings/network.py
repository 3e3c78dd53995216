"""Settings of the transform network."""

import dataclasses
import types
from collections.abc import Mapping
from typing import Literal

from nst_tf.settings.checks import at_least, choices, reject, within

Architecture = Literal["hourglass", "johnson"]
Lowering = Literal["native", "multiples", "slices"]
MULTIPLES: Mapping[Architecture, int] = types.MappingProxyType(
    {"hourglass": 8, "johnson": 4}
)
"""The strides of a network, one after the other: what both sides of a picture must be
multiples of with other lowerings than native."""
MULTIPLE = MULTIPLES["johnson"]
"""What they are for models whose card does not say."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """Shape of the transform network."""

    styles: int = 1
    """Number of styles besides the photograph itself, which is style 0."""
    architecture: Architecture = "johnson"
    """hourglass: half to an eighth of the photograph's resolution; johnson: Johnson's,
    at full to a quarter of it."""
    trained_strength: bool | None = None
    """Whether the normalisations know the photograph's share, so that less strength is
    less painting; if not, the photograph is mixed in. Without it that of models saved
    before there was a choice: hourglass yes, johnson no."""
    width: float = 1.0
    """Multiplier of the channels: 0.5 and 0.25 are faster."""
    lowering: Lowering = "native"
    """How layers are written: native for any size; multiples for sides that are
    multiples of 4 (hourglass: 8); slices for these too, in the form LiteRT's
    kernels take whole."""
    vectors: bool = False
    """Whether the style is given as all scales and shifts of the normalisations, not
    as weights of rows of them: then paintings of which there is no row can be it."""
    dtype: str = "float32"
    """A Keras dtype policy: float32, or mixed_bfloat16 for training."""

    @property
    def multiple(self) -> int:
        """What both sides must be multiples of with other lowerings than native."""
        return MULTIPLES[self.architecture]

    def __post_init__(self) -> None:
        problems = choices(self)
        problems += at_least("styles", self.styles, 1)
        problems += within("width", self.width, 0.1, 2)
        reject(problems)
        if self.trained_strength is None:
            trained = self.architecture == "hourglass"
            object.__setattr__(self, "trained_strength", trained)
