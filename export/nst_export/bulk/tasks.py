"""What a worker is told, and what it answers: plain values that any process takes."""

import dataclasses
from pathlib import Path
from typing import NamedTuple

from nst_export.painting import Manner


class Task(NamedTuple):
    """A photograph to paint.

    Attributes:
        place: A folder, or the photograph itself; a path or a URL.
        name: The photograph's below it, "" for the place itself.
        output: The picture's name below the folder of all.
        look: Which of the setup's weights it is painted with.
    """

    place: str
    name: str
    output: str
    look: int


class Result(NamedTuple):
    """What became of a photograph.

    Attributes:
        path: The photograph's path or URL.
        output: As in its task.
        error: Why it was left out, "" if it is painted.
        note: What its file has no room for.
        fatal: Why no photograph can be painted by this worker.
    """

    path: str
    output: str
    error: str = ""
    note: str = ""
    fatal: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setup:
    """What all workers of a run have in common."""

    model: Path | None
    """The model's file, at the same path on every machine, or the name of one that
    ships; None for the gallery."""
    engine: str
    """What runs it."""
    threads: int
    """Threads a picture."""
    output: str
    """The folder of all pictures; a path or a URL."""
    looks: tuple[tuple[float, ...], ...]
    """Weights of styles that occur, from `mix_weights`."""
    manner: Manner
    """How photographs are read, painted and written."""
    version: str
    """The program's, which every worker's must be."""
