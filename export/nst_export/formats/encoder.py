"""The encoder of a model for any painting, as a LiteRT file."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from nst_export.card import Card, embed
from nst_export.formats.shapes import with_default_shape
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
    path.write_bytes(embed(_converted(encoder), card))
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


def _converted(encoder: StyleEncoder) -> bytes:
    spec = tf.TensorSpec((1, None, None, 3), tf.float32, name="painting")

    @tf.function(input_signature=[spec])
    def serve(painting: Any) -> Any:
        return {"vector": encoder(painting)}

    # Frozen first: the converter leaves variables in, which no delegate takes.
    frozen = convert_variables_to_constants_v2(serve.get_concrete_function())

    @tf.function(input_signature=[spec])
    def signature(painting: Any) -> dict[str, Any]:
        return {"vector": frozen(painting)[0]}

    module = tf.Module()
    module.signature = signature
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=signature)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=["serving_default"]
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        return with_default_shape(bytes(converter.convert()))
