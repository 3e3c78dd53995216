"""The state of an optimisation, saved and restored."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from nst_tf.painting.pixels import PixelImage
from nst_tf.running.checkpoint import Checkpoint


def state_variables(
    generator: PixelImage, optimizer: keras.optimizers.Optimizer
) -> list[keras.Variable]:
    """Return all variables that a resumed run needs."""
    return [*generator.variables, *optimizer.variables]


def plain(variable: keras.Variable) -> np.ndarray:
    """Return the value in a dtype that every NumPy reads."""
    half = keras.backend.standardize_dtype(variable.dtype) == "bfloat16"
    return np.asarray(variable, "float32" if half else None)


def restore(
    state: Checkpoint, generator: PixelImage, optimizer: keras.optimizers.Optimizer
) -> int:
    """Put a checkpoint's values into the variables; return the steps already done."""
    variables = state_variables(generator, optimizer)
    for variable, value in zip(variables, state.arrays, strict=True):
        variable.assign(value)
    return int(state.meta["done"])


def carry(
    earlier: keras.optimizers.Optimizer, optimizer: keras.optimizers.Optimizer
) -> None:
    """Start Adam from the moments of the stage before, resized (as crowsonkb does).

    L-BFGS starts anew: its pairs are differences of another objective's gradient.
    """
    for old, new in zip(earlier.variables, optimizer.variables, strict=True):
        value = np.asarray(old)
        if len(value.shape) == 4:
            _, height, width, _ = new.shape
            planes = [_resize_plane(value[0, ..., k], height, width) for k in range(3)]
            value = np.stack(planes, axis=-1)[None]
        new.assign(value)


def _resize_plane(plane: np.ndarray, height: int, width: int) -> np.ndarray:
    # Nearest: no filter may turn a second moment negative.
    rows = np.arange(height) * plane.shape[0] // height
    columns = np.arange(width) * plane.shape[1] // width
    resized: np.ndarray = plane[rows][:, columns]
    return resized


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values by dotted names, tuples as lists."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = (
                list(value)
                if isinstance(value, Sequence) and not isinstance(value, str)
                else value
            )
    return flat
