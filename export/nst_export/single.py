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
        raise InputError(f"there is no style {chosen} (there are {', '.join(styles)})")
    return styles.index(chosen) + 1


class FixedStyle(keras.layers.Layer):
    """The weights of one style alone, whatever the input.

    Args:
        index: Of the style, from 1.
        count: Of the styles.
    """

    def __init__(self, index: int, count: int) -> None:
        super().__init__(dtype="float32")
        self.index, self.count = index, count

    def call(self, image: Any) -> Any:
        """Return float32 `[1, N + 1]`."""
        return keras.ops.one_hot([self.index], self.count + 1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return one row of weights."""
        return (1, self.count + 1)


def single_style(network: keras.Model, index: int) -> keras.Model:
    """Return a network that paints in the style of an index, from 1."""
    image = keras.Input((None, None, 3), dtype="float32", name="image")
    style = FixedStyle(index, network.input["style"].shape[-1] - 1)(image)
    picture = network({"image": image, "style": style})
    return keras.Model({"image": image}, picture)
