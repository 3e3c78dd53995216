"""SavedModel for TensorFlow Serving: any size, three signatures."""

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from nst_export.formats.table import Format, Source
from nst_tf.files import replacing
from nst_tf.settings.checks import InputError


def write_saved_model(network: keras.Model, folder: Path) -> None:
    """Write a SavedModel that needs nothing of this project to load.

    Its signatures are `serving_default` (float32 RGB 0..1 in and out), `uint8` (0..255
    in and out) and `bytes` (encoded pictures in, PNG out). All take batches and any
    size; `style` is float32 `[B, N + 1]`, left out if the network has no such input.

    Args:
        network: From `build_network` with the native lowering, float32.
        folder: The version's folder, such as `NAME/1`.

    Raises:
        InputError: The folder can't be written.
    """
    module = tf.Module()
    module.weights = [variable.value for variable in network.variables]
    weights = [
        tf.TensorSpec((None, *x.shape[1:]), tf.float32, name=name)
        for name, x in network.input.items()
        if name == "style"
    ]

    def pictures(dtype: Any, name: str = "image") -> Any:
        return tf.TensorSpec((None, None, None, 3), dtype, name=name)

    def paint(image: Any, *style: Any) -> Any:
        return network(dict(zip(("image", "style"), (image, *style), strict=False)))

    @tf.function(
        input_signature=[
            {"image": pictures(tf.float32), **{x.name: x for x in weights}}
        ]
    )
    def serve_keras(inputs: Any) -> Any:
        return network(inputs)

    def to_uint8(picture: Any) -> Any:
        return tf.cast(tf.round(255.0 * picture), tf.uint8)

    def plain(image: Any, style: Any) -> dict[str, Any]:
        return {"picture": paint(image, style)}

    def alone(image: Any) -> dict[str, Any]:
        return {"picture": paint(image)}

    serve = tf.function(
        plain if weights else alone, input_signature=[pictures(tf.float32), *weights]
    )

    @tf.function(input_signature=[pictures(tf.uint8), *weights])
    def serve_uint8(image: Any, *style: Any) -> dict[str, Any]:
        return {"picture": to_uint8(paint(tf.cast(image, tf.float32) / 255.0, *style))}

    # TensorFlow Serving writes names that end so in base64.
    encoded = tf.TensorSpec((None,), tf.string, name="image_bytes")

    @tf.function(input_signature=[encoded, *weights])
    def serve_bytes(image_bytes: Any, *style: Any) -> dict[str, Any]:
        def one(example: Any) -> Any:
            data, *mix = example
            image = tf.io.decode_image(data, channels=3, expand_animations=False)
            image = tf.cast(tf.ensure_shape(image, (None, None, 3)), tf.float32)
            picture = paint(image[None] / 255.0, *(row[None] for row in mix))
            return tf.io.encode_png(to_uint8(picture)[0])

        found = tf.map_fn(one, (image_bytes, *style), fn_output_signature=tf.string)
        return {"picture_bytes": found}

    # TFSMLayer calls `serve` as the network, `serving_default` by the names of inputs.
    module.serve, module.serving_default = serve_keras, serve
    module.uint8, module.bytes = serve_uint8, serve_bytes
    signatures = {
        "serving_default": serve,
        "uint8": serve_uint8,
        "bytes": serve_bytes,
    }
    _save(module, folder, signatures)


def write_saved_encoder(encoder: keras.Model, folder: Path) -> None:
    """Write the SavedModel of an encoder of paintings.

    Its signature `serving_default` takes `painting`, float32 `[B, H, W, 3]`, RGB 0..1,
    and gives `vector`, float32 `[B, S]`.

    Args:
        encoder: From `nst_tf.network.vectors.vector_encoder`, float32.
        folder: The version's folder, such as `NAME-encoder/1`.

    Raises:
        InputError: The folder can't be written.
    """
    module = tf.Module()
    module.weights = [variable.value for variable in encoder.variables]
    pictures = tf.TensorSpec((None, None, None, 3), tf.float32, name="painting")

    @tf.function(input_signature=[pictures])
    def serve(painting: Any) -> Any:
        return encoder({"painting": painting})

    module.serving_default = serve
    _save(module, folder, {"serving_default": serve})


def _save(module: Any, folder: Path, signatures: dict[str, Any]) -> None:
    """Write a SavedModel, whole or not at all."""
    try:
        with replacing(folder) as part:
            tf.saved_model.save(module, str(part), signatures=signatures)
    except tf.errors.OpError as error:
        raise InputError(f"can't write {folder}: {error}") from error


def write(path: Path, source: Source) -> None:
    """Write the version's folder."""
    write_saved_model(source.network, path)


FORMAT = Format(file="saved_model/{name}/1", write=write, lowering="native")
