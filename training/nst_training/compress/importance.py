"""Which directions of a response matter: those along which the loss has a gradient.

A projection of a response on a few axes projects its gradient, too. Axes chosen by the
response alone lose gradients that lie elsewhere; so both are weighed, as in balanced
truncation of linear systems.

Reference:
    Moore 1981, https://doi.org/10.1109/TAC.1981.1102568
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from keras import ops

from nst_tf.backend.compile import compiled, gradient_and_rest
from nst_tf.loss.weight_files import Weights
from nst_training.compress import matching
from nst_training.compress.forward import exact_numbers, features, layers_of

Tensor = Any
_FLOOR = 0.1
"""Importance of every direction, over the mean importance."""


def importance(
    weights: Weights,
    names: Sequence[str],
    crops: np.ndarray,
    styles: np.ndarray,
    *,
    part: int = 8,
    dtype: str = "float32",
) -> dict[str, np.ndarray]:
    """Return second moments of the gradient of the style loss at every response.

    Args:
        weights: Those of VGG.
        names: Its layers, from the first on.
        crops: float32 `[N, H, W, 3]`, RGB 0..1.
        styles: float32 `[M, H, W, 3]`; every `part` crops have another one.
        part: Crops at a time.
        dtype: Compute dtype.

    Returns:
        float64 `[C, C]` by layer, of a mean of 1 on the diagonal.
    """
    exact = exact_numbers(weights, names)

    def moments(numbers: Any, pictures: Tensor, style: Tensor) -> dict[str, Tensor]:
        wanted = features(style, numbers, dtype=dtype)
        grams = {name: matching.gram(wanted[name]) for name in _style(numbers)}
        shapes = features(pictures, numbers, dtype=dtype)
        none = {name: ops.zeros_like(x) for name, x in shapes.items()}

        def loss(moves: Any) -> tuple[Tensor, None]:
            maps = features(pictures, numbers, dtype=dtype, moves=moves)
            gaps = [
                matching.squares(matching.gram(maps[name]) - gram)
                / (matching.squares(gram) + 1e-30)
                for name, gram in grams.items()
            ]
            return ops.sum(sum(gaps)), None

        slopes, _ = gradient_and_rest(loss, none)
        return {name: _second(slope) for name, slope in slopes.items()}

    moments, total = compiled(moments), dict[str, np.ndarray]()
    for index in range(0, len(crops), part):
        style = styles[index // part % len(styles)][None]
        found = moments(exact, crops[index : index + part], style)
        for name, value in found.items():
            wide = np.asarray(ops.convert_to_numpy(value), "float64")
            total[name] = total.get(name, 0.0) + wide
    return {name: balanced(value) for name, value in total.items()}


def balanced(moment: np.ndarray) -> np.ndarray:
    """Return a second moment of a mean of 1 on its diagonal, no direction without."""
    count = len(moment)
    scaled = moment * (count / max(float(np.trace(moment)), 1e-300))
    whole: np.ndarray = (scaled + _FLOOR * np.eye(count)) / (1.0 + _FLOOR)
    return whole


def _style(numbers: Mapping[str, Any]) -> list[str]:
    return [name for name in matching.STYLE if name in layers_of(numbers)]


def _second(slope: Tensor) -> Tensor:
    """Return the second moment of `[B, h, w, C]`, every picture counting alike."""
    wide = ops.cast(slope, "float32")
    sizes = ops.sqrt(matching.squares(wide) + 1e-30)
    flat = ops.reshape(wide / sizes[:, None, None, None], (-1, wide.shape[-1]))
    return ops.matmul(ops.transpose(flat), flat)  # [C, C]
