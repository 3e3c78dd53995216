"""What every engine's session is."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from nst_tf.settings.checks import InputError
from nst_tf.settings.network import MULTIPLE

__all__ = ["INPUTS", "MULTIPLE", "Session", "check_inputs", "short_name"]
INPUTS: tuple[set[str], ...] = ({"image", "style"}, {"image"})
"""Inputs of a model with style weights and of one with a fixed style."""


class Session(Protocol):
    """A loaded model."""

    takes_style: bool
    """Whether the style weights are an input; if not, it has one style alone."""
    numbers: int | None
    """How many the style weights are, None where the file does not say."""

    def __call__(self, image: np.ndarray, style: np.ndarray) -> np.ndarray:
        """Return `[1, H, W, 3]` of `[1, H, W, 3]` and `[1, N + 1]`, all float32."""


def short_name(name: str) -> str:
    """Return the name of an input without what converters add."""
    return name.split(":")[0].removeprefix("serving_default_")


def fixed_side(side: object) -> int | None:
    """Return the length of an axis, None if it is open."""
    return side if isinstance(side, int) and side > 0 else None


def check_size(fixed: tuple[int, ...] | None, shape: tuple[int, ...]) -> None:
    """Refuse a picture of another size than the one that a file is for, if it has one.

    Args:
        fixed: Of the file's image input, `[1, H, W, 3]`; None for any size.
        shape: Of the picture.
    """
    if fixed is not None and fixed != shape:
        _, height, width, _ = fixed
        raise InputError(
            f"this model takes {width}x{height} pixels only; resize the picture or use"
            " the file without a size in its name"
        )


def check_inputs(
    path: Path,
    names: Iterable[str],
    expected: Sequence[set[str]] = INPUTS,
) -> None:
    """Refuse a model whose inputs have other names than those `expected`."""
    if set(names) not in expected:
        raise InputError(
            f"{path} has the inputs {', '.join(sorted(names))}, not"
            f" {' and '.join(sorted(expected[0]))}"
        )
