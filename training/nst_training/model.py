"""A trained model: the network and its card in one folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

import nst_tf.network  # noqa: F401  Registers the layers that a model is made of.
from nst_tf.settings import InputError
from nst_training.settings import read_card


class Model(NamedTuple):
    """A trained network with what its card says.

    Attributes:
        network: From `build_network`.
        card: The parsed `model.json`.
    """

    network: keras.Model
    card: dict[str, Any]

    @property
    def styles(self) -> list[str]:
        """Names of the styles, in the order of the weights after the photograph's."""
        return [style["name"] for style in self.card["styles"]]

    def __call__(self, photo: np.ndarray, weights: Sequence[float]) -> np.ndarray:
        """Return the stylised picture of float32 `[H, W, 3]`, RGB 0..1."""
        inputs = {
            "image": photo[None],
            "style": np.asarray([weights], "float32"),
        }
        picture: np.ndarray = keras.ops.convert_to_numpy(self.network(inputs))[0]
        return picture


def load_model(folder: Path) -> Model:
    """Read `model.keras` and `model.json` of a folder that `train` wrote.

    Raises:
        InputError: They are not there, or not what `train` writes.
    """
    card = read_card(folder)
    try:
        network = keras.saving.load_model(folder / "model.keras", compile=False)
        rows = network.inputs[1].shape[1]
        if len(card["styles"]) + 1 != rows:
            raise ValueError(f"{len(card['styles'])} styles for {rows} weights")
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(f"{folder} holds no trained model: {error}") from error
    return Model(network, card)
