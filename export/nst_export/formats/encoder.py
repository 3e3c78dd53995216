"""The encoder of a model for any painting, as a LiteRT file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from nst_export.card import Card, embed
from nst_export.formats.litert import to_litert
from nst_export.runtime.encoder import SUFFIX, PaintingEncoder
from nst_tf.files import sha256
from nst_tf.network.encoder import StyleEncoder
from nst_tf.settings.checks import InputError

_LIMIT = 0.02
"""Largest difference of a number of a vector, over the vector's length."""


def write_encoder(
    folder: Path, encoder: StyleEncoder, card: Card, paintings: Sequence[np.ndarray]
) -> dict[str, Any]:
    """Write the encoder with int8 weights; return its entry in the card.

    Args:
        folder: Of the export.
        encoder: Float32.
        card: The model's card, to be kept inside the file.
        paintings: Pictures on which file and network are compared.

    Raises:
        InputError: They differ by too much.
    """
    path = folder / f"{card['name']}{SUFFIX}"
    named = keras.Model({"painting": encoder.input}, {"vector": encoder.output})
    path.write_bytes(embed(to_litert(named, kind="int8"), card))
    mine, worst = PaintingEncoder(path), 0.0
    for painting in paintings:
        found = mine(painting)
        expected = np.asarray(encoder(mine.seen(painting)))[0]
        gap = np.abs(found - expected).max() / np.linalg.norm(expected)
        worst = max(worst, float(gap))
    if worst > _LIMIT:
        raise InputError(
            f"{path.name} differs from the encoder by {worst:.3f} of a vector's length,"
            f" more than {_LIMIT:g}"
        )
    return {
        "file": path.name,
        "kind": "int8",
        "size": "any",
        "bytes": path.stat().st_size,
        "sha256": sha256(path),
        "max_difference": worst,
    }
