"""LiteRT (TensorFlow Lite) files."""

import dataclasses
import functools
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from nst_export.card import embed, extract
from nst_export.formats.shapes import with_default_shape
from nst_export.formats.table import Format, Source
from nst_export.runtime.engines.litert import LiteRTTiles
from nst_export.runtime.stylizer import Stylizer
from nst_export.verify import Sample
from nst_tf.settings.checks import InputError

Kind = Literal["float32", "float16", "int8", "full-int8"]
"""float32; float16 weights; int8 weights with float32 activations; int8 throughout,
which some accelerators need and instance normalisation does not like."""


def to_litert(
    network: keras.Model,
    *,
    kind: Kind = "float32",
    size: tuple[int, int] | None = None,
    calibration: Sequence[Sample] = (),
) -> bytes:
    """Convert a network to a `.tflite` of builtin operations only.

    Args:
        network: From `build_network` with the slices lowering, float32; with tiles or
            without, with the style weights as an input or without. Or any whose inputs
            have names.
        kind: How weights and activations are kept.
        size: Width and height in pixels, multiples of 4; None for any size (browsers
            and GPU delegates want a fixed one), 256x256 until it is resized.
        calibration: Photographs that show the range of every activation, for
            `full-int8`.
    """
    width, height = size or (None, None)
    shapes = {name: (1, *x.shape[1:]) for name, x in network.input.items()}
    if "image" in shapes:
        shapes["image"] = (1, height, width, 3)
    specs = [
        tf.TensorSpec(shape, tf.float32, name=name) for name, shape in shapes.items()
    ]

    @tf.function(input_signature=specs)
    def serve(*inputs: Any) -> Any:
        found = network(dict(zip(shapes, inputs, strict=True)))
        return found if isinstance(found, dict) else {"picture": found}

    # Frozen first: the converter leaves variables in, which no delegate takes.
    frozen = convert_variables_to_constants_v2(serve.get_concrete_function())
    outputs = sorted(serve.get_concrete_function().structured_outputs)

    @tf.function(input_signature=specs)
    def signature(*inputs: Any) -> dict[str, Any]:
        return dict(zip(outputs, frozen(*inputs), strict=True))

    def examples() -> Iterator[dict[str, np.ndarray]]:
        # The calibrator takes the size of the first for all.
        sides = np.min([sample.photo.shape[:2] for sample in calibration], axis=0)
        for sample in calibration:
            style = np.asarray([sample.weights], "float32")
            photo = sample.photo[: sides[0], : sides[1]]
            values = {"image": photo[None], "style": style}
            yield {name: values[name] for name in shapes}

    module = tf.Module()
    module.signature = signature
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=signature)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=["serving_default"]
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if kind != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if kind == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if kind == "full-int8":
            converter.representative_dataset = examples
        with warnings.catch_warnings():
            # Calibration runs TensorFlow's own interpreter, which is deprecated.
            warnings.filterwarnings("ignore", r"\s*Warning: tf.lite.Interpreter")
            found = bytes(converter.convert())
    return with_default_shape(found) if size is None else found


def write(path: Path, source: Source, *, kind: Kind = "float32") -> None:
    """Write a `.tflite` with the card inside."""
    data = to_litert(
        source.network, kind=kind, size=source.size, calibration=source.samples
    )
    path.write_bytes(embed(data, source.card))


class _OneTile:
    """A model for tiles that paints a whole picture, with its own statistics."""

    takes_style = True
    numbers: int | None = None

    def __init__(self, path: Path, threads: int) -> None:
        self.session = LiteRTTiles(path, threads)
        self.none = np.zeros((1, 3, 1, self.session.channels), "float32")

    def __call__(self, image: np.ndarray, style: np.ndarray) -> np.ndarray:
        return self.session(image, style, self.none)[0]


def open_tiles(path: Path, threads: int | None) -> Stylizer:
    """Load a model for tiles as one that paints a picture as a whole."""
    card = extract(path.read_bytes())
    if card is None:
        raise InputError(f"{path} has no card inside")
    return Stylizer(_OneTile(path, threads or 1), card, "litert")


def _format(file: str, kind: Kind) -> Format:
    written = functools.partial(write, kind=kind)
    return Format(file=file, write=written, kind=kind, sized=True)


def _for_tiles(file: str, kind: Kind) -> Format:
    return dataclasses.replace(
        _format(file, kind),
        tiles=True,
        sized=False,
        opened=lambda path, source, threads: open_tiles(path, threads),
    )


FLOAT32 = _format("{name}.tflite", "float32")
FLOAT16 = _format("{name}-float16.tflite", "float16")
INT8 = _format("{name}-int8.tflite", "int8")
FULL_INT8 = _format("{name}-full-int8.tflite", "full-int8")
TILES = _for_tiles("{name}-tiles.tflite", "float16")
INT8_TILES = _for_tiles("{name}-int8-tiles.tflite", "int8")
