"""A network with one style alone, whose only input is the photograph."""

from collections.abc import Sequence
from typing import Any

import keras

from nst_tf.settings.checks import InputError


def style_index(styles: Sequence[str], chosen: str) -> int:
    """Return the index of a style among the weights, from 1.

    Raises:
        InputError: There is no such style.
    """
    if chosen not in styles:
        known = ", ".join(styles) or "none: give --vectors"
        raise InputError(f"there is no style {chosen} (there are {known})")
    return styles.index(chosen) + 1


class FixedStyle(keras.layers.Layer):
    """What the network takes for one style alone, whatever the input.

    Args:
        row: The numbers, `[N]`.
    """

    def __init__(self, row: Sequence[float]) -> None:
        super().__init__(dtype="float32")
        self.row = [float(number) for number in row]

    def call(self, image: Any) -> Any:
        """Return float32 `[1, N]`."""
        return keras.ops.convert_to_tensor([self.row], "float32")

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return one row."""
        return (1, len(self.row))


def single_style(network: keras.Model, row: Sequence[float]) -> keras.Model:
    """Return a network whose style is fixed, and no input."""
    image = keras.Input((None, None, 3), dtype="float32", name="image")
    style = FixedStyle(row)(image)
    picture = network({"image": image, "style": style})
    return keras.Model({"image": image}, picture)
