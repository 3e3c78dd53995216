"""A style as a vector, in a file of its own.

A vector holds the scales and shifts of all normalisations of one network; neither
TensorFlow nor Keras is needed to read it.
"""

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nst_tf.files import replacing
from nst_tf.settings.checks import InputError

SUFFIX = ".style.json"
"""Ending of a file of one style."""
_KIND = "nst-tf style 1"
_NAME = re.compile(r"[^\s=,/](?:[^=,/]*[^\s=,/])?")
"""What a mix can name, and an address can hold."""
_MOST = 2**20
"""Bytes that a file of one style can't have."""


class StyleVector(NamedTuple):
    """A style that fits one network.

    Attributes:
        name: What it is called.
        vector: float32 `[S]`.
        network: Hash of the network that it fits.
        credit: Whose work the painting is.
        licence: Of the painting.
    """

    name: str
    vector: np.ndarray
    network: str
    credit: str = ""
    licence: str = ""

    def entry(self) -> dict[str, str]:
        """Return the style as JSON-ready values."""
        return {**self._asdict(), "vector": to_text(self.vector)}

    def write(self, path: Path) -> None:
        """Write the file of the style, whole or not at all."""
        values = {"kind": _KIND, **self.entry()}
        with replacing(path) as part:
            text = json.dumps(values, ensure_ascii=False, indent=1)
            part.write_text(text + "\n", "utf-8")


def read_style(path: Path, card: Mapping[str, Any]) -> StyleVector:
    """Read the file of a style.

    Args:
        path: What `nst train --add-style` wrote for a model for any painting.
        card: Of the model that is to paint by it.

    Raises:
        InputError: It is not there, damaged, or of another network.
    """
    if not card.get("any"):
        raise InputError(
            f"{path} is a style for a model for any painting, which this one is not:"
            " give --model"
        )
    try:
        if path.stat().st_size > _MOST:
            raise ValueError("it is too large")
        values = json.loads(path.read_text("utf-8"))
        if values["kind"] != _KIND:
            raise ValueError(f"its kind is {values['kind']}")
        texts = {
            key: str(values[key]) for key in ("name", "network", "credit", "licence")
        }
        if not _NAME.fullmatch(texts["name"]):
            raise ValueError(f"its name is {texts['name']!r}")
        vector = from_text(values["vector"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path} is damaged or no file of a style: {error}") from error
    if texts["network"] != card.get("network") or len(vector) != card["any"]:
        raise InputError(
            f"the style {path} was made for another network than that of"
            f" {card.get('name')}: make it again with nst train --add-style"
        )
    return StyleVector(vector=vector, **texts)


def to_text(vector: np.ndarray) -> str:
    """Return float32 numbers as text."""
    return base64.b64encode(np.asarray(vector, "<f4").tobytes()).decode()


def from_text(text: str) -> np.ndarray:
    """Return the float32 numbers of a text.

    Raises:
        ValueError: It is none, or they are not finite.
    """
    found = np.frombuffer(base64.b64decode(text, validate=True), "<f4")
    if not (found.size and np.isfinite(found).all()):
        raise ValueError("the numbers are not finite")
    return found.astype("float32")
