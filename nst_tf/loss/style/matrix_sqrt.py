"""Square roots of symmetric positive semi-definite matrices, for Gaussians.

References:
    Dowson, Landau 1982 (the distance), https://doi.org/10.1016/0047-259X(82)90077-X
    Crowson (as a style loss), https://github.com/crowsonkb/style-transfer-pytorch
"""

from typing import Any

from keras import ops

Tensor = Any
FLOOR = 3e-3
"""Smallest root told from 0, as a fraction of the style's largest eigenvalue. Float32
keeps eigenvalues of the product to 1e-6 of the largest, hence roots to 1e-3 of it."""


def square_root(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return the square root and the largest eigenvalue.

    Args:
        matrix: float32 `[..., C, C]`, symmetric; negative eigenvalues count as 0.

    Returns:
        float32 `[..., C, C]` and `[...]`.
    """
    values, vectors = ops.eigh(matrix)
    values = ops.maximum(values, 0.0)
    root = ops.matmul(vectors * ops.sqrt(values)[..., None, :], _transpose(vectors))
    return root, values[..., -1]


def trace_of_root(matrix: Tensor, floor: Tensor) -> Tensor:
    """Return the sum of the roots of the eigenvalues, as `v / sqrt(v + floor^2)`.

    The gradient needs the eigenvectors but not theirs: `U diag(f'(v)) U'`. So equal
    eigenvalues do no harm, and the floor bounds it where they vanish: `1 / floor` at 0.

    Args:
        matrix: float32 `[..., C, C]`, symmetric.
        floor: float32 `[...]`, a constant.
    """
    # A solver that is given NaN fails instead of returning it.
    fixed = ops.stop_gradient(matrix)
    sound = ops.all(ops.isfinite(fixed), axis=(-2, -1), keepdims=True)
    values, vectors = ops.eigh(ops.where(sound, fixed, ops.zeros_like(fixed)))
    values = ops.maximum(values, 0.0)
    least = ops.square(floor)[..., None]
    # Not so small that its cube were 0: of an even style nothing is left to compare.
    roots = ops.maximum(ops.sqrt(values + least), 1e-12)
    total = ops.sum(values / roots, axis=-1)
    total = ops.where(sound[..., 0, 0], total, float("nan"))
    slope = (0.5 * values + least) / ops.square(roots) / roots
    whole = ops.matmul(vectors * slope[..., None, :], _transpose(vectors))
    # Adds 0, with the gradient.
    return total + ops.sum(whole * (matrix - fixed), axis=(-2, -1))


def _transpose(matrix: Tensor) -> Tensor:
    axes = (*range(len(matrix.shape) - 2), len(matrix.shape) - 1, len(matrix.shape) - 2)
    return ops.transpose(matrix, axes)
