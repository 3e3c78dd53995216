"""Training on from a trained model, with its styles or with one more."""

from pathlib import Path

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
        settings: Of the training; their styles are the model's, or one more at the end.

    Attributes:
        model: The model.
        grows: Whether a style is added: then the model's weights keep their bits.
        hash: SHA-256 of the model's file.

    Raises:
        InputError: There is no model, or it does not fit the settings.
    """

    def __init__(self, folder: Path, settings: TrainSettings) -> None:
        self.model = load_model(folder)
        self.hash = sha256(folder / MODEL)
        names = [style.name for style in settings.styles]
        self.grows = names[:-1] == self.model.styles
        if not self.grows and names != self.model.styles:
            raise InputError(
                f"{folder} has the styles {', '.join(self.model.styles)}, the settings"
                f" {', '.join(names)}; they may have the same or one more"
            )
        theirs, mine = self.model.network.settings, settings.network()
        if (mine.architecture, mine.width) != (theirs.architecture, theirs.width):
            raise InputError(
                f"{folder} holds a network of architecture {theirs.architecture} and"
                f" width {theirs.width:g}, the settings say {mine.architecture} and"
                f" {mine.width:g}"
            )

    @property
    def style_factors(self) -> list[float] | None:
        """What the model's content budget had come to, if it had one."""
        factors = self.model.card.get("style_factors")
        return [*factors, 1.0] if factors and self.grows else factors

    def start(self, network: keras.Model) -> None:
        """Put the model's weights into a network; freeze what is not to change."""
        if self.grows:
            _adopt(network, self.model.network)
        else:
            network.set_weights(self.model.network.get_weights())

    def keep(self, network: keras.Model) -> None:
        """Put back what was not to change, to the bit.

        The moving average of equal numbers may differ from them in the last bit.
        """
        if self.grows:
            _keep_rows(network, self.model.network)


def _adopt(network: keras.Model, base: keras.Model) -> None:
    """Take over a network with one style less; leave only the norms trainable."""
    for layer in network.layers:
        if isinstance(layer, ConditionalInstanceNormalization):
            rows = [np.asarray(value) for value in base.get_layer(layer.name).weights]
            # The new style starts as the mean of those there are.
            layer.set_weights(
                [np.concatenate([r, r.mean(axis=0, keepdims=True)]) for r in rows]
            )
        else:
            layer.set_weights(base.get_layer(layer.name).get_weights())
            layer.trainable = False


def _keep_rows(network: keras.Model, base: keras.Model) -> None:
    for layer in network.layers:
        if isinstance(layer, ConditionalInstanceNormalization):
            old = base.get_layer(layer.name).get_weights()
            layer.set_weights(
                [
                    np.concatenate([rows, new[-1:]])
                    for rows, new in zip(old, layer.get_weights(), strict=True)
                ]
            )
