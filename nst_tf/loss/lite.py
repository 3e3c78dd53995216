"""The compressed loss network: approximate VGG features for a fraction of the work.

Every convolution of VGG is two: 3x3 to a few channels, and 1x1 back to all of them. A
response of VGG lies close to a space of so many dimensions (Zhang et al. 2015).

References:
    Zhang et al. 2015, https://arxiv.org/abs/1505.06798
    Simonyan, Zisserman 2014, https://arxiv.org/abs/1409.1556
"""

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np

from nst_tf.loss.geometry import FeatureLayer, Geometry
from nst_tf.loss.lite_weights import Factors, LiteWeights, read_lite
from nst_tf.loss.vgg import BorderPadding, centered_input, first_kernel
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import ExtractorSettings, Padding

Tensor = Any
SHIPPED = Path(__file__).with_name("lite.npz")
"""The compressed VGG-19 of this package."""
_VARIABLE = "NST_LITE_WEIGHTS"


def load_lite(settings: ExtractorSettings) -> LiteWeights:
    """Return the network of the given file, the environment or the package.

    Raises:
        InputError: The file is none that `nst compress` writes.
    """
    given = settings.vgg_weights or os.environ.get(_VARIABLE)
    return read_lite(Path(given) if given else SHIPPED)


def build_lite(
    geometry: Geometry, settings: ExtractorSettings, dtype: str
) -> tuple[dict[str, list[keras.layers.Layer]], dict[str, list[np.ndarray]]]:
    """Make the Keras layers of the compressed network, and read their weights.

    Args:
        geometry: The network, up to the deepest layer that is wanted.
        settings: Padding and where the weights are.
        dtype: Compute dtype and weight dtype.

    Returns:
        The Keras layers that make the features of every layer of those of the layer
        before, and the arrays of every convolution; both by name.

    Raises:
        InputError: No usable weights, or another pooling than the one it is made for.
    """
    if settings.pooling != "max":
        raise InputError(
            "the compressed network is fitted to max pooling: choose pooling max, or"
            " network vgg19"
        )
    given = load_lite(settings).layers
    missing = [name for name in geometry.names if name not in given]
    if missing:
        raise InputError(
            f"the compressed network of this file has no layers {missing}; it has"
            f" {', '.join(given)}"
        )
    steps: dict[str, list[keras.layers.Layer]] = {}
    weights: dict[str, list[np.ndarray]] = {}
    for layer in geometry.layers:
        steps[layer.name] = _steps(layer, given[layer.name], settings.padding, dtype)
        weights |= _arrays(layer.name, given[layer.name])
    first = geometry.names[0]
    steps[first].insert(0, centered_input(dtype))
    weights[first][0] = first_kernel(weights[first][0], dtype)
    return steps, weights


def _steps(
    layer: FeatureLayer, factors: Factors, padding: Padding, dtype: str
) -> list[keras.layers.Layer]:
    """Return the Keras layers of one layer: the border, 3x3, 1x1."""
    whole = factors.mix is None
    steps: list[keras.layers.Layer] = [
        keras.layers.Conv2D(
            factors.kernel.shape[-1],
            3,
            padding="same" if padding == "zero" else "valid",
            use_bias=whole,
            activation="relu" if whole else None,
            name=layer.name if whole else _narrow(layer.name),
            dtype=dtype,
        )
    ]
    if padding != "zero":
        steps.insert(0, BorderPadding(padding, dtype=dtype, autocast=False))
    if not whole:
        steps.append(
            keras.layers.Conv2D(
                layer.channels, 1, activation="relu", name=layer.name, dtype=dtype
            )
        )
    return steps


def _arrays(name: str, factors: Factors) -> dict[str, list[np.ndarray]]:
    """Return the weights of the Keras layers of one layer, by their names."""
    if factors.mix is None:
        return {name: [factors.kernel, factors.bias]}
    return {
        _narrow(name): [factors.kernel],
        name: [factors.mix[None, None], factors.bias],
    }


def _narrow(name: str) -> str:
    return f"{name}_narrow"
