"""LiteRT (TensorFlow Lite) files."""

import tempfile
from typing import Any, Literal

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

Kind = Literal["float32", "float16", "int8"]
"""float32; float16 weights; int8 weights with float32 activations."""


def to_litert(
    network: keras.Model,
    *,
    styles: int,
    kind: Kind = "float32",
    size: tuple[int, int] | None = None,
) -> bytes:
    """Convert a network to a `.tflite` of builtin operations only.

    Args:
        network: From `build_network` with the slices lowering, float32.
        styles: Number of styles besides the photograph.
        kind: How the weights are kept.
        size: Width and height in pixels, multiples of 4; None for any size (browsers
            and GPU delegates want a fixed one).
    """
    width, height = size or (None, None)

    @tf.function(
        input_signature=[
            tf.TensorSpec((1, height, width, 3), tf.float32, name="image"),
            tf.TensorSpec((1, styles + 1), tf.float32, name="style"),
        ]
    )
    def serve(image: Any, style: Any) -> Any:
        return network({"image": image, "style": style})

    # Frozen first: the converter leaves variables in, which no delegate takes.
    frozen = convert_variables_to_constants_v2(serve.get_concrete_function())

    @tf.function(input_signature=serve.input_signature)
    def signature(image: Any, style: Any) -> dict[str, Any]:
        return {"picture": frozen(image, style)[0]}

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
        return bytes(converter.convert())
