"""What `nst export` writes."""

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from nst_export.formats.table import TABLE
from nst_tf.settings.checks import MIN_SIDE, reject

if TYPE_CHECKING:
    Format = str
else:
    Format = Literal[tuple(TABLE)]
FORMATS: tuple[Format, ...] = tuple(n for n, line in TABLE.items() if not line.asked)
"""What is written without further words."""
_SIZE = re.compile(r"(\d+)x(\d+)")
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]*")


def _help() -> str:
    """Return what `--formats` may be, the formats that are asked for last."""
    told = [f"{n} ({TABLE[n].note})" if TABLE[n].note else n for n in FORMATS]
    asked = [f"and {n}, {line.note}" for n, line in TABLE.items() if line.asked]
    return f"What to write: {'; '.join([', '.join(told), *asked])}."


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportSettings:
    """Which files are made of a trained model."""

    formats: Annotated[tuple[Format, ...], tyro.conf.arg(help=_help())] = FORMATS
    """What to write."""
    style: str | None = None
    """Export this style alone, as models without style weights as an input (then there
    are no litert-tiles)."""
    sizes: tuple[str, ...] = ()
    """WIDTHxHEIGHT of LiteRT files with a fixed size (browsers, GPUs), besides the one
    for any size."""
    vectors: tuple[Path, ...] = ()
    """Files of styles (.style.json, of nst train --add-style) that a model for any
    painting is to have by name."""
    license: str | None = None
    """Licence of the model for its card, as the Hugging Face Hub writes it, such as
    apache-2.0 or cc-by-4.0; the gallery's is known."""

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
        given: dict[str, tuple[str, ...]]
        given = {"formats": self.formats, "sizes": self.sizes}
        for field, names in given.items():
            if twice := sorted({n for n in names if names.count(n) > 1}):
                problems.append(f"{field} names {', '.join(twice)} twice")
        if self.style is not None and self.formats != FORMATS:
            problems += [
                f"there is no {name} of one style alone: leave out style, or {name}"
                for name in self.formats
                if not TABLE[name].single
            ]
        if self.license is not None and not _LICENSE.fullmatch(self.license):
            problems.append(
                "license is the Hub's name of a licence, such as apache-2.0, cc-by-4.0,"
                f" mit or other, got {self.license!r}"
            )
        reject(problems)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The sizes as width and height."""
        split = (size.split("x") for size in self.sizes)
        return [(int(width), int(height)) for width, height in split]
