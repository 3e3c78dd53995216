"""Training on from a trained model, with its styles or with more."""

import functools
from pathlib import Path
from typing import Any

import keras
import numpy as np

from nst_tf.files import sha256
from nst_tf.imaging.read import load_image
from nst_tf.network.encoder import FAR
from nst_tf.network.layers import ConditionalInstanceNormalization
from nst_tf.network.trained import ENCODER, MODEL, Model, load_encoder, load_model
from nst_tf.settings.checks import InputError
from nst_training.encoded import with_paintings
from nst_training.painted import Painter
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
        begun: Whether rows begin as what the encoder of a model for any painting makes
            of the paintings.

    Raises:
        InputError: There is no model, or it does not fit the settings.
    """

    def __init__(self, folder: Path, settings: TrainSettings, *, kept: bool) -> None:
        self.folder, self.model, self.kept = folder, load_model(folder), kept
        self.hash = sha256(folder / MODEL)
        self.to_any = settings.paintings is not None
        names = [style.name for style in settings.styles]
        self.encoded = (folder / ENCODER).is_file()
        self.begun = self.encoded and not self.to_any
        if settings.paintings and not self.encoded:
            names = self.model.styles  # They are where the rows begin.
        elif self.begun:
            if kept and len(names) != 1:
                raise InputError(
                    f"{folder} is for any painting: one style at a time is tuned for it"
                )
            art = {x.name: load_image(x.image).pixels for x in settings.styles}
            began = with_paintings(folder, self.model, art)
            self.model = Model(began.network, self.model.card)
        known = len(self.model.styles)
        self.added, self.more = len(names) - known, settings.styles[known:]
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
    def tuned(self) -> bool:
        """Whether a style alone is trained, for a model for any painting."""
        return self.begun and self.kept

    @property
    def spread(self) -> bool:
        """Whether rows for any painting begin as mixes of those of trained styles."""
        return self.to_any and not self.encoded

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
        if not factors or self.spread:
            return None
        if self.begun:
            return [float(np.mean(factors))] * self.added
        return [*factors, *(1.0 if k is None else factors[k] for k in self.begins)]

    @functools.cached_property
    def begins(self) -> list[int | None]:
        """Where each added style begins: at a style of the same painting, if any is."""
        known = [style.get("sha256") for style in self.model.card["styles"]]
        found = (sha256(style.image) for style in self.more)
        return [known.index(one) if one in known else None for one in found]

    def start(self, network: keras.Model) -> None:
        """Put the model's weights into a network; freeze what is not to change."""
        if isinstance(network, Painter):
            if self.encoded:
                network.encoder.set_weights(load_encoder(self.folder).get_weights())
            network = network.network
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
                if self.tuned:  # The last row is where the style began.
                    old = [rows[:-1] for rows in old]
                layer.set_weights(
                    [
                        np.concatenate([rows, new[len(rows) :]])
                        for rows, new in zip(old, layer.get_weights(), strict=True)
                    ]
                )

    def _more(self, rows: np.ndarray, count: int) -> np.ndarray:
        """Return so many rows; those of new styles start as the mean of all there are.

        So does that of the photograph, if the strength is to be trained from now on. A
        new style of a painting that the model has starts as the style that it has.
        """
        mean = rows.mean(axis=0, keepdims=True)
        if self.begun:
            return rows
        if self.spread:
            return _spread(rows, count, self.model.network.settings.trained_strength)
        first = count - self.added - len(rows)
        own = len(rows) - len(self.model.styles)
        added = [mean if k is None else rows[own + k][None] for k in self.begins]
        return np.concatenate([*[mean] * first, rows, *added])


def _spread(rows: np.ndarray, count: int, photograph: bool | None) -> np.ndarray:
    """Return so many rows: the photograph's, the mean of all styles, ways to differ.

    These are random mixes of the styles' own, and a little out of their plane.
    """
    first, styles = (rows[:1], rows[1:]) if photograph else (rows.mean(0)[None], rows)
    draw = np.random.default_rng(count)
    mean = styles.mean(axis=0)
    coefficients = draw.standard_normal((count - 2, len(styles))) / len(styles) ** 0.5
    mixes = coefficients @ (styles - mean)
    mixes += 0.1 * styles.std(axis=0) * draw.standard_normal(mixes.shape)
    return np.concatenate([first, mean[None], mean + FAR * mixes]).astype("float32")
