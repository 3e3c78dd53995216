"""Animated GIF and WebP files, frame by frame."""

import contextlib
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageSequence, UnidentifiedImageError

from nst_tf.files import replacing
from nst_tf.imaging.decode import decode
from nst_tf.imaging.formats import MAX_PIXELS, SizeError
from nst_tf.imaging.open import check_file, check_size
from nst_tf.imaging.write import to_bytes
from nst_tf.settings.checks import InputError

ANIMATIONS = {".gif": "GIF", ".webp": "WEBP"}
"""Endings of animations and the format they stand for."""
_QUICK = 100
"""Milliseconds that players show a frame which asks for 10 or less."""
_UNITS = {"GIF": 10, "WEBP": 1}
"""Milliseconds that the formats count in."""


class Animation(NamedTuple):
    """What is known of an animation without decoding it.

    Attributes:
        width: Pixels.
        height: Pixels.
        frames: How many.
        loop: How often it is repeated, 0 for ever, None not at all.
    """

    width: int
    height: int
    frames: int
    loop: int | None


def read_animation(path: Path) -> Animation:
    """Return what is known of an animation.

    Raises:
        InputError: No such file, no GIF or WebP, or a single picture.
    """
    with _opened(path) as file:
        frames = getattr(file, "n_frames", 1)
        if frames < 2:
            raise InputError(f"{path} is a picture; nst stylize paints pictures")
        loop = file.info.get("loop", None if file.format == "GIF" else 0)
        return Animation(*file.size, frames, loop)


def animation_frames(path: Path) -> Iterator[tuple[np.ndarray, int]]:
    """Yield every frame, float32 `[H, W, 3]` on white, and its milliseconds."""
    with _opened(path) as file:
        for frame in ImageSequence.Iterator(file):
            frame.load()
            shown = int(frame.info.get("duration", _QUICK))
            yield decode(frame.convert("RGBA")).pixels, shown if shown > 10 else _QUICK


def lengths_between(path: Path, times: np.ndarray) -> list[int]:
    """Return how long frames are shown, in milliseconds that an animation can hold.

    Times are rounded, not lengths, whose errors would add up: at 30 frames a second a
    GIF has 30, 40 and 30 ms.

    Args:
        path: Ends in .gif or .webp.
        times: Milliseconds when each begins, and when the last one ends.
    """
    unit = _UNITS[ANIMATIONS[path.suffix.lower()]]
    least = (10 // unit + 1) * unit
    now, *ends = (np.rint(times / unit).astype(int) * unit).tolist()
    lengths = []
    for end in ends:
        lengths.append(max(least, end - now))
        now += lengths[-1]
    return lengths


def save_animation(
    path: Path, frames: Iterable[tuple[np.ndarray, int]], *, loop: int | None = 0
) -> None:
    """Write an animation whole or not at all.

    A GIF has 256 colours a frame, chosen for each; WebP is written at quality 90.

    Args:
        path: Ends in .gif or .webp.
        frames: uint8 or float32 `[H, W, 3]`, and the milliseconds of each.
        loop: How often it is repeated, 0 for ever, None not at all.
    """
    kind = ANIMATIONS[path.suffix.lower()]
    lengths: list[int] = []

    def images() -> Iterator[Image.Image]:
        for pixels, shown in frames:
            lengths.append(shown)
            values = pixels if pixels.dtype == np.uint8 else to_bytes(pixels)
            image = Image.fromarray(values)
            yield image.quantize(256) if kind == "GIF" else image

    # Pillow asks for all durations at once, so the frames have to be there.
    first, *rest = images()
    options: dict[str, Any] = {"duration": lengths}
    if kind == "WEBP":
        options |= {"loop": 1 if loop is None else loop, "quality": 90, "method": 2}
    else:  # Without a number of repetitions a GIF is shown once.
        options |= {"disposal": 1, "optimize": False}
        options |= {} if loop is None else {"loop": loop}
    with replacing(path) as part:
        first.save(part, format=kind, save_all=True, append_images=rest, **options)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    check_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # The size is judged here.
            with Image.open(path) as file:
                if file.format not in ANIMATIONS.values():
                    raise InputError(f"{path} is a {file.format} file, no GIF or WebP")
                check_size(file, path, MAX_PIXELS)
                yield file
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(f"{path} is no GIF or WebP") from error
    except Image.DecompressionBombError as error:
        raise SizeError(f"{path} is too large: {error}") from error
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise InputError(f"{path} is damaged and can't be decoded: {error}") from error
