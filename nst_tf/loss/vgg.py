"""The loss network: images in, VGG features out.

The only place that knows BGR and channel means.

References:
    Simonyan, Zisserman 2014, https://arxiv.org/abs/1409.1556
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from nst_tf.backend.slicing import mirrored
from nst_tf.loss.vgg_weights import check_layers, layer_shapes, load_weights
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import ExtractorSettings, Padding

Tensor = Any
MEAN_RGB = (123.68, 116.779, 103.939)
"""Mean of ImageNet in 0..255 as the Oxford weights expect it."""


@keras.saving.register_keras_serializable("nst_tf")
class CenteredInput(keras.layers.Layer):
    """Subtract the mean colour; in half precision keep what rounding would lose.

    In bfloat16 a pixel would be rounded as coarsely as in an 8-bit file (steps of up to
    1 in 0..255), finer than which an optimiser could not see. So the remainder of the
    rounding goes along as three more channels, with the same weights. 500 evaluations
    on the reference pair end 0.8 % lower (316,416 instead of 319,105 in float32).
    """

    def call(self, images: Tensor) -> Tensor:
        """Convert float32 `[B, H, W, 3]` to 3 channels, or 6 in half precision."""
        mean = [value / 255.0 for value in MEAN_RGB]
        centered = images - ops.convert_to_tensor(mean, dtype="float32")
        if self.compute_dtype == "float32":
            return centered
        high = ops.cast(centered, self.compute_dtype)
        low = ops.cast(centered - ops.cast(high, "float32"), self.compute_dtype)
        # The gradient is that of the sum, which `high` alone carries.
        return ops.concatenate([high, ops.stop_gradient(low)], axis=-1)

    def compute_output_spec(self, images: Any) -> Any:
        """Change the dtype and the number of channels."""
        channels = 3 if self.compute_dtype == "float32" else 6
        return keras.KerasTensor(
            (*images.shape[:-1], channels), dtype=self.compute_dtype
        )


@keras.saving.register_keras_serializable("nst_tf")
class BorderPadding(keras.layers.Layer):
    """One position more on every side: the map mirrored, or its edge repeated.

    Args:
        padding: `"reflect"` or `"replicate"`.
    """

    def __init__(self, padding: Padding, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.padding = padding

    def call(self, features: Tensor) -> Tensor:
        """Pad `[B, h, w, C]` to `[B, h + 2, w + 2, C]`."""
        # One position wide, a symmetric padding is the edge repeated.
        return mirrored(features, 1, repeat=self.padding == "replicate")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "padding": self.padding}


def _first_kernel(kernel: np.ndarray, channels: int) -> np.ndarray:
    """Take BGR 0..255 to RGB 0..1 in a kernel `[h, w, 3, C]`, once per triple."""
    rgb = 255.0 * kernel[:, :, ::-1]
    return np.concatenate([rgb] * (channels // 3), axis=2)


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
    check_layers(settings.network, layers)
    shapes = layer_shapes(settings.network)
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
    x = CenteredInput(dtype=keras.DTypePolicy(dtype), autocast=False)(inputs)
    outputs = {}
    for name, shape in shapes.items():
        block, conv = int(name[5]), int(name[-1])
        if conv == 1 and block > 1:
            x = pool(x)
        if settings.padding != "zero":
            x = BorderPadding(settings.padding, dtype=dtype, autocast=False)(x)
        edge = "same" if settings.padding == "zero" else "valid"
        x = keras.layers.Conv2D(
            shape[-1], 3, padding=edge, activation="relu", name=name, dtype=dtype
        )(x)
        if name in layers:
            outputs[name] = x
        if name == deepest:
            break
    model = keras.Model(inputs, outputs, name=settings.network)
    for name, pair in weights.items():
        if list(shapes).index(name) > list(shapes).index(deepest):
            continue
        layer = model.get_layer(name)
        kernel, bias = pair
        if name == "block1_conv1":
            kernel = _first_kernel(kernel, layer.kernel.shape[2])
        layer.set_weights([kernel, bias])
    model.trainable = False
    return model
