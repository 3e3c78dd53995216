"""VGG-16 and VGG-19 as loss networks.

The only place that knows BGR and channel means.

References:
    Simonyan, Zisserman 2014, https://arxiv.org/abs/1409.1556
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from nst_tf.backend.convolution import WideConv2D
from nst_tf.backend.slicing import mirrored
from nst_tf.loss.geometry import FeatureLayer, Geometry
from nst_tf.loss.weights import load_weights
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


def build_vgg(
    geometry: Geometry, settings: ExtractorSettings, dtype: str
) -> tuple[dict[str, list[keras.layers.Layer]], dict[str, list[np.ndarray]]]:
    """Make the Keras layers of VGG-16 or VGG-19, and read their weights.

    Args:
        geometry: The network, up to the deepest layer that is wanted.
        settings: Padding and where the weights are.
        dtype: Compute dtype and weight dtype.

    Returns:
        The Keras layers that make the features of every layer of those of the layer
        before, and kernel and bias of every convolution; both by name.

    Raises:
        InputError: No usable weights.
    """
    given = load_weights(settings)
    steps: dict[str, list[keras.layers.Layer]] = {}
    for layer in geometry.layers:
        steps[layer.name] = [_convolution(layer, settings.padding, dtype)]
        if settings.padding != "zero":
            border = BorderPadding(settings.padding, dtype=dtype, autocast=False)
            steps[layer.name].insert(0, border)
    first = geometry.names[0]
    steps[first].insert(0, center(dtype))
    weights = {name: list(given[name]) for name in geometry.names}
    weights[first][0] = first_kernel_of(weights[first][0], dtype)
    return steps, weights


def _convolution(
    layer: FeatureLayer, padding: Padding, dtype: str
) -> keras.layers.Conv2D:
    return WideConv2D(
        layer.channels,
        3,
        padding="same" if padding == "zero" else "valid",
        activation="relu",
        kernel_initializer="zeros",
        name=layer.name,
        dtype=dtype,
    )


def center(dtype: str) -> CenteredInput:
    """Return the layer that prepares RGB 0..1 for `first_kernel_of`."""
    return CenteredInput(dtype=keras.DTypePolicy(dtype), autocast=False)


def first_kernel_of(kernel: np.ndarray, dtype: str) -> np.ndarray:
    """Take BGR 0..255 to what `center` gives in a kernel `[h, w, 3, C]`.

    RGB 0..1, in half precision once more for the remainder.
    """
    rgb = 255.0 * kernel[:, :, ::-1]
    return np.concatenate([rgb] * (1 if dtype == "float32" else 2), axis=2)
