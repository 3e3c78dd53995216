"""Where a `.tflite` keeps the shapes of its tensors, and what they are at a size.

Neither TensorFlow nor Keras is imported.
"""

from nst_tf.settings.checks import InputError

SHAPE, SIGNATURE = 4, 18
"""Fields of a tensor in the `.tflite` schema: its shape, and the one that has -1 for
what may change."""
DEFAULT = (256, 256)
"""Height and width that a file for any size has until it is resized."""


def shapes_at(
    model: bytes, height: int, width: int, fields: tuple[int, ...] = (SHAPE, SIGNATURE)
) -> dict[int, int]:
    """Return the place of every side of every tensor, and its value at a size.

    Args:
        model: A `.tflite` for any size.
        height: Of the picture in pixels, a multiple of 4.
        width: Likewise.
        fields: Which places.

    Raises:
        InputError: The file has one size.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_content=model, experimental_op_resolver_type=plain)
    details = interpreter.get_input_details()
    free = [detail for detail in details if -1 in detail["shape_signature"]]
    if not free:
        raise InputError("give the file without a size in its name")
    for detail in free:
        interpreter.resize_tensor_input(detail["index"], (1, height, width, 3))
    interpreter.allocate_tensors()
    shapes = {d["index"]: d["shape"] for d in interpreter.get_tensor_details()}
    graph = schema.Model.GetRootAs(model, 0).Subgraphs(0)
    found: dict[int, int] = {}
    for index in range(graph.TensorsLength()):
        tensor = graph.Tensors(index)
        for field in fields:
            if where := tensor._tab.Offset(field):
                first = tensor._tab.Vector(where)
                for axis, value in enumerate(shapes[index]):
                    found[first + 4 * axis] = int(value)
    return found


def number(data: bytes, place: int) -> int:
    """Return the number that stands at a place."""
    return int.from_bytes(data[place : place + 4], "little", signed=True)


def put(data: bytearray, place: int, value: int) -> None:
    """Write a number to a place."""
    data[place : place + 4] = value.to_bytes(4, "little", signed=True)


def with_default_shape(model: bytes) -> bytes:
    """Return a file for any size whose tensors have real shapes until it is resized.

    The converter writes 1 for every side that is free. No network can be laid out for
    a picture of one pixel, so that tools that take a file as it is fail on it.
    """
    data = bytearray(model)
    for place, value in shapes_at(model, *DEFAULT, fields=(SHAPE,)).items():
        put(data, place, value)
    return bytes(data)
