"""How many channels every factored convolution keeps: the most for a wanted size.

Reference:
    Zhang et al. 2015 (energies of responses), https://arxiv.org/abs/1505.06798
"""

from collections.abc import Mapping

import numpy as np

from nst_tf.loss.weight_files import layer_shapes
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import Network

_STEP = 8
"""Ranks are multiples of it, as vector units like them."""


def size_of(shape: tuple[int, int, int, int], rank: int) -> int:
    """Return how many numbers a factored convolution has, its bias aside."""
    height, width, before, channels = shape
    return (height * width * before + channels) * rank


def choose_ranks(
    energies: Mapping[str, np.ndarray], *, numbers: int, network: Network = "vgg19"
) -> dict[str, int]:
    """Share out numbers so that least of the responses' energy is lost for its price.

    A price is a layer's part of all numbers and of all multiplications: the shallow
    blocks have few numbers and the most positions.

    Args:
        energies: Layer -> variances of its response along its principal axes,
            descending, `[C]`.
        numbers: Most numbers of all factored kernels together.
        network: Where the layers come from.

    Raises:
        InputError: Not even the least ranks fit.
    """
    shapes = layer_shapes(network)
    ranks = dict.fromkeys(energies, _STEP)
    prices = _prices({name: shapes[name] for name in energies})
    left = numbers - sum(size_of(shapes[name], _STEP) for name in ranks)
    if left < 0:
        raise InputError(f"{numbers} numbers are too few for {len(ranks)} layers")
    while True:
        gains = {
            name: _gain(energies[name], rank) / prices[name]
            for name, rank in ranks.items()
            if rank + _STEP <= shapes[name][-1] // 2
            and size_of(shapes[name], _STEP) <= left
        }
        if not gains:
            return ranks
        best = max(gains, key=gains.__getitem__)
        ranks[best] += _STEP
        left -= size_of(shapes[best], _STEP)


def _gain(energy: np.ndarray, rank: int) -> float:
    """Return the part of a layer's energy that the next channels bring."""
    return float(energy[rank : rank + _STEP].sum() / energy.sum())


def _prices(shapes: Mapping[str, tuple[int, int, int, int]]) -> dict[str, float]:
    """Return what a channel of every layer costs, of numbers and of arithmetic."""
    sizes = {name: size_of(shape, 1) for name, shape in shapes.items()}
    work = {name: size / 4 ** int(name[5]) for name, size in sizes.items()}
    return {
        name: sizes[name] / sum(sizes.values()) + work[name] / sum(work.values())
        for name in shapes
    }
