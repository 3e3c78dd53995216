"""What a compressed network is fitted on: crops, and pictures that are no photographs.

An optimiser shows a loss network pictures that nobody took: noisy, flat, half painted.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nst_tf.imaging.read import load_image
from nst_tf.imaging.resize import resize
from nst_tf.settings.checks import InputError

_KEPT = 10**9
"""Bytes of decoded pictures: 28 photographs of a phone."""
_LEAST_PART = 0.35
"""Smallest crop, as a part of the shorter side."""


class Pictures:
    """Image files of a folder, decoded and kept as bytes, as many as `_KEPT` holds.

    Args:
        paths: The files.

    Attributes:
        broken: Why those that can't be read, in whose place others are taken, can't.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = list(paths)
        self.broken: dict[Path, str] = {}
        self._kept: dict[Path, np.ndarray] = {}

    def _any(self, draw: np.random.Generator) -> np.ndarray:
        """Return a random picture that can be read."""
        while len(self.broken) < len(self.paths):
            path = self.paths[int(draw.integers(len(self.paths)))]
            if path not in self.broken:
                try:
                    return self._picture(path)
                except InputError as error:
                    self.broken[path] = str(error)
        first = next(iter(self.broken.values()))
        raise InputError(f"no picture can be read; for example: {first}")

    def _picture(self, path: Path) -> np.ndarray:
        if path not in self._kept:
            pixels = load_image(path).pixels
            self._kept[path] = np.rint(255.0 * pixels).astype("uint8")
            while sum(kept.nbytes for kept in self._kept.values()) > _KEPT:
                del self._kept[next(iter(self._kept))]
        return self._kept[path].astype("float32") / 255.0

    def crop(
        self, draw: np.random.Generator, size: int, *, least: float = _LEAST_PART
    ) -> np.ndarray:
        """Return a square of any picture, place, scale and side, `[size, size, 3]`.

        Raises:
            InputError: No picture can be read.
        """
        image = self._any(draw)
        height, width = image.shape[:2]
        shorter = min(height, width)
        side = int(shorter * np.exp(draw.uniform(np.log(least), 0.0)))
        side = min(max(side, 2 * size // 3), shorter)
        top, left = draw.integers(height - side + 1), draw.integers(width - side + 1)
        crop = resize(image[top : top + side, left : left + side], size, size)
        return crop[:, ::-1] if draw.random() < 0.5 else crop


def variety(
    draw: np.random.Generator, photos: Pictures, paintings: Pictures, size: int
) -> np.ndarray:
    """Return a crop of one kind of six, float32 `[size, size, 3]`, RGB 0..1.

    A photograph, a painting, a noisy photograph, a mix of both, one of low contrast on
    a colour, or one that goes under in noise.
    """
    photo = photos.crop(draw, size)
    kind, share = draw.random(), draw.uniform(0.1, 0.9)
    if kind < 0.2:
        made = photo
    elif kind < 0.4:
        made = paintings.crop(draw, size)
    elif kind < 0.6:
        made = photo + draw.uniform(0.02, 0.3) * draw.standard_normal(photo.shape)
    elif kind < 0.75:
        made = share * photo + (1.0 - share) * paintings.crop(draw, size)
    elif kind < 0.9:
        made = 0.7 * share * photo + (1.0 - 0.7 * share) * draw.uniform(0.0, 1.0, 3)
    else:
        noise = 0.5 + 0.1 * draw.standard_normal(photo.shape)
        made = share * noise + (1.0 - share) * photo
    return np.clip(made, 0.0, 1.0).astype("float32")
