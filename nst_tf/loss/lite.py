"""The compressed loss network: images in, approximate VGG features out, faster.

Every convolution of VGG is two: 3x3 to a few channels, and 1x1 back to all of them. A
response of VGG lies close to a space of so many dimensions (Zhang et al. 2015).

References:
    Zhang et al. 2015, https://arxiv.org/abs/1505.06798
    Simonyan, Zisserman 2014, https://arxiv.org/abs/1409.1556
"""

from collections.abc import Sequence
from typing import Any

import keras

from nst_tf.loss.lite_weights import Factors, LiteWeights
from nst_tf.loss.vgg import BorderPadding, CenteredInput, _first_kernel
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import Padding

Tensor = Any


def check_lite_layers(weights: LiteWeights, layers: Sequence[str]) -> None:
    """Refuse layers that a compressed network does not have."""
    unknown = [name for name in layers if name not in weights.layers]
    if unknown:
        raise InputError(
            f"the compressed network has no layers {unknown}; it has"
            f" {', '.join(weights.layers)}"
        )
    if not layers:
        raise InputError("the extractor needs at least one layer")


def build_lite(
    layers: Sequence[str],
    weights: LiteWeights,
    *,
    padding: Padding = "zero",
    dtype: str = "float32",
) -> keras.Model:
    """Build the compressed network up to the deepest of `layers`.

    It is trained for max pooling and has no other.

    Args:
        layers: Keras names of VGG's convolutions; their output is taken after the ReLU.
        weights: From `read_lite`.
        padding: What lies beyond the border.
        dtype: Compute dtype and weight dtype, `"float32"` or `"bfloat16"`.

    Returns:
        A model from float32 `[B, H, W, 3]` RGB 0..1 to `dict[layer, [B, h, w, C]]`,
        with the channels of VGG.

    Raises:
        InputError: An unknown layer.
    """
    check_lite_layers(weights, layers)
    deepest = max(layers, key=list(weights.layers).index)
    inputs = keras.Input((None, None, 3), dtype="float32", name="image")
    x = CenteredInput(dtype=keras.DTypePolicy(dtype), autocast=False)(inputs)
    outputs = {}
    for name, factors in weights.layers.items():
        if name.endswith("_conv1") and _block(name) > 1:
            x = keras.layers.MaxPooling2D(2, dtype=dtype)(x)
        if padding != "zero":
            x = BorderPadding(padding, dtype=dtype, autocast=False)(x)
        x = _convolution(name, factors, padding, dtype)(x)
        if factors.mix is not None:
            x = keras.layers.Conv2D(
                factors.channels, 1, activation="relu", name=name, dtype=dtype
            )(x)
        if name in layers:
            outputs[name] = x
        if name == deepest:
            break
    model = keras.Model(inputs, outputs, name="lite")
    for name, factors in weights.layers.items():
        _set(model, name, factors)
        if name == deepest:
            break
    model.trainable = False
    return model


def _block(name: str) -> int:
    """Return the number of the block that a layer belongs to, from 1."""
    return int(name[5])


def _convolution(
    name: str, factors: Factors, padding: Padding, dtype: str
) -> keras.layers.Layer:
    """Return the 3x3 convolution of a layer: all of it, or what its 1x1 mixes."""
    whole = factors.mix is None
    return keras.layers.Conv2D(
        factors.kernel.shape[-1],
        3,
        padding="same" if padding == "zero" else "valid",
        use_bias=whole,
        activation="relu" if whole else None,
        name=name if whole else f"{name}_narrow",
        dtype=dtype,
    )


def _set(model: keras.Model, name: str, factors: Factors) -> None:
    """Put the numbers of a layer into the model."""
    spatial = model.get_layer(name if factors.mix is None else f"{name}_narrow")
    kernel = factors.kernel
    if name == "block1_conv1":
        kernel = _first_kernel(kernel, spatial.kernel.shape[2])
    if factors.mix is None:
        spatial.set_weights([kernel, factors.bias])
        return
    spatial.set_weights([kernel])
    model.get_layer(name).set_weights([factors.mix[None, None], factors.bias])
