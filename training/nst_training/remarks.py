"""What a training can do, but its user may not have meant."""

from pathlib import Path

from nst_tf.imaging.folder import Folder
from nst_tf.imaging.open import size_of_file
from nst_tf.imaging.read import load_image
from nst_tf.imaging.resize import reduce
from nst_tf.settings.checks import InputError
from nst_training.data import Source
from nst_training.settings import TrainSettings

_FLAT = 0.02
"""Deviation of a painting's values below which it has nothing to learn from."""
_LOOKED_AT = 500
"""Photographs whose size is looked at."""


def remarks(settings: TrainSettings, source: Source) -> list[str]:
    """Return lines about flat paintings, and photographs smaller than the crops.

    Args:
        settings: Of the training.
        source: The photographs.

    Raises:
        InputError: A painting can't be read.
    """
    found = []
    for style in settings.styles:
        side = style.size or settings.style_size
        pixels = reduce(load_image(style.image).pixels, side)
        if pixels.std() < _FLAT:
            found.append(
                f"the painting of {style.name} is almost flat (its values deviate by"
                f" {pixels.std():.3f} of 1): there is little style to learn"
            )
    if isinstance(source, Folder):
        files = source.files[:_LOOKED_AT]
        small = sum(_is_small(path, settings.size) for path in files)
        if small:
            found.append(
                f"{small} of {len(files)} photographs are smaller than the crops of"
                f" {settings.size} pixels and are enlarged"
            )
    return found


def _is_small(path: Path, side: int) -> bool:
    try:
        return min(size_of_file(path)) < side
    except InputError:
        return False  # It is told of when it is read.
