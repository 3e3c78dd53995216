"""Photographs held in the memory of the device that trains.

Reading, decoding and cropping keep up with a processor, not with a GPU: at hundreds of
photographs a second they are cut where they are needed.
"""

import itertools
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops
from PIL import Image

from nst_tf.imaging.folder import shuffled
from nst_tf.imaging.read import load_image
from nst_tf.imaging.write import to_bytes
from nst_tf.settings.checks import InputError
from nst_training.data import Batches

Tensor = Any
LARGER = 1.5
"""Side of the squares that are held, over that of the crops."""
_LEAST = 0.5
"""Smallest side of a crop, over that of its square."""


class ResidentBatches(Batches):
    """Batches of places in photographs that are held, from which `crop` cuts.

    Args:
        files: The photographs; those that can't be read are left out and noted.
        **kwargs: As `Batches`, but for the source.

    Attributes:
        squares: uint8 `[M, S, S, 3]`, the squares along the long side of each.

    Raises:
        InputError: None of them can be read.
    """

    def __init__(self, files: list[Path], **kwargs: Any) -> None:
        super().__init__(None, **kwargs)  # type: ignore[arg-type]
        self.squares, self.broken = read_squares(files, self.size)

    def open(self, start: int) -> Generator[dict[str, np.ndarray], None, None]:
        """Yield the batches from number `start`.

        Each has `index`, int32 `[B]`, `place`, float32 `[B, 4]`, uniform random numbers
        for `crop`, and `style` and `draws` as those of `Batches`.
        """
        order = shuffled(len(self.squares), self.seed, start * self.batch)
        for number in itertools.count(start):
            index = np.asarray([next(order) for _ in range(self.batch)], "int32")
            draw = np.random.default_rng((self.seed, 2, number))
            place = draw.random((self.batch, 4), "float32")
            yield {
                "index": self._mine(index),
                "place": self._mine(place),
                **self.drawn(number),
            }


def crop(squares: Tensor, batch: dict[str, Tensor], size: int) -> Tensor:
    """Return random crops, float32 `[B, size, size, 3]`, RGB 0..1.

    Args:
        squares: uint8 `[M, S, S, 3]`.
        batch: From `ResidentBatches`.
        size: Side of the crops in pixels.
    """
    chosen = ops.cast(ops.take(squares, batch["index"], axis=0), "float32") / 255.0
    side = float(squares.shape[1])
    place = batch["place"]
    part = side * (_LEAST + (1.0 - _LEAST) * place[:, 0])
    left, top = (place[:, k] * (side - part) for k in (1, 2))
    step = part / size  # Pixels of the square a pixel of the crop.
    mirrored = place[:, 3] < 0.5
    right = left + part
    x0 = ops.where(mirrored, right - 0.5 * step, left + 0.5 * step) - 0.5
    dx = ops.where(mirrored, -step, step)
    zero = ops.zeros_like(step)
    transform = ops.stack(
        [dx, zero, x0, zero, step, top + 0.5 * step - 0.5, zero, zero], axis=-1
    )
    moved = ops.image.affine_transform(
        chosen, transform, interpolation="bilinear", fill_mode="nearest"
    )
    return moved[:, :size, :size]


def read_squares(files: Sequence[Path], size: int) -> tuple[np.ndarray, dict[str, str]]:
    """Return the squares of pictures, and which can't be read, by name, and why.

    Args:
        files: The pictures.
        size: Side of the crops that will be cut, in pixels.

    Returns:
        uint8 `[M, S, S, 3]`, `LARGER` than the crops; those of a picture lie along its
        long side.

    Raises:
        InputError: None of them can be read.
    """
    held: list[np.ndarray] = []
    broken: dict[str, str] = {}
    for file in files:
        try:
            held += _squares_of(file, int(LARGER * size))
        except InputError as error:
            broken[str(file)] = str(error)
    if not held:
        first = next(iter(broken.values()))
        raise InputError(f"no picture can be read; for example: {first}")
    return np.stack(held), broken


def _squares_of(file: Path, side: int) -> list[np.ndarray]:
    """Return the squares along the long side of a photograph, uint8, scaled."""
    image = Image.fromarray(to_bytes(load_image(file).pixels))
    short = min(image.size)
    scaled = [max(side, round(side * length / short)) for length in image.size]
    pixels = np.asarray(image.resize(scaled, Image.Resampling.LANCZOS))
    spare = max(pixels.shape[:2]) - side
    axis = int(pixels.shape[1] > pixels.shape[0])
    count = 1 + -(-spare * 2 // side) if spare else 1
    starts = [round(k * spare / max(1, count - 1)) for k in range(count)]
    return [
        np.ascontiguousarray(np.take(pixels, range(at, at + side), axis=axis))
        for at in starts
    ]
