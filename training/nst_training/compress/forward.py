"""VGG and its compressed form as functions of their numbers, to be differentiated."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from keras import ops

from nst_tf.loss.lite_weights import Factors
from nst_tf.loss.vgg import MEAN_RGB
from nst_tf.loss.weight_files import Weights

Tensor = Any
Numbers = dict[str, Any]
"""`layer/kernel`, `layer/bias` and, of a factored one, `layer/mix`: one array each."""


def numbers_of(layers: Mapping[str, Factors]) -> Numbers:
    """Return the arrays of factored layers, by name, in order."""
    return {
        f"{name}/{part}": array
        for name, factors in layers.items()
        for part, array in zip(Factors._fields, factors, strict=True)
        if array is not None
    }


def factors_of(numbers: Mapping[str, Any]) -> dict[str, Factors]:
    """Return the layers of arrays, the inverse of `numbers_of`."""
    plain = {key: np.asarray(value, "float32") for key, value in numbers.items()}
    return {
        name: Factors(
            plain[f"{name}/kernel"], plain.get(f"{name}/mix"), plain[f"{name}/bias"]
        )
        for name in layers_of(numbers)
    }


def exact_numbers(weights: Weights, names: Iterable[str]) -> Numbers:
    """Return the arrays of layers of VGG itself."""
    return numbers_of(
        {name: Factors(weights[name][0], None, weights[name][1]) for name in names}
    )


def layers_of(numbers: Mapping[str, Any]) -> list[str]:
    """Return the names of the layers, in order."""
    return list(dict.fromkeys(key.split("/")[0] for key in numbers))


def centered(images: Tensor) -> Tensor:
    """Return BGR 0..255 less the mean of float32 `[B, H, W, 3]` RGB 0..1."""
    return ops.flip(255.0 * images - np.array(MEAN_RGB, "float32"), axis=-1)


def max_pool(x: Tensor) -> Tensor:
    """Return the greatest of every 2x2 of `[B, h, w, C]`, an odd edge left out.

    As a weighted mean whose weights count as constant: the same values and gradients,
    and gradients of gradients that cost an eighth of those of TensorFlow's own.
    """
    height, width = x.shape[1:3]
    x = x[:, : height // 2 * 2, : width // 2 * 2]
    fixed = ops.stop_gradient(x)
    most = ops.max_pool(fixed, 2, 2, padding="valid")
    chosen = ops.cast(fixed == enlarged(most), x.dtype)
    share = chosen / enlarged(ops.average_pool(chosen, 2, 2, padding="valid"))
    return ops.average_pool(x * share, 2, 2, padding="valid")


def enlarged(x: Tensor) -> Tensor:
    """Return `[B, 2h, 2w, C]`, every position four times."""
    return ops.repeat(ops.repeat(x, 2, axis=1), 2, axis=2)


def response(x: Tensor, numbers: Mapping[str, Any], name: str) -> Tensor:
    """Return what a layer answers to `[B, h, w, C]`, before its ReLU."""
    kernel = ops.cast(numbers[f"{name}/kernel"], x.dtype)
    if name == "block1_conv1":  # Twice in half precision, see `split`.
        kernel = ops.concatenate([kernel] * (x.shape[-1] // 3), axis=2)
    x = ops.conv(x, kernel, padding="same")
    mix = numbers.get(f"{name}/mix")
    if mix is not None:
        x = ops.conv(x, ops.cast(mix, x.dtype)[None, None], padding="same")
    return x + ops.cast(numbers[f"{name}/bias"], x.dtype)


def split(images: Tensor, dtype: str) -> Tensor:
    """Return centred pixels, in half precision with the rest of their rounding."""
    pixels = centered(images)
    if dtype == "float32":
        return pixels
    high = ops.cast(pixels, dtype)
    low = ops.cast(pixels - ops.cast(high, "float32"), dtype)
    return ops.concatenate([high, ops.stop_gradient(low)], axis=-1)


def features(
    images: Tensor,
    numbers: Mapping[str, Any],
    *,
    dtype: str = "float32",
    last: str | None = None,
    moves: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Return the feature maps of every layer up to `last`.

    Args:
        images: float32 `[B, H, W, 3]`, RGB 0..1.
        numbers: Of VGG or of its compressed form.
        dtype: Compute dtype.
        last: The deepest layer wanted; without it all.
        moves: What is added to every layer's response.
    """
    maps, x = {}, split(images, dtype)
    for name in layers_of(numbers):
        if starts_block(name):
            x = max_pool(x)
        x = response(x, numbers, name)
        if moves is not None:
            x = x + moves[name]
        x = maps[name] = ops.relu(x)
        if name == last:
            break
    return maps


def starts_block(name: str) -> bool:
    """Tell whether a layer comes behind a pooling."""
    return name.endswith("_conv1") and not name.startswith("block1")
