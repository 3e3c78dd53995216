"""ONNX files."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from nst_export.card import KEY
from nst_export.formats.table import Format, Source

OPSET = 17
_AXES = ("batch", "height", "width")


def to_onnx(network: keras.Model, card: Mapping[str, Any]) -> bytes:
    """Convert a network to ONNX, for any size that is a multiple of 4.

    Args:
        network: From `build_network` with the lowering multiples, float32.
        card: The model's card, kept in the metadata too.

    Returns:
        A file whose free sides are named batch, height and width.
    """
    shapes = {name: x.shape for name, x in network.input.items()}

    @tf.function
    def serve(*inputs: Any) -> dict[str, Any]:
        return {"picture": network(dict(zip(shapes, inputs, strict=True)))}

    return _converted(serve, shapes, card)


def encoder_to_onnx(encoder: keras.Model, card: Mapping[str, Any]) -> bytes:
    """Convert an encoder of paintings to ONNX, for any size.

    Args:
        encoder: From `nst_tf.network.vectors.vector_encoder`, float32.
        card: The model's card, kept in the metadata too.

    Returns:
        A file from `painting`, float32 `[1, H, W, 3]`, to `vector`, `[1, S]`.
    """

    @tf.function
    def serve(painting: Any) -> Any:
        return encoder({"painting": painting})

    return _converted(serve, {"painting": (1, None, None, 3)}, card)


def _converted(
    serve: Any, shapes: Mapping[str, Sequence[int | None]], card: Mapping[str, Any]
) -> bytes:
    """Convert a function of inputs by their shapes."""
    import tf2onnx

    signature = [
        tf.TensorSpec(shape, tf.float32, name=name) for name, shape in shapes.items()
    ]
    model, _ = tf2onnx.convert.from_function(
        serve,
        input_signature=signature,
        opset=OPSET,
        custom_op_handlers={"MirrorPad": (_mirror_pad, [])},
    )
    _name_axes(model.graph)
    model.metadata_props.add(key=KEY, value=json.dumps(card, ensure_ascii=False))
    return bytes(model.SerializeToString())


def _name_axes(graph: Any) -> None:
    """Name the free sides of inputs and output, which tf2onnx only numbers."""
    for value in (*graph.input, *graph.output):
        for name, dim in zip(_AXES, value.type.tensor_type.shape.dim, strict=False):
            if not dim.HasField("dim_value"):
                dim.dim_param = name
    # Of what lies between, engines infer the shapes themselves.
    del graph.value_info[:]


def _mirror_pad(graph: Any, node: Any, _name: str, _arguments: Any) -> None:
    """Convert TensorFlow's MirrorPad to one Pad.

    Symmetric padding by at most one pixel repeats the edge; tf2onnx writes it as a
    dozen operations that no engine moves transposes through.
    """
    pads = node.inputs[1].get_tensor_value(as_list=False).astype("int64")
    symmetric = node.get_attr_str("mode").upper() == "SYMMETRIC"
    assert not symmetric or pads.max() <= 1
    both = graph.make_const(f"{node.name}_pads", pads.transpose().flatten())
    node.type = "Pad"
    for name in list(node.attr):
        del node.attr[name]
    node.set_attr("mode", "edge" if symmetric else "reflect")
    graph.replace_input(node, node.input[1], both.output[0], 1)


def write(path: Path, source: Source) -> None:
    """Write an `.onnx` with the card inside."""
    path.write_bytes(to_onnx(source.network, source.card))


FORMAT = Format(
    file="{name}.onnx", write=write, lowering="multiples", engine="onnxruntime"
)
