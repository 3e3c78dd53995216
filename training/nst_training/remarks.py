"""What a training can do, but its user may not have meant."""

from pathlib import Path

from nst_tf.imaging.folder import Folder
from nst_tf.imaging.open import size_of_file
from nst_tf.imaging.read import load_image
from nst_tf.imaging.resize import reduce
from nst_tf.machine import free_memory, has_gpu_driver
from nst_tf.settings.checks import InputError
from nst_training.data import Source
from nst_training.settings import TrainSettings

_FLAT = 0.02
"""Deviation of a painting's values below which it has nothing to learn from."""
_LOOKED_AT = 500
"""Photographs whose size is looked at."""
_PROGRAM, _PIXEL, _PIXEL_OF_WIDTH = 0.2e9, 1500.0, 2600.0
"""Bytes that a training takes: the program, besides what it has taken by then, and a
pixel of a batch, in the loss network and in a network of width 1. Measured on a CPU
with TensorFlow, VGG-19 like lite, of batches of 1 to 8 crops of 256 pixels and 4 of
384, width 0.5 too: peaks of 0.96 to 1.04 of what this and 0.45 GB make."""


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


def memory_remarks(settings: TrainSettings) -> list[str]:
    """Return a line about a training that memory may not hold, or none.

    A system that has no memory left ends the program, and says nothing.
    """
    free = free_memory()
    if free is None or has_gpu_driver():
        return []
    crop = (_PIXEL + _PIXEL_OF_WIDTH * settings.width) * settings.size**2
    need = _PROGRAM + settings.batch * crop
    if need <= free:
        return []
    fits = int((free - _PROGRAM) / crop)
    if 0 < fits < settings.batch:
        smaller = f"--batch {fits}"
    elif settings.batch > 1:
        smaller = "--batch 1 and a smaller --size"
    else:
        smaller = "a smaller --size"
    return [
        f"training takes about {need / 1e9:.1f} GB of memory more, and"
        f" {free / 1e9:.1f} GB are free: if the system ends the run for want of it,"
        f" choose {smaller}"
    ]


def _is_small(path: Path, side: int) -> bool:
    try:
        return min(size_of_file(path)) < side
    except InputError:
        return False  # It is told of when it is read.
