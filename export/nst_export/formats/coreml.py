"""CoreML packages for Apple's devices: an image and weights in, an image out.

Reference:
    https://apple.github.io/coremltools/docs-guides/source/image-inputs.html
"""

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nst_export.card import KEY
from nst_export.formats.table import Format, Source
from nst_export.runtime.stylizer import Stylizer
from nst_tf.settings.checks import MIN_SIDE, InputError
from nst_tf.settings.network import MULTIPLE

SIDES = (MIN_SIDE, 2048)
"""Least and most pixels of a side; the most is what a phone's memory takes."""
DEFAULT = 512
"""Pixels of a side until an app sets another size."""
OPERATIONS = frozenset(
    {
        *("add", "cast", "concat", "const", "conv", "depth_to_space", "expand_dims"),
        *("matmul", "maximum", "mul", "pad", "real_div", "reduce_mean", "reduce_sum"),
        *("relu", "reshape", "rsqrt", "sigmoid", "slice_by_index", "space_to_depth"),
        *("squeeze", "sub", "transpose"),
    }
)
"""Operations of CoreML's programs that a file may hold: none is a loop, a branch or a
custom layer, which the GPU and the Neural Engine do not take."""


def to_coreml(network: keras.Model) -> Any:
    """Convert a network to a CoreML program with float16 weights and activations.

    Args:
        network: From `build_network` with the lowering multiples, float32; with the
            style weights as an input or without.

    Returns:
        A `coremltools.models.MLModel`: `image`, RGB of 8 bits, and `style`, float32
        `[1, N + 1]`, to `picture`, RGB of 8 bits. Sides are multiples of 4.

    Raises:
        InputError: The program holds an operation that is not in `OPERATIONS`.
    """
    import coremltools

    shapes = {name: (1, *x.shape[1:]) for name, x in network.input.items()}
    signature = [
        tf.TensorSpec(shape, tf.float32, name=name) for name, shape in shapes.items()
    ]

    @tf.function(input_signature=signature)
    def serve(*inputs: Any) -> Any:
        picture = 255.0 * network(dict(zip(shapes, inputs, strict=True)))
        # CoreML wants the channels of an image first.
        return tf.transpose(picture, (0, 3, 1, 2))

    concrete = serve.get_concrete_function()
    side = [coremltools.RangeDim(*SIDES, default=DEFAULT) for _ in range(2)]
    rgb = coremltools.colorlayout.RGB
    inputs = [
        coremltools.ImageType(
            name="image",
            shape=(1, *side, 3),
            scale=1 / 255,
            color_layout=rgb,
            channel_first=False,
        )
    ]
    if "style" in shapes:
        style = coremltools.TensorType("style", shapes["style"], np.float32)
        inputs.append(style)
    (output,) = concrete.outputs
    model = coremltools.convert(
        [concrete],
        source="tensorflow",
        inputs=inputs,
        outputs=[coremltools.ImageType(name=output.op.name, color_layout=rgb)],
        minimum_deployment_target=coremltools.target.iOS16,
    )
    strange = sorted(set(operations(model)) - OPERATIONS)
    if strange:
        raise InputError(f"CoreML's GPU does not take {', '.join(strange)}")
    specification = model.get_spec()
    coremltools.utils.rename_feature(specification, output.op.name, "picture")
    return coremltools.models.MLModel(
        specification, weights_dir=model.weights_dir, skip_model_load=True
    )


def operations(model: Any) -> list[str]:
    """Return the names of the operations of a program, sorted."""
    program = model.get_spec().mlProgram
    blocks = [
        block
        for function in program.functions.values()
        for block in function.block_specializations.values()
    ]
    return sorted(
        {operation.type for block in blocks for operation in block.operations}
    )


def write(path: Path, source: Source) -> None:
    """Write an `.mlpackage` with the card in its metadata."""
    import json

    model = to_coreml(source.network)
    model.short_description = f"nst-tf style transfer: {source.card['name']}"
    model.license = source.card["license"]
    model.input_description["image"] = (
        f"RGB, sides multiples of {MULTIPLE} in {SIDES[0]}..{SIDES[1]} pixels"
    )
    if "style" in source.network.input:
        model.input_description["style"] = source.card["inputs"]["style"]
    model.output_description["picture"] = "RGB of the image's size"
    model.user_defined_metadata[KEY] = json.dumps(source.card, ensure_ascii=False)
    model.save(str(path))


def describe(path: Path) -> dict[str, Any]:
    """Return what the card says of a file that can't be run here."""
    import coremltools

    model = coremltools.models.MLModel(str(path), skip_model_load=True)
    return {"operations": operations(model)}


class _CoreML:
    """CoreML on a Mac, to compare a file with the network."""

    def __init__(self, path: Path) -> None:
        import coremltools

        self.model = coremltools.models.MLModel(str(path))
        names = {one.name for one in self.model.get_spec().description.input}
        self.takes_style = "style" in names
        self.numbers: int | None = None

    def __call__(self, image: np.ndarray, style: np.ndarray) -> np.ndarray:
        """Return `[1, H, W, 3]` of `[1, H, W, 3]` and `[1, N + 1]`."""
        from PIL import Image

        given: dict[str, Any] = {
            "image": Image.fromarray(np.uint8(255 * image[0] + 0.5))
        }
        if self.takes_style:
            given["style"] = style
        picture = self.model.predict(given)["picture"].convert("RGB")
        return np.asarray(picture, "float32")[None] / 255


def open_coreml(path: Path, source: Source, _threads: int | None) -> Stylizer:
    """Load a file on a Mac."""
    return Stylizer(_CoreML(path), source.card, "coreml")


MAC = sys.platform == "darwin"
FORMAT = Format(
    file="{name}.mlpackage",
    write=write,
    kind="float16-image",
    lowering="multiples",
    opened=open_coreml,
    described=None if MAC else describe,
)
