"""From a painting to the vector that a model for any painting takes, by LiteRT.

Neither TensorFlow nor Keras is imported.
"""

import os
from os import PathLike
from pathlib import Path

import numpy as np

from nst_export.card import Card, extract
from nst_tf.imaging.arrays import PictureLike, as_pixels
from nst_tf.settings.checks import InputError
from nst_tf.style_file import StyleVector

SUFFIX = "-encoder.tflite"


def encoder_beside(path: Path, card: Card) -> Path:
    """Return where the encoder of a model lies."""
    return path.with_name(f"{card.get('name')}{SUFFIX}")


def open_encoder(
    path: Path, card: Card, *, file: Path | None = None, threads: int | None = None
) -> "PaintingEncoder":
    """Return the encoder of a model for any painting.

    Args:
        path: Of the model.
        card: Of the model.
        file: Of the encoder; without it the one beside the model.
        threads: Threads that it takes; without it one a core.

    Raises:
        InputError: It is not there, no encoder, or another model's.
    """
    file = file or encoder_beside(path, card)
    encoder = PaintingEncoder(file, threads=threads)
    if encoder.network != card.get("network"):
        raise InputError(
            f"the encoder {file} is another model's than {path}: their vectors do not"
            " fit. nst export writes the two together"
        )
    return encoder


class PaintingEncoder:
    """An encoder that `nst export` wrote beside a model for any painting.

    Args:
        path: NAME-encoder.tflite.
        threads: Threads that it takes; without it one a core.

    Attributes:
        network: Hash of the network that its vectors fit.

    Raises:
        InputError: It is not there, or no encoder.

    Example:
        >>> encoder = PaintingEncoder("any-encoder.tflite")
        >>> stylizer = Stylizer.load("any.tflite")
        >>> stylizer = stylizer.with_styles([encoder.style("mine.jpg", "mine")])
        >>> picture = stylizer(photo, mix_weights(stylizer.styles, {"mine": 1.0}))
    """

    def __init__(
        self, path: str | PathLike[str], *, threads: int | None = None
    ) -> None:
        from ai_edge_litert.interpreter import Interpreter

        path = Path(path)
        if not path.is_file():
            raise InputError(f"there is no encoder {path}")
        data = path.read_bytes()
        try:
            self._interpreter = Interpreter(
                model_content=data, num_threads=threads or os.cpu_count() or 1
            )
            card = extract(data) or {}
            (self._input,) = self._interpreter.get_input_details()
            (self._output,) = self._interpreter.get_output_details()
        except Exception as error:  # A damaged file fails anywhere in the parser.
            raise InputError(f"{path} is damaged or no encoder") from error
        self.network = str(card.get("network", ""))

    def __call__(self, painting: PictureLike) -> np.ndarray:
        """Return the vector, float32 `[S]`.

        Args:
            painting: float32 `[H, W, 3]`, RGB 0..1, or what `as_pixels` makes that of;
                it is looked at with a short side of 304 pixels.

        Raises:
            InputError: It is none, or too small.
        """
        from nst_tf.imaging.seen import ENOUGH, seen  # Pillow, which --help needs not.

        return self.vector(seen(as_pixels(painting, "the painting", least=ENOUGH)))

    def vector(self, view: np.ndarray) -> np.ndarray:
        """Return the vector of what `nst_tf.imaging.seen.seen` made of a painting."""
        interpreter = self._interpreter
        interpreter.resize_tensor_input(self._input["index"], view.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(self._input["index"], view)
        interpreter.invoke()
        found: np.ndarray = interpreter.get_tensor(self._output["index"])[0].copy()
        return found

    def style(self, painting: PictureLike, name: str) -> StyleVector:
        """Return a painting as a style of the model that the encoder belongs to."""
        return StyleVector(name, self(painting), self.network)
