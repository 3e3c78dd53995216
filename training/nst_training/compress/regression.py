"""A convolution in closed form as 3x3 to a few channels and 1x1 back to all.

Layer by layer, each fitted on what the compressed layers before it make, against what
the exact network answers, so that it corrects their errors where it can.

Reference:
    Zhang et al. 2015, https://arxiv.org/abs/1505.06798, from which it differs in that
    it fits the responses before the ReLU, and draws the fit to the exact kernel where
    the crops say little.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from nst_tf.loss.lite_weights import Factors
from nst_tf.loss.weight_files import Weights
from nst_tf.settings.checks import InputError
from nst_training.compress.forward import (
    Numbers,
    exact_numbers,
    max_pool,
    response,
    split,
    starts_block,
)

Tensor = Any
_RIDGE = 1e-3
"""Weight of the exact kernel, relative to the mean square of the inputs."""
_PART = 8
"""Crops at a time."""


class Moments(NamedTuple):
    """Sums over positions, of inputs with a 1 behind and of responses.

    Attributes:
        inputs: float64 `[D + 1, D + 1]`, the last row and column those of the 1.
        products: float64 `[D + 1, C]`, inputs by responses.
    """

    inputs: np.ndarray
    products: np.ndarray


def fitted(moments: Moments, exact: np.ndarray) -> np.ndarray:
    """Return the linear map `[D + 1, C]` of least squares, drawn to the exact one."""
    count = moments.inputs.shape[0]
    weight = _RIDGE * np.trace(moments.inputs) / count
    gap = moments.products - moments.inputs @ exact
    return exact + np.linalg.solve(moments.inputs + weight * np.eye(count), gap)


def factored(
    moments: Moments, exact: np.ndarray, rank: int, importance: np.ndarray | None = None
) -> Factors:
    """Return the best map of a rank: the fit, projected on its principal axes.

    Args:
        moments: Of inputs and responses.
        exact: The layer itself, `[D + 1, C]`.
        rank: Channels kept.
        importance: By what errors of a response are weighed, positive, `[C, C]`; all
            alike without it.
    """
    fit = fitted(moments, exact)
    there, back = _roots(np.eye(fit.shape[1]) if importance is None else importance)
    mean = moments.inputs[-1] @ fit / moments.inputs[-1, -1]
    spread = fit.T @ moments.inputs @ fit / moments.inputs[-1, -1]
    spread = there @ (spread - np.outer(mean, mean)) @ there
    axes = np.linalg.eigh(spread)[1][:, ::-1][:, :rank]
    down, up = there @ axes, axes.T @ back
    kernel = (fit[:-1] @ down).reshape(3, 3, -1, rank)
    bias = mean - (mean - fit[-1]) @ down @ up
    arrays = (kernel, up, bias)
    return Factors(*(array.astype("float32") for array in arrays))


def _roots(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the root of a symmetric positive matrix and the inverse of the root."""
    values, axes = np.linalg.eigh(matrix)
    roots = np.sqrt(np.maximum(values, 1e-12))
    return (axes * roots) @ axes.T, (axes / roots) @ axes.T


class Compression(NamedTuple):
    """A network in closed form.

    Attributes:
        layers: What stands for every layer.
        errors: Squared error of the features, relative to their squares.
    """

    layers: dict[str, Factors]
    errors: dict[str, float]


