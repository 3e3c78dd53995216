"""How much of a photograph and of a painting a picture has: errors that compare.

They mean the same for every method, size and weight: of the picture as it is saved, in
8 bits, against photograph and painting in the features of the loss network, relative
to those features' energy. 0 is the photograph's content or the painting's style itself;
an unrelated picture has about 1 to 2.
"""

import functools
import hashlib
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from nst_tf.backend.compile import compiled
from nst_tf.imaging.resize import reduce
from nst_tf.imaging.write import to_bytes
from nst_tf.loss.content import content_loss
from nst_tf.loss.extractor import build_extractor
from nst_tf.loss.style.gram import gram_matrix, style_loss
from nst_tf.settings.budget import CONTENT_LAYER
from nst_tf.settings.loss import ExtractorSettings, LossSettings

Tensor = Any
STYLE_LAYERS = LossSettings().style_layers
_PAINTINGS = 64
"""Of how many paintings the Gram matrices are kept, about 2.5 MB each."""


class PictureErrors(NamedTuple):
    """Relative squared errors of a picture.

    Attributes:
        content: Of the features of block4_conv2, to the photograph's.
        style: Of the Gram matrices of block1_conv1 to block5_conv1, to the painting's.
    """

    content: float
    style: tuple[float, ...]

    @property
    def mean_style(self) -> float:
        """Mean over the layers."""
        return float(np.mean(self.style))


class ErrorMeter:
    """Measures pictures in float32.

    The last photograph's features and the last paintings' Gram matrices are kept: of
    many pictures of the same photographs and paintings, each is looked at once.

    Args:
        extractor: The network; VGG-19 where it is at hand.

    Example:
        >>> meter = ErrorMeter()
        >>> meter(picture, photo, painting).content
        0.45
    """

    def __init__(self, extractor: ExtractorSettings | None = None) -> None:
        layers = (*STYLE_LAYERS, CONTENT_LAYER)
        self._features = compiled(
            build_extractor(layers, settings=extractor, dtype="float32")
        )
        self._content = functools.lru_cache(1)(self._content_of)
        self._grams = functools.lru_cache(_PAINTINGS)(self._grams_of)

    def __call__(
        self, picture: np.ndarray, photo: np.ndarray, painting: np.ndarray
    ) -> PictureErrors:
        """Return the errors of a picture.

        Args:
            picture: float32 `[H, W, 3]`, RGB 0..1; rounded to 8 bits.
            photo: float32 `[H, W, 3]`.
            painting: float32 `[H', W', 3]`; reduced to the picture's long side.
        """
        saved = to_bytes(picture).astype("float32") / 255.0
        mine = self._features(ops.convert_to_tensor(saved[None]))
        theirs = self._content(_Pixels(photo))
        content = content_loss(mine[CONTENT_LAYER], theirs, convention="relative")
        style = self._grams(_Pixels(reduce(painting, max(picture.shape[:2]))))
        gaps = [
            style_loss(gram_matrix(mine[name]), gram, convention="relative")
            for name, gram in zip(STYLE_LAYERS, style, strict=True)
        ]
        content, *gaps = (float(ops.convert_to_numpy(x)[0]) for x in (content, *gaps))
        return PictureErrors(content, tuple(gaps))

    def _content_of(self, photo: "_Pixels") -> Tensor:
        return self._features(ops.convert_to_tensor(photo.array[None]))[CONTENT_LAYER]

    def _grams_of(self, painting: "_Pixels") -> list[Tensor]:
        found = self._features(ops.convert_to_tensor(painting.array[None]))
        return [gram_matrix(found[name]) for name in STYLE_LAYERS]


class _Pixels:
    """An array that is equal to another with the same numbers."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        bits = np.ascontiguousarray(array).tobytes()
        self.key = (array.shape, array.dtype.str, hashlib.blake2b(bits).digest())

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Pixels) and self.key == other.key
