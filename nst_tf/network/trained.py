"""A trained model: the network and its card in one folder."""

import json
import typing
import zipfile
import zlib
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from nst_tf.files import sha256
from nst_tf.imaging.arrays import PictureLike, as_pixels
from nst_tf.network.encoder import StyleEncoder
from nst_tf.network.transform import TransformNetwork
from nst_tf.settings.checks import InputError, file_name, reject
from nst_tf.settings.network import NetworkSettings

MODEL, CARD, STATE, PREVIEWS = "model.keras", "model.json", "state.npz", "previews"
ENCODER = "encoder.keras"
"""Names inside the output folder."""
_DAMAGE = (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)
"""What Keras raises for a file that is damaged or another's."""


def hash_model(folder: Path) -> list[str]:
    """Return the hashes of a model's network and, for any painting, of its encoder."""
    files = [folder / name for name in (MODEL, ENCODER)]
    return [sha256(path) for path in files if path.is_file()]


def read_card(folder: Path) -> dict[str, Any]:
    """Read the `model.json` of a folder that training wrote.

    Raises:
        InputError: It is not there, or no card.
    """
    try:
        card = json.loads((folder / CARD).read_text("utf-8"))
        if not isinstance(recipe := card["recipe"], dict):
            raise ValueError(f"{CARD} is no card")
        for part in (recipe.get("loss", {}), *card["styles"]):
            if not isinstance(part, dict):
                raise ValueError(f"{CARD} is no card")
        for style in card["styles"]:
            style["name"]
        reject(file_name("the model's name", card.setdefault("name", "styles")))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        why: object = error
        if isinstance(error, FileNotFoundError) and (folder / STATE).exists():
            why = "its training was interrupted; nst train --resume finishes it"
        raise InputError(f"{folder} holds no trained model: {why}") from error
    return typing.cast(dict[str, Any], card)


class Model(NamedTuple):
    """A trained network with what its card says.

    Attributes:
        network: With float32 weights.
        card: The parsed `model.json`.
    """

    network: TransformNetwork
    card: dict[str, Any]

    @property
    def styles(self) -> list[str]:
        """Names of the styles, in the order of the weights after the photograph's."""
        return [style["name"] for style in self.card["styles"]]

    def __call__(self, photo: PictureLike, weights: Sequence[float]) -> np.ndarray:
        """Return the stylised picture, float32 `[H, W, 3]`, RGB 0..1.

        Args:
            photo: float32 `[H, W, 3]`, RGB 0..1, or what `as_pixels` makes that of.
            weights: One a style, the photograph's own first, with the sum 1.

        Raises:
            InputError: The photograph is none, or the weights are too few or too
                many, not finite, or all 0.
        """
        if len(weights) != len(self.styles) + 1:
            raise InputError(
                f"{len(self.styles) + 1} weights are needed (photograph,"
                f" {', '.join(self.styles)}), got {len(weights)}"
            )
        style = np.asarray([weights], "float32")
        if not np.isfinite(style).all() or not style.any():
            raise InputError(
                f"the weights must be finite and not all 0, got {style[0].tolist()}"
            )
        inputs = {"image": as_pixels(photo, "the photograph")[None], "style": style}
        picture: np.ndarray = keras.ops.convert_to_numpy(self.network(inputs))[0]
        return picture


def load_model(folder: str | PathLike[str]) -> Model:
    """Read `model.keras` and `model.json` of a folder that `nst train` wrote.

    Args:
        folder: The folder, or the `model.keras` inside.

    Raises:
        InputError: They are not there, or not what `nst train` writes.

    Example:
        >>> model = load_model("model")
        >>> picture = model(load_image("photo.jpg").pixels, [0.0, 1.0])
    """
    folder = Path(folder)
    if folder.name == MODEL and folder.is_file():
        folder = folder.parent
    card = read_card(folder)
    try:
        network = keras.saving.load_model(folder / MODEL, compile=False)
        if not isinstance(network, TransformNetwork):
            network = _adopted(network, card)
        if card.get("any", len(card["styles"])) != network.settings.styles:
            rows = network.settings.styles + 1
            raise ValueError(f"{len(card['styles'])} styles for {rows} weights")
    except (*_DAMAGE, IndexError) as error:
        raise InputError(f"{folder} holds no trained model: {error}") from error
    return Model(network, card)


def load_encoder(folder: str | PathLike[str]) -> StyleEncoder:
    """Read the encoder of a model for any painting.

    Args:
        folder: What `nst train` wrote.

    Raises:
        InputError: It is not there, or none.
    """
    path = Path(folder) / ENCODER
    try:
        encoder = keras.saving.load_model(path, compile=False)
        if not isinstance(encoder, StyleEncoder):
            raise TypeError("it is another model")
    except _DAMAGE as error:
        raise InputError(f"{path} is no encoder: {error}") from error
    return encoder


def _adopted(network: keras.Model, card: dict[str, Any]) -> TransformNetwork:
    """Return a network that an older version saved layer by layer."""
    settings = NetworkSettings(
        styles=network.inputs[1].shape[1] - 1, width=card["recipe"]["width"]
    )
    adopted = TransformNetwork(settings)
    adopted.set_weights(network.get_weights())
    return adopted
