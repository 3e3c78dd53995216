"""The log of a run: one JSON line a step."""

import contextlib
import json
from pathlib import Path
from typing import IO, Any

from nst_tf.files import replacing
from nst_tf.loss.parts import LossParts
from nst_tf.settings.checks import InputError


class Log:
    """A JSON-lines file; a resumed run keeps the lines it does not repeat.

    Args:
        path: The file.
        keep: Highest count of a line that is kept.
        key: Name of the count.
    """

    def __init__(self, path: Path, *, keep: int, key: str) -> None:
        self._path, self._keep, self._key = path, keep, key
        self._file: IO[bytes] | None = None

    def _open(self) -> IO[bytes]:
        """Open at the first line: a run refused before that leaves the old log.

        What is kept is written to a file beside it first: the log is whole at any time.
        """
        try:
            if self._path.exists() and not self._path.is_file():  # Such as /dev/null.
                return self._path.open("ab", buffering=0)
            kept = self._kept()
            with replacing(self._path) as part:
                part.write_text("".join(kept))
            return self._path.open("ab", buffering=0)
        except OSError as error:
            raise InputError(f"can't write the log {self._path}: {error}") from error

    def _kept(self) -> list[str]:
        """Return the lines of a log that a resumed run does not repeat."""
        kept = []
        if self._keep and self._path.exists():
            for line in self._path.read_text().splitlines():
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    if json.loads(line)[self._key] <= self._keep:
                        kept.append(line + "\n")
        return kept

    def __enter__(self) -> "Log":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, values: dict[str, Any]) -> None:
        """Write one line, whole, at once.

        Raises:
            InputError: It can't be written.
        """
        if self._file is None:
            self._file = self._open()
        line = (json.dumps(values) + "\n").encode()
        try:
            written = self._file.write(line)
            while written < len(line):  # The next part says why, of a full disk.
                written += self._file.write(line[written:])
        except OSError as error:
            raise InputError(f"can't write the log {self._path}: {error}") from error

    def step(self, loss: LossParts, seconds: float, **facts: Any) -> None:
        """Write the line of a step: its facts, its loss, the time since the start."""
        parts = {"loss": loss.total, **loss.terms}
        self.write({**facts, **parts, "seconds": round(seconds, 3)})
