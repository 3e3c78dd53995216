"""The state of an optimisation in one file: what a resumed run needs for equal bits."""

import contextlib
import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nst_tf.files import replacing
from nst_tf.settings.checks import InputError


class Checkpoint(NamedTuple):
    """A stopped optimisation.

    Attributes:
        meta: JSON-ready facts: settings, counters, what the run belongs to.
        arrays: Variables, in order; their meaning is the writer's.
    """

    meta: dict[str, Any]
    arrays: list[np.ndarray]


def save_checkpoint(
    path: Path, meta: dict[str, Any], arrays: Iterable[np.ndarray]
) -> None:
    """Write the state through a temporary file, so that `path` is always whole."""
    facts = np.frombuffer(json.dumps(meta).encode(), "uint8")
    with replacing(path) as part, zipfile.ZipFile(part, "w") as file:
        _write(file, "meta", facts)  # NumPy's .npz, one array at a time.
        for index, array in enumerate(arrays):
            _write(file, f"array{index:04d}", array)


def _write(file: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    with file.open(f"{name}.npy", "w", force_zip64=True) as entry:
        np.lib.format.write_array(entry, array, allow_pickle=False)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read what `save_checkpoint` wrote.

    Raises:
        InputError: The file is missing or not a checkpoint.
    """
    with _opened(path) as file:
        names = sorted(name for name in file.files if name != "meta")
        return Checkpoint(_meta(file), [file[name] for name in names])


def read_meta(path: Path) -> dict[str, Any]:
    """Read the facts alone, without the arrays.

    Raises:
        InputError: The file is missing or not a checkpoint.
    """
    with _opened(path) as file:
        return _meta(file)


def _meta(file: Any) -> dict[str, Any]:
    meta: dict[str, Any] = json.loads(file["meta"].tobytes())
    return meta


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            yield file
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is no usable checkpoint: {error}") from error