def compress(
    weights: Weights,
    ranks: Mapping[str, int],
    crops: np.ndarray,
    *,
    importance: Mapping[str, np.ndarray] | None = None,
    positions: int = 25600,
    seed: int = 0,
    dtype: str = "float32",
) -> Compression:
    """Fit every layer of `ranks`; the first one of the network stays whole.

    Args:
        weights: Those of VGG.
        ranks: Channels of every layer but the first, in order.
        crops: float32 `[N, H, W, 3]`, RGB 0..1.
        importance: Of every layer's response, `[C, C]`, see `importance`.
        positions: Most positions that a layer is fitted on.
        seed: Which positions.
        dtype: Compute dtype of the features; the regression is float64.
    """
    names = ["block1_conv1", *ranks]
    exact = exact_numbers(weights, names)
    ours: Numbers = {k: v for k, v in exact.items() if k.startswith("block1_conv1/")}
    layers, errors = (
        {names[0]: Factors(*weights[names[0]][:1], None, weights[names[0]][1])},
        {},
    )
    draw = np.random.default_rng(seed)
    parts = [crops[i : i + _PART] for i in range(0, len(crops), _PART)]
    true = mine = [split(ops.convert_to_tensor(part), dtype) for part in parts]
    for name in names:
        if starts_block(name):
            true, mine = ([max_pool(x) for x in maps] for maps in (true, mine))
        wanted = [response(x, exact, name) for x in true]
        if name in ranks:
            sums = _moments(mine, wanted, positions, draw)
            weigh = None if importance is None else importance[name]
            layers[name] = factored(sums, _flat(weights[name]), ranks[name], weigh)
            ours.update({f"{name}/{k}": v for k, v in layers[name]._asdict().items()})
        mine = [ops.relu(response(x, ours, name)) for x in mine]
        true = [ops.relu(x) for x in wanted]
        errors[name] = _error(mine, true)
    return Compression(layers, errors)


def energies(
    weights: Weights, names: Iterable[str], crops: np.ndarray, *, dtype: str = "float32"
) -> dict[str, np.ndarray]:
    """Return the variances of every layer's response along its principal axes."""
    names = list(names)
    exact, found = exact_numbers(weights, names), {}
    maps = [
        split(ops.convert_to_tensor(crops[i : i + _PART]), dtype)
        for i in range(0, len(crops), _PART)
    ]
    for name in names:
        if starts_block(name):
            maps = [max_pool(x) for x in maps]
        maps = [response(x, exact, name) for x in maps]
        rows = np.concatenate([_rows(x) for x in maps])
        found[name] = np.linalg.eigvalsh(np.cov(rows.T))[::-1]
        maps = [ops.relu(x) for x in maps]
    return found


def _rows(x: Tensor) -> np.ndarray:
    wide = np.asarray(ops.convert_to_numpy(ops.cast(x, "float32")), "float64")
    return wide.reshape(-1, wide.shape[-1])


def _flat(pair: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return kernel and bias as one map `[D + 1, C]`."""
    kernel, bias = pair
    flat = kernel.reshape(-1, kernel.shape[-1])
    return np.concatenate([flat, bias[None]]).astype("float64")


def _moments(
    inputs: list[Tensor],
    wanted: list[Tensor],
    positions: int,
    draw: np.random.Generator,
) -> Moments:
    """Sum up inputs and responses at positions drawn from every part."""
    each = -(-positions // len(inputs))
    total: Moments | None = None
    for x, y in zip(inputs, wanted, strict=True):
        count = int(np.prod(y.shape[:3]))
        chosen = np.sort(draw.permutation(count)[:each])
        patches = ops.image.extract_patches(x, 3, strides=1, padding="same")
        pairs = [
            ops.cast(ops.take(ops.reshape(z, (count, -1)), chosen, axis=0), "float32")
            for z in (patches, y)
        ]
        rows = ops.concatenate([pairs[0], ops.ones((len(chosen), 1))], axis=1)
        sums = Moments(*(_product(rows, z) for z in (rows, pairs[1])))
        total = sums if total is None else Moments(*map(np.add, total, sums))
    if total is None:
        raise InputError("there are no crops to fit the network on")
    return total


def _product(first: Tensor, second: Tensor) -> np.ndarray:
    product = ops.matmul(ops.transpose(first), second)
    return np.asarray(ops.convert_to_numpy(product), "float64")


def _error(mine: list[Tensor], true: list[Tensor]) -> float:
    """Return the squared error of feature maps, relative to their squares."""
    gap = energy = 0.0
    for x, y in zip(mine, true, strict=True):
        x, y = (ops.cast(z, "float32") for z in (x, y))
        gap += float(ops.sum(ops.square(x - y)))
        energy += float(ops.sum(ops.square(y)))
    return gap / max(energy, 1e-20)
