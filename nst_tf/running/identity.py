"""What two runs must share for one to continue the other."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nst_tf.files import sha256
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import ExtractorSettings

_SHORT = 40
"""Characters up to which a value is shown; of hashes the name says enough."""


class RunIdentity:
    """Settings, pictures and machine facts that decide what a run makes.

    Args:
        facts: JSON-ready values, nested as deep as they are; hashes stand for data.
        other: What an error calls whose a state is.
        hint: What it says besides what differs.
    """

    def __init__(
        self, facts: Mapping[str, Any], *, other: str = "another run", hint: str = ""
    ) -> None:
        # Through JSON's eyes: a tuple and a list are the same.
        self.facts: dict[str, Any] = json.loads(json.dumps(facts))
        self.other, self.hint = other, hint

    def check(self, theirs: Mapping[str, Any], path: Path) -> None:
        """Refuse what another run left, naming what differs.

        Args:
            theirs: The facts it was written with.
            path: The file, for the message.

        Raises:
            InputError: They differ.
        """
        mine, other = _flat(self.facts), _flat(theirs)
        names = [name for name in {**mine, **other} if _differs(name, mine, other)]
        if names:
            listed = ", ".join(_told(name, mine, other) for name in names)
            raise InputError(
                f"{path} belongs to {self.other}; it differs in {listed}{self.hint}"
            )


def hash_arrays(arrays: Iterable[np.ndarray]) -> str:
    """Return the SHA-256 of shapes and values, in hexadecimal."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def extractor_facts(settings: ExtractorSettings) -> dict[str, Any]:
    """Return what of a loss network decides a run: settings, and hashes for files.

    Raises:
        InputError: A weight file can't be read.
    """
    from nst_tf.loss.choice import LITE, find_weights, networks_of

    facts = dataclasses.asdict(settings)
    lite = facts.pop("lite_weights") or LITE
    del facts["vgg_weights"]
    paths = [
        lite
        if name == "lite"
        else find_weights(dataclasses.replace(settings, network=name))
        for name in networks_of(settings)
    ]
    hashes = [sha256(path) if path and path.is_file() else None for path in paths]
    return {**facts, "weights": hashes}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values by dotted names."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _differs(name: str, mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    missing = object()
    return bool(mine.get(name, missing) != theirs.get(name, missing))


def _told(name: str, mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    values = [str(facts.get(name)) for facts in (theirs, mine)]
    if max(map(len, values)) > _SHORT:
        return name
    return f"{name} (there {values[0]}, now {values[1]})"
