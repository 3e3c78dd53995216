"""What a training can do, but its user may not have meant."""

from pathlib import Path

from nst_tf.imaging.folder import Folder
from nst_tf.imaging.open import size_of_file
from nst_tf.imaging.read import load_image
from nst_tf.imaging.resize import reduce
from nst_tf.network.trained import ENCODER, read_card
from nst_tf.settings.checks import InputError
from nst_training.data import Source
from nst_training.growing import origins
from nst_training.settings import TrainSettings

_FLAT = 0.02
"""Deviation of a painting's values below which it has nothing to learn from."""
_LOOKED_AT = 500
"""Photographs whose size is looked at."""


def remarks(
    settings: TrainSettings, source: Source, base: Path | None = None
) -> list[str]:
    """Return lines about lost styles, flat paintings, and photographs that are small.

    Args:
        settings: Of the training.
        source: The photographs.
        base: The model that it starts from, if all of it is trained on.

    Raises:
        InputError: A painting, or the model's card, can't be read.
    """
    found = []
    if base is not None and not (base / ENCODER).is_file():
        found += _left_out(settings, base)
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


def _left_out(settings: TrainSettings, base: Path) -> list[str]:
    """Return a line about the styles of a model that are not trained on."""
    if settings.paintings is not None:
        return []
    card = read_card(base)
    names = [style["name"] for style in card["styles"]]
    begun = origins(card, settings.styles)
    rest = [name for place, name in enumerate(names) if place not in begun]
    if not rest:
        return []
    return [f"of the styles of {base} the model will not have {', '.join(rest)}"]


def _is_small(path: Path, side: int) -> bool:
    try:
        return min(size_of_file(path)) < side
    except InputError:
        return False  # It is told of when it is read.
