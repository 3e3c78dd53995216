"""A table of photographs: path, style and strength of each."""

import csv
import io
import math
from typing import Any, NamedTuple

from nst_export.runtime.mix import STRONGEST
from nst_tf.settings.checks import InputError
from nst_tf.storage import Store

COLUMNS = ("path", "style", "strength")
"""What is read of a manifest; path must be there."""


class Row(NamedTuple):
    """A line of a manifest; None where the command's flags decide."""

    path: str
    style: str | None
    strength: float | None


class Manifest(NamedTuple):
    """Rows, and the names of columns that are not used."""

    rows: list[Row]
    others: list[str]


def read_manifest(place: str) -> Manifest:
    """Read a `.parquet` or a `.csv`, a path or a URL.

    Raises:
        InputError: It is neither, has no column path, or a strength is no number in
            0..`STRONGEST`.
    """
    store = Store(place)
    ending = place.lower().rpartition(".")[2]
    if ending not in ("csv", "parquet"):
        raise InputError(f"a manifest is a .csv or a .parquet, got {place}")
    data = store.read("")
    columns, lines = _csv(place, data) if ending == "csv" else _parquet(place, data)
    if "path" not in columns:
        raise InputError(
            f"{place} has no column path; its columns are {', '.join(columns)}"
        )
    rows = [
        Row(
            _text(place, number, line["path"]),
            str(line["style"]) if line.get("style") else None,
            _strength(place, number, line.get("strength")),
        )
        for number, line in enumerate(lines, 1)
    ]
    if not rows:
        raise InputError(f"{place} names no photograph")
    return Manifest(rows, [name for name in columns if name not in COLUMNS])


def _csv(place: str, data: bytes) -> tuple[list[str], list[dict[str, Any]]]:
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        lines = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{place} is no CSV in UTF-8: {error}") from error
    return list(reader.fieldnames or ()), lines


def _parquet(place: str, data: bytes) -> tuple[list[str], list[dict[str, Any]]]:
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(io.BytesIO(data))
        names = file.schema_arrow.names
        table = file.read(columns=[name for name in COLUMNS if name in names])
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{place} is no Parquet file: {error}") from error
    return list(names), table.to_pylist()


def _text(place: str, number: int, value: Any) -> str:
    if not value:
        raise InputError(f"row {number} of {place} has no path")
    return str(value)


def _strength(place: str, number: int, value: Any) -> float | None:
    if value is None or value == "":
        return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not 0 <= found <= STRONGEST:
        raise InputError(
            f"row {number} of {place}: strength must be in 0..{STRONGEST}, got {value}"
        )
    return found
