"""From a painting to the vector that a model for any painting takes, by LiteRT.

Neither TensorFlow nor Keras is imported.
"""

from os import PathLike
from pathlib import Path

import numpy as np

from nst_tf.imaging.arrays import PictureLike, as_pixels
from nst_tf.imaging.resize import resize
from nst_tf.settings.checks import MIN_SIDE, InputError

SIDE = 256
"""Short side in pixels at which paintings are looked at."""
_LONGEST = 4
"""Longest side over the shortest: what is beyond adds no more to means."""
SUFFIX = "-encoder.tflite"


class PaintingEncoder:
    """An encoder that `nst export` wrote beside a model for any painting.

    Args:
        path: NAME-encoder.tflite.
        threads: Threads that it takes.

    Raises:
        InputError: It is not there, or no encoder.

    Example:
        >>> encoder = PaintingEncoder("any-encoder.tflite")
        >>> weights = encoder.weights("mine.jpg", strength=0.7)
        >>> picture = Stylizer.load("any.tflite")(photo, weights)
    """

    def __init__(self, path: str | PathLike[str], *, threads: int = 1) -> None:
        from ai_edge_litert.interpreter import Interpreter

        path = Path(path)
        if not path.is_file():
            raise InputError(f"there is no encoder {path}")
        try:
            self._interpreter = Interpreter(
                model_content=path.read_bytes(), num_threads=threads
            )
        except (ValueError, RuntimeError) as error:
            raise InputError(f"{path} is damaged or no encoder") from error
        (self._input,) = self._interpreter.get_input_details()
        (self._output,) = self._interpreter.get_output_details()

    @property
    def size(self) -> int:
        """Numbers of a vector."""
        return int(self._output["shape"][-1])

    def __call__(self, painting: PictureLike) -> np.ndarray:
        """Return the vector, float32 `[K]`, whose sum is 1.

        Args:
            painting: float32 `[H, W, 3]`, RGB 0..1, or what `as_pixels` makes that of;
                it is looked at with a short side of 256 pixels.

        Raises:
            InputError: It is none, or too small.
        """
        small = self.seen(painting)
        interpreter = self._interpreter
        interpreter.resize_tensor_input(self._input["index"], small.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(self._input["index"], small)
        interpreter.invoke()
        found: np.ndarray = interpreter.get_tensor(self._output["index"])[0].copy()
        return found

    @staticmethod
    def seen(painting: PictureLike) -> np.ndarray:
        """Return what of a painting is looked at, float32 `[1, H, W, 3]`."""
        pixels = as_pixels(painting, "the painting")
        height, width = pixels.shape[:2]
        if min(height, width) < MIN_SIDE:
            raise InputError(
                f"the painting has {width}x{height} pixels; each side needs {MIN_SIDE}"
            )
        scale = SIDE / min(height, width)
        sides = [min(_LONGEST * SIDE, round(scale * side)) for side in (width, height)]
        small: np.ndarray = resize(pixels, *sides)[None].astype("float32")
        return small

    def weights(self, painting: PictureLike, *, strength: float = 1.0) -> list[float]:
        """Return what `Stylizer` takes: the photograph's share, then the vector's.

        Args:
            painting: As above.
            strength: 0 is the photograph, 1 the whole style.
        """
        if not 0 <= strength <= 1:
            raise InputError(f"strength must be in 0..1, got {strength:g}")
        return [1.0 - strength, *(strength * self(painting)).tolist()]
