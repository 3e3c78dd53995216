"""Training on from a trained model, with its styles or with more."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from nst_tf.files import sha256
from nst_tf.network.layers import ConditionalInstanceNormalization
from nst_tf.network.trained import MODEL, load_model
from nst_tf.settings.checks import InputError
from nst_training.settings import TrainSettings


class Base:
    """A trained model that a training starts from.

    Args:
        folder: What an earlier training wrote.
        settings: Of the training; their styles begin with the model's.
        kept: Whether the model's weights keep their bits, and only the rows of styles
            that are added are trained.

    Attributes:
        model: The model.
        kept: As given.
        hash: SHA-256 of the model's file.

    Raises:
        InputError: There is no model, or it does not fit the settings.
    """

    def __init__(self, folder: Path, settings: TrainSettings, *, kept: bool) -> None:
        self.model, self.kept = load_model(folder), kept
        self.hash = sha256(folder / MODEL)
        names = [style.name for style in settings.styles]
        known = len(self.model.styles)
        self.added = len(names) - known
        if names[:known] != self.model.styles:
            raise InputError(
                f"{folder} has the styles {', '.join(self.model.styles)}, the settings"
                f" {', '.join(names)}; they may have the same, and more after them"
            )
        if kept and not self.added:
            raise InputError(f"no style is added to those of {folder}")
        theirs, mine = self.model.network.settings, settings.network()
        if (mine.architecture, mine.width) != (theirs.architecture, theirs.width):
            raise InputError(
                f"{folder} holds a network of architecture {theirs.architecture} and"
                f" width {theirs.width:g}, the settings say {mine.architecture} and"
                f" {mine.width:g}"
            )
        if theirs.trained_strength and not mine.trained_strength:
            raise InputError(
                f"the strength of {folder} is trained: weaker must exceed 0, or the"
                " network forgets it"
            )

    @property
    def form(self) -> dict[str, Any]:
        """What of the network's settings it decides itself."""
        if not self.kept:
            return {}
        return {"trained_strength": self.model.network.settings.trained_strength}

    @property
    def style_factors(self) -> list[float] | None:
        """What the model's content budget had come to, if it had one."""
        factors = self.model.card.get("style_factors")
        return [*factors, *[1.0] * self.added] if factors else None

    def start(self, network: keras.Model) -> None:
        """Put the model's weights into a network; freeze what is not to change."""
        for layer in network.layers:
            weights = self.model.network.get_layer(layer.name).get_weights()
            if isinstance(layer, ConditionalInstanceNormalization):
                weights = [self._more(rows, layer.styles) for rows in weights]
            elif self.kept:
                layer.trainable = False
            layer.set_weights(weights)

    def keep(self, network: keras.Model) -> None:
        """Put back what was not to change, to the bit.

        The moving average of equal numbers may differ from them in the last bit.
        """
        if not self.kept:
            return
        for layer in network.layers:
            if isinstance(layer, ConditionalInstanceNormalization):
                old = self.model.network.get_layer(layer.name).get_weights()
                layer.set_weights(
                    [
                        np.concatenate([rows, new[len(rows) :]])
                        for rows, new in zip(old, layer.get_weights(), strict=True)
                    ]
                )

    def _more(self, rows: np.ndarray, count: int) -> np.ndarray:
        """Return so many rows; those of new styles start as the mean of all there are.

        So does that of the photograph, if the strength is to be trained from now on.
        """
        mean = rows.mean(axis=0, keepdims=True)
        first = count - self.added - len(rows)
        return np.concatenate([*[mean] * first, rows, *[mean] * self.added])
