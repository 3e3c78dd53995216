"""The encoder of a model for any painting, as files."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from nst_export.card import Card, embed
from nst_export.formats.litert import Kind, to_litert
from nst_export.runtime.encoder import PaintingEncoder, encoder_beside
from nst_export.verify import file_facts
from nst_tf.settings.checks import InputError

Written = tuple[Path, str, Callable[[np.ndarray], np.ndarray]]
"""A file, how its weights are kept, and what makes a vector `[S]` by it."""
_LIMITS = {"float32": 0.005, "float16": 0.005, "int8": 0.1}
"""Largest difference of a number of a vector, over the largest of them, by the kind of
weights. Of int8 it is .02 to .05 (83 paintings and photographs): what pictures lose of
the photograph and how near they come to the painting stays the same."""


def write_encoders(
    folder: Path,
    encoder: keras.Model,
    card: Card,
    views: Sequence[np.ndarray],
    formats: Sequence[str],
) -> list[dict[str, Any]]:
    """Write the encoder, and return the entries of its files in the card.

    Always as LiteRT with float16 weights; with int8 weights, as ONNX and as SavedModel
    where the network is written so.

    Args:
        folder: Of the export.
        encoder: From `nst_tf.network.vectors.vector_encoder`, float32.
        card: The model's card, to be kept inside the files.
        views: What `seen` made of pictures on which files and network are compared.
        formats: Names of the formats of the network.

    Raises:
        InputError: A file differs by too much.
    """
    expected = [np.asarray(encoder({"painting": view})["vector"])[0] for view in views]
    found = []
    for needed, write in _FORMS.items():
        if needed and needed not in formats:
            continue
        path, kind, run = write(folder, encoder, card)
        worst = max(
            float(np.abs(run(view) - vector).max() / np.abs(vector).max())
            for view, vector in zip(views, expected, strict=True)
        )
        if worst > _LIMITS[kind]:
            raise InputError(
                f"{path.name} differs from the encoder by {worst:.3f} of a vector's"
                f" largest number, more than {_LIMITS[kind]:g}"
            )
        facts = file_facts(path, None, kind, "any")
        found.append({**facts, "max_difference": worst})
    return found


def _litert(
    folder: Path, encoder: keras.Model, card: Card, *, kind: Kind = "float16"
) -> Written:
    path = encoder_beside(folder / "any", card)
    if kind != "float16":
        path = path.with_stem(f"{path.stem}-{kind}")
    # The styles and their vectors are in the network's file.
    path.write_bytes(embed(to_litert(encoder, kind=kind), {**card, "styles": []}))
    return path, kind, PaintingEncoder(path).vector


def _onnx(folder: Path, encoder: keras.Model, card: Card) -> Written:
    import onnxruntime

    from nst_export.formats.onnx import encoder_to_onnx

    path = encoder_beside(folder / "any", card).with_suffix(".onnx")
    path.write_bytes(encoder_to_onnx(encoder, card))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return path, "float32", lambda view: session.run(None, {"painting": view})[0][0]


def _saved_model(folder: Path, encoder: keras.Model, card: Card) -> Written:
    import tensorflow as tf

    from nst_export.formats.saved_model import write_saved_encoder

    name = encoder_beside(folder / "any", card).stem
    path = folder / "saved_model" / name / "1"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_saved_encoder(encoder, path)
    run = tf.saved_model.load(str(path)).signatures["serving_default"]

    def vector(view: np.ndarray) -> np.ndarray:
        found: np.ndarray = run(painting=tf.constant(view))["vector"].numpy()[0]
        return found

    return path, "float32", vector


_FORMS: dict[str, Callable[[Path, keras.Model, Card], Written]] = {
    "": _litert,
    "litert-int8": functools.partial(_litert, kind="int8"),
    "onnx": _onnx,
    "saved_model": _saved_model,
}
"""What writes an encoder's file, by the network's format that it belongs to."""
