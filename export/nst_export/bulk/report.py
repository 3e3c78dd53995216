"""What was not painted, and what a picture had no room for, as a table."""

import io
import json
from collections.abc import Sequence

from nst_export.bulk.tasks import Result
from nst_tf.settings.checks import InputError
from nst_tf.storage import Store

NAME = "report.jsonl"
"""Of the report, in the folder of the pictures."""


def check_report(place: str) -> None:
    """Refuse a report of a format that is not written.

    Raises:
        InputError: Its ending is neither .jsonl nor .parquet.
    """
    if not place.endswith((".jsonl", ".parquet")):
        raise InputError(f"a report is a .jsonl or a .parquet, got {place}")


def write_report(place: str, results: Sequence[Result]) -> None:
    """Write the results whole or not at all, sorted by photograph.

    Columns: path, output, status (`broken`: nothing is painted; `note`: the picture has
    no room for something), message.

    Args:
        place: A path or a URL that `check_report` let pass.
        results: Those with something to say.

    Raises:
        InputError: The storage does not take it.
    """
    rows = [
        {
            "path": result.path,
            "output": result.output,
            "status": "broken" if result.error else "note",
            "message": result.error or result.note,
        }
        for result in sorted(results)
    ]
    if place.endswith(".parquet"):
        data = _parquet(rows)
    else:
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        data = "".join(lines).encode("utf-8", "backslashreplace")
    Store(place).write("", data)


def _parquet(rows: list[dict[str, str]]) -> bytes:
    import pyarrow
    from pyarrow import parquet

    names = ("path", "output", "status", "message")
    schema = pyarrow.schema([(name, pyarrow.string()) for name in names])
    stream = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), stream)
    return stream.getvalue()
