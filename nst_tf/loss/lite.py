"""The compressed loss network: images in, approximate VGG features out, faster.

Every convolution of VGG is two: 3x3 to a few channels, and 1x1 back to all of them. A
response of VGG lies close to a space of so many dimensions (Zhang et al. 2015). Layers
have the names and the channels of VGG's, and their units are about those of VGG.

References:
    Zhang et al. 2015, https://arxiv.org/abs/1505.06798
    Simonyan, Zisserman 2014, https://arxiv.org/abs/1409.1556
"""

import keras
import numpy as np

from nst_tf.backend.convolution import WideConv2D
from nst_tf.loss.choice import LITE
from nst_tf.loss.geometry import Geometry
from nst_tf.loss.lite_weights import Factors, read_lite
from nst_tf.loss.vgg import BorderPadding, center, first_kernel_of
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import ExtractorSettings, Padding


def build_lite(
    geometry: Geometry, settings: ExtractorSettings, dtype: str
) -> tuple[dict[str, list[keras.layers.Layer]], dict[str, list[np.ndarray]]]:
    """Make the Keras layers of the compressed network, and read its numbers.

    Args:
        geometry: The network, up to the deepest layer that is wanted.
        settings: Padding, and another file than the one that ships, if any.
        dtype: Compute dtype and weight dtype.

    Returns:
        The Keras layers that make the features of every layer of those of the layer
        before, and their weights; both by name.

    Raises:
        InputError: Another pooling than max, or no usable file.
    """
    if settings.pooling != "max":
        raise InputError(
            f"lite is made for max pooling, not {settings.pooling}: use --network vgg19"
        )
    path = settings.lite_weights or LITE
    given = read_lite(path).layers
    steps: dict[str, list[keras.layers.Layer]] = {}
    weights: dict[str, list[np.ndarray]] = {}
    for index, name in enumerate(geometry.names):
        factors = given[name]
        steps[name] = _layers(name, factors, settings.padding, dtype)
        if index == 0:
            kernel = first_kernel_of(factors.kernel, dtype)
            factors = factors._replace(kernel=kernel)
            steps[name].insert(0, center(dtype))
        weights |= _weights(name, factors)
    return steps, weights


def _layers(
    name: str, factors: Factors, padding: Padding, dtype: str
) -> list[keras.layers.Layer]:
    """Return the Keras layers of one layer."""
    whole = factors.mix is None
    spatial = WideConv2D(
        factors.kernel.shape[-1],
        3,
        padding="same" if padding == "zero" else "valid",
        use_bias=whole,
        activation="relu" if whole else None,
        kernel_initializer="zeros",
        name=name if whole else f"{name}_narrow",
        dtype=dtype,
    )
    layers: list[keras.layers.Layer] = [spatial]
    if padding != "zero":
        layers.insert(0, BorderPadding(padding, dtype=dtype, autocast=False))
    if not whole:
        layers.append(
            keras.layers.Conv2D(
                factors.channels,
                1,
                activation="relu",
                kernel_initializer="zeros",
                name=name,
                dtype=dtype,
            )
        )
    return layers


def _weights(name: str, factors: Factors) -> dict[str, list[np.ndarray]]:
    """Return the numbers of one layer by the names of its Keras layers."""
    if factors.mix is None:
        return {name: [factors.kernel, factors.bias]}
    return {
        f"{name}_narrow": [factors.kernel],
        name: [factors.mix[None, None], factors.bias],
    }
