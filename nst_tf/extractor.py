"""The loss network: images in, VGG features out.

The only place that knows BGR and channel means.

References:
    Simonyan, Zisserman 2014, https://arxiv.org/abs/1409.1556
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from nst_tf.settings import ExtractorSettings, InputError
from nst_tf.vgg_weights import layer_shapes, load_weights

Tensor = Any
MEAN_BGR = (103.939, 116.779, 123.68)
"""Mean of ImageNet in 0..255 as the Oxford weights expect it."""


@keras.saving.register_keras_serializable("nst_tf")
class CaffeInput(keras.layers.Layer):
    """Turn RGB 0..1 into the loss network's units: BGR 0..255 minus the mean."""

    def call(self, images: Tensor) -> Tensor:
        """Convert `[B, H, W, 3]` in float32, then round to the compute dtype."""
        bgr = ops.flip(images, axis=-1) * 255.0 - ops.convert_to_tensor(
            MEAN_BGR, dtype="float32"
        )
        return ops.cast(bgr, self.compute_dtype)

    def compute_output_spec(self, images: Any) -> Any:
        """Keep the shape, change the dtype."""
        return keras.KerasTensor(images.shape, dtype=self.compute_dtype)


def build_extractor(
    layers: Sequence[str],
    *,
    settings: ExtractorSettings | None = None,
    dtype: str = "float32",
) -> keras.Model:
    """Build the frozen network up to the deepest of `layers`.

    Args:
        layers: Keras names of convolutions; their output is taken after the ReLU.
        settings: Network, pooling and where the weights are.
        dtype: Compute dtype and weight dtype, `"float32"` or `"bfloat16"`.

    Returns:
        A model from float32 `[B, H, W, 3]` RGB 0..1 to `dict[layer, [B, h, w, C]]`.

    Raises:
        InputError: An unknown layer, or no usable weights.

    Example:
        >>> extractor = build_extractor(["block4_conv2"])
        >>> extractor(photo)["block4_conv2"]
    """
    settings = settings or ExtractorSettings()
    shapes = layer_shapes(settings.network)
    unknown = [name for name in layers if name not in shapes]
    if unknown:
        raise InputError(
            f"{settings.network.upper()} has no layers {unknown}; it has "
            f"{', '.join(shapes)}"
        )
    if not layers:
        raise InputError("the extractor needs at least one layer")
    weights = load_weights(settings)
    deepest = max(layers, key=list(shapes).index)
    pool = (
        keras.layers.MaxPooling2D(2, dtype=dtype)
        if settings.pooling == "max"
        else keras.layers.AveragePooling2D(2, dtype=dtype)
    )
    inputs = keras.Input((None, None, 3), dtype="float32", name="image")
    x = CaffeInput(dtype=keras.DTypePolicy(dtype), autocast=False)(inputs)
    outputs = {}
    for name, shape in shapes.items():
        block, conv = int(name[5]), int(name[-1])
        if conv == 1 and block > 1:
            x = pool(x)
        x = keras.layers.Conv2D(
            shape[-1], 3, padding="same", activation="relu", name=name, dtype=dtype
        )(x)
        if name in layers:
            outputs[name] = x
        if name == deepest:
            break
    model = keras.Model(inputs, outputs, name=settings.network)
    for name, pair in weights.items():
        if list(shapes).index(name) <= list(shapes).index(deepest):
            model.get_layer(name).set_weights(pair)
    model.trainable = False
    return model
