"""The formats of `nst export`: a line each, and what a format must define.

Nothing here imports TensorFlow: a format's own module is loaded when it is written.
"""

import dataclasses
import importlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from nst_export.card import Card
from nst_export.runtime.engines.choose import Engine
from nst_export.runtime.stylizer import Stylizer
from nst_export.verify import Sample
from nst_tf.commands.needs import check_extra
from nst_tf.settings.checks import InputError
from nst_tf.settings.network import Lowering


class Line(NamedTuple):
    """What is known of a format without loading it.

    Attributes:
        target: `module:name` of its `Format`.
        note: What `--help` says of it besides the name, if anything.
        asked: Whether it is written only when asked for.
        extra: The extra of this package that writes and compares it, besides `tf`.
        programs: Programs that it needs, and what brings them.
        single: Whether there is one of a style alone.
    """

    target: str
    note: str = ""
    asked: bool = False
    extra: str = ""
    programs: tuple[tuple[str, str], ...] = ()
    single: bool = True


_HERE = "nst_export.formats"
TABLE: Mapping[str, Line] = MappingProxyType(
    {
        "saved_model": Line(f"{_HERE}.saved_model:FORMAT"),
        "litert": Line(f"{_HERE}.litert:FLOAT32"),
        "litert-float16": Line(f"{_HERE}.litert:FLOAT16"),
        "litert-int8": Line(f"{_HERE}.litert:INT8"),
        "litert-full-int8": Line(
            f"{_HERE}.litert:FULL_INT8", "for accelerators that need it", asked=True
        ),
        "litert-tiles": Line(
            f"{_HERE}.litert:TILES", "for huge pictures and films", single=False
        ),
        "litert-int8-tiles": Line(
            f"{_HERE}.litert:INT8_TILES",
            "the same for litert-int8, twice as fast on CPUs",
            asked=True,
            single=False,
        ),
        "onnx": Line(f"{_HERE}.onnx:FORMAT", extra="onnx"),
        "coreml": Line(
            f"{_HERE}.coreml:FORMAT", "for Apple's devices", asked=True, extra="coreml"
        ),
        "web": Line(
            f"{_HERE}.web:FORMAT",
            "a folder that paints in the browser, for which npm fetches LiteRT.js",
            asked=True,
            programs=(("npm", "Node.js"),),
            single=False,
        ),
    }
)
"""The formats by the names that `--formats` takes."""


class Source(NamedTuple):
    """What a file is made of.

    Attributes:
        network: A Keras model, float32, in the lowering that the format wants.
        card: The model's card, to be kept inside the file.
        samples: Photographs it was not trained on, as the network paints them.
        size: Width and height in pixels that the file is for, None for any.
        tiles: Makes the network that takes and gives statistics.
    """

    network: Any
    card: Card
    samples: Sequence[Sample]
    size: tuple[int, int] | None = None
    tiles: Callable[[], Any] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Format:
    """One kind of file."""

    file: str
    """Its path in the folder of the export, with `{name}` for the model's name."""
    write: Callable[[Path, Source], None]
    """Writes it; the folder is there."""
    kind: str = "float32"
    """How weights and activations are kept, which sets the limit of the difference."""
    lowering: Lowering = "slices"
    """How the network is written."""
    tiles: bool = False
    """Whether the network takes and gives statistics, for pictures in tiles; there is
    no such file of a style alone."""
    engine: Engine = "auto"
    """What runs the file when it is compared with the network."""
    opened: Callable[[Path, Source, int | None], Stylizer] | None = None
    """Loads the file for that, for so many threads (None: one a core), where no engine
    reads it as it is."""
    sized: bool = False
    """Whether there is one for each of the fixed sizes, too."""
    described: Callable[[Path], dict[str, Any]] | None = None
    """Says what is known of a file that nothing on this machine runs: it is then not
    compared with the network, and its entry in the card says so."""

    def path(self, folder: Path, name: str, size: tuple[int, int] | None) -> Path:
        """Return where the file of a model goes."""
        path = folder / self.file.format(name=name)
        if size is None:
            return path
        return path.with_name(f"{path.stem}-{size[0]}x{size[1]}{path.suffix}")

    def stylizer(self, path: Path, source: Source, threads: int | None) -> Stylizer:
        """Load a file that was written, to compare it with the network."""
        if self.opened is not None:
            return self.opened(path, source, threads)
        return Stylizer.load(path, engine=self.engine, threads=threads)


def check_formats(names: Sequence[str]) -> None:
    """Refuse formats whose packages or programs are not here.

    Raises:
        InputError: Names what is missing, and what installs it.
    """
    for name in names:
        line = TABLE[name]
        if line.extra:
            check_extra(line.extra, command=f"export --formats {name}")
        for program, source in line.programs:
            if shutil.which(program) is None:
                raise InputError(f"the format {name} needs {program}: install {source}")


def find_format(name: str) -> Format:
    """Load the format of a name."""
    module, _, constant = TABLE[name].target.partition(":")
    found: Format = getattr(importlib.import_module(module), constant)
    return found
