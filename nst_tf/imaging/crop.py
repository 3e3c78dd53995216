"""Random squares of photographs, to train on."""

from pathlib import Path

import numpy as np
from PIL import Image

from nst_tf.imaging.decode import decode, decode_bytes, is_deep
from nst_tf.imaging.deep_tiff import DeepTiff
from nst_tf.imaging.open import Opened, opened
from nst_tf.imaging.write import to_bytes


def load_crop(
    source: Path | bytes,
    size: int,
    draw: np.random.Generator,
    *,
    least: float = 0.5,
    name: str = "the image",
) -> np.ndarray:
    """Read a random square of an image for training, uint8 `[size, size, 3]`.

    The square's side is `least` to 1 of the short side, but no smaller than `size`
    where the picture is larger; it is mirrored half of the time. Cropping and
    antialiased resizing are one step: half the time of `load_image` and `resize`.

    Args:
        source: A file or its bytes.
        size: Side of the result in pixels.
        draw: Where the numbers come from; four are drawn.
        least: Smallest part of the short side.
        name: What messages call the bytes.

    Raises:
        InputError: As `load_image`.
    """
    part, left, top, mirrored = draw.random(4)
    with opened(source, str(source) if isinstance(source, Path) else name) as file:
        image = _decode_to_bytes(file)
    short = min(image.size)
    side = max(short * (least + (1.0 - least) * part), min(short, size))
    x, y = left * (image.width - side), top * (image.height - side)
    square = image.resize(
        (size, size), Image.Resampling.BICUBIC, box=(x, y, x + side, y + side)
    )
    pixels = np.asarray(square)
    return np.ascontiguousarray(pixels[:, ::-1] if mirrored < 0.5 else pixels)


def _decode_to_bytes(file: Opened) -> Image.Image:
    """Return what `decode` does but in 8 bits, which spares the floats of the rest."""
    if isinstance(file, DeepTiff) or is_deep(file):
        return Image.fromarray(to_bytes(decode(file).pixels))
    image, mask = decode_bytes(file)
    image = image.convert("RGB")
    if mask is not None:
        image = Image.composite(image, Image.new("RGB", image.size, "white"), mask)
    return image
