"""What `nst export` writes."""

import dataclasses
import re
from typing import Literal

from nst_tf.settings.checks import MIN_SIDE, reject

Format = Literal[
    "saved_model",
    "litert",
    "litert-float16",
    "litert-int8",
    "litert-full-int8",
    "litert-tiles",
    "onnx",
    "web",
]
FORMATS: tuple[Format, ...] = (
    "saved_model",
    "litert",
    "litert-float16",
    "litert-int8",
    "litert-tiles",
    "onnx",
)
"""What is written without further words."""
_SIZE = re.compile(r"(\d+)x(\d+)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportSettings:
    """Which files are made of a trained model."""

    formats: tuple[Format, ...] = FORMATS
    """What to write: saved_model, litert, litert-float16, litert-int8, litert-tiles
    (for huge pictures), onnx; and litert-full-int8, for accelerators that need it;
    and web, a folder that paints in the browser, for which npm fetches LiteRT.js."""
    style: str | None = None
    """Export this style alone, as models without style weights as an input (then there
    are no litert-tiles)."""
    sizes: tuple[str, ...] = ()
    """WIDTHxHEIGHT of LiteRT files with a fixed size (browsers, GPUs), besides the one
    for any size."""

    def __post_init__(self) -> None:
        problems = []
        if not self.formats:
            problems.append("formats must name at least one")
        for size in self.sizes:
            match = _SIZE.fullmatch(size)
            sides = [int(side) for side in match.groups()] if match else []
            if not sides or min(sides) < MIN_SIDE or any(side % 4 for side in sides):
                problems.append(
                    f"sizes are WIDTHxHEIGHT, multiples of 4 from {MIN_SIDE}, such as"
                    f" 512x384; got {size}"
                )
        reject(problems)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The sizes as width and height."""
        split = (size.split("x") for size in self.sizes)
        return [(int(width), int(height)) for width, height in split]
