"""The state of a run in one file: what a resumed run needs for equal bits.

Read without Keras: what a state says may decide how a backend starts.
"""

import contextlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nst_tf.files import replacing
from nst_tf.running.identity import RunIdentity
from nst_tf.settings.checks import InputError

if TYPE_CHECKING:
    import keras

_META = "meta"
_NPZ_ERRORS = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)
"""What NumPy raises for a file that is cut off, damaged or no `.npz`."""


class Checkpoint(NamedTuple):
    """A stopped run.

    Attributes:
        meta: JSON-ready facts: counters, what the run belongs to.
        arrays: Values of the variables by their names.
    """

    meta: dict[str, Any]
    arrays: dict[str, np.ndarray]


class StateFile:
    """The state of one run on disk.

    Args:
        path: The file; without it nothing is kept.
        identity: Whose state it is.
    """

    def __init__(self, path: Path | None, identity: RunIdentity) -> None:
        self.path, self.identity = path, identity

    def save(
        self, facts: Mapping[str, Any], variables: "Mapping[str, keras.Variable]"
    ) -> None:
        """Write the state whole or not at all.

        Args:
            facts: JSON-ready; what the run goes on from.
            variables: From `named_variables`.
        """
        if self.path is None:
            return
        meta = {**facts, "identity": self.identity.facts}
        save_checkpoint(
            self.path, meta, ((name, _value(v)) for name, v in variables.items())
        )

    def load(self) -> Checkpoint | None:
        """Read the state.

        Raises:
            InputError: There is none, or it is another run's.
        """
        if self.path is None:
            return None
        state = load_checkpoint(self.path)
        self.identity.check(state.meta.get("identity", {}), self.path)
        return state

    def restore(
        self, state: Checkpoint, variables: "Mapping[str, keras.Variable]"
    ) -> None:
        """Put the values of a state into the variables of the same names.

        Raises:
            InputError: They are not the same variables.
        """
        if set(state.arrays) != set(variables):
            odd = sorted(set(state.arrays) ^ set(variables))[0]
            raise InputError(
                f"{self.path} is no usable checkpoint: it and this version do not both"
                f" have {odd}; delete it to start anew"
            )
        for name, variable in variables.items():
            variable.assign(state.arrays[name])


def named_variables(
    **owners: "keras.layers.Layer | keras.optimizers.Optimizer",
) -> "dict[str, keras.Variable]":
    """Return the variables of layers and optimizers by owner and Keras path.

    The holder's own name is left out: Keras numbers those of one program.
    """
    found: dict[str, Any] = {}
    for owner, holder in owners.items():
        for variable in holder.variables:
            name = f"{owner}/{variable.path.removeprefix(holder.name + '/')}"
            if name in found:
                raise ValueError(f"two variables are called {name}")
            found[name] = variable
    return found


def _value(variable: "keras.Variable") -> np.ndarray:
    """Return the value in a dtype that every NumPy reads."""
    half = variable.dtype == "bfloat16"
    return np.asarray(variable, "float32" if half else None)


def save_checkpoint(
    path: Path, meta: Mapping[str, Any], arrays: Iterable[tuple[str, np.ndarray]]
) -> None:
    """Write facts and named arrays through a temporary file."""
    facts = np.frombuffer(json.dumps(meta).encode(), "uint8")
    with replacing(path) as part, zipfile.ZipFile(part, "w") as file:
        _write(file, _META, facts)  # NumPy's .npz, one array at a time.
        for name, array in arrays:
            _write(file, name, array)


def _write(file: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    with file.open(f"{name}.npy", "w", force_zip64=True) as entry:
        np.lib.format.write_array(entry, array, allow_pickle=False)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read what `save_checkpoint` wrote.

    Raises:
        InputError: The file is missing or not a checkpoint.
    """
    with open_npz(path) as file:
        names = [name for name in file.files if name != _META]
        return Checkpoint(_meta(file), {name: file[name] for name in names})


def read_meta(path: Path) -> dict[str, Any]:
    """Read the facts alone, without the arrays.

    Raises:
        InputError: The file is missing or not a checkpoint.
    """
    with open_npz(path) as file:
        return _meta(file)


def steps_made(path: Path) -> int:
    """Return how many steps a state was saved after.

    Raises:
        InputError: The file is missing or not a checkpoint of this version.
    """
    meta = read_meta(path)
    if "step" not in meta:
        raise InputError(
            f"{path} is no usable checkpoint: another version wrote it; delete it to"
            " start anew"
        )
    return int(meta["step"])


def _meta(file: Any) -> dict[str, Any]:
    meta: dict[str, Any] = json.loads(file[_META].tobytes())
    return meta


@contextlib.contextmanager
def open_npz(path: Path, fault: str = "is no usable checkpoint") -> Iterator[Any]:
    """Open a `.npz` and close it whatever it holds: NumPy forgets damaged ones.

    Args:
        path: The file.
        fault: What is said of one that is not there or damaged, or lacks what the block
            looks for.

    Raises:
        InputError: It is so.
    """
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            yield file
    except _NPZ_ERRORS as error:
        raise InputError(f"{path} {fault}: {error}") from error
