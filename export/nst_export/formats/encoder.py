"""The encoder of a model for any painting, as a LiteRT file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from nst_export.card import Card, embed
from nst_export.formats.litert import to_litert
from nst_export.runtime.encoder import PaintingEncoder, encoder_beside
from nst_tf.files import sha256
from nst_tf.imaging.seen import seen
from nst_tf.settings.checks import InputError

_LIMIT = 0.005
"""Largest difference of a number of a vector, over the largest of them."""


def to_vectors(encoder: keras.Model, rows: np.ndarray) -> keras.Model:
    """Return an encoder that gives vectors of styles, not weights of rows.

    Args:
        encoder: From paintings to weights `[B, K]`.
        rows: The vectors that they are of, `[K, S]`.
    """
    dense = keras.layers.Dense(
        rows.shape[1], use_bias=False, dtype="float32", name="rows"
    )
    vector = dense(encoder.output)
    dense.set_weights([rows])
    return keras.Model({"painting": encoder.input}, {"vector": vector})


def write_encoder(
    folder: Path, encoder: keras.Model, card: Card, paintings: Sequence[np.ndarray]
) -> dict[str, Any]:
    """Write the encoder with float16 weights; return its entry in the card.

    Args:
        folder: Of the export.
        encoder: From `to_vectors`, float32.
        card: The model's card, to be kept inside the file.
        paintings: Pictures on which file and network are compared.

    Raises:
        InputError: They differ by too much.
    """
    path = encoder_beside(folder / "any", card)
    path.write_bytes(embed(to_litert(encoder, kind="float16"), card))
    mine, worst = PaintingEncoder(path), 0.0
    for painting in paintings:
        view = seen(painting)
        expected = np.asarray(encoder({"painting": view})["vector"])[0]
        gap = np.abs(mine(painting) - expected).max() / np.abs(expected).max()
        worst = max(worst, float(gap))
    if worst > _LIMIT:
        raise InputError(
            f"{path.name} differs from the encoder by {worst:.3f} of a vector's largest"
            f" number, more than {_LIMIT:g}"
        )
    return {
        "file": path.name,
        "kind": "float16",
        "size": "any",
        "bytes": path.stat().st_size,
        "sha256": sha256(path),
        "max_difference": worst,
    }
