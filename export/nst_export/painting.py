"""One photograph to the file of its picture, whoever reads and writes the files."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any, Literal

from nst_export.runtime.drafts import DRAFT
from nst_export.runtime.stylizer import Stylizer
from nst_tf.imaging.color import keep_colors
from nst_tf.settings.checks import MIN_SIDE, InputError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manner:
    """How photographs are read, painted and written."""

    size: int | None = None
    """Long side in pixels to which larger photographs are reduced first."""
    draft: int | None = DRAFT
    """Short side in pixels of the draft of larger photographs; None for no draft."""
    keep_colors: bool = False
    """Paint the brightness only; colours stay the photograph's."""
    depth: Literal[8, 16] = 8
    """Bits a channel of the result."""
    profile: Literal["srgb", "keep"] = "srgb"
    """Colours of the result: sRGB, or the photograph's profile."""
    max_megapixels: float | None = None
    """Largest photograph that is read; None for the limits of `load_image`."""

    @classmethod
    def of(cls, job: Any) -> "Manner":
        """Return what the fields of the same names of a command's job say."""
        return cls(**{f.name: getattr(job, f.name) for f in dataclasses.fields(cls)})


def painted(
    model: Stylizer,
    source: Path | bytes,
    weights: Sequence[float],
    manner: Manner,
    *,
    output: PurePath,
    name: str = "the image",
) -> tuple[bytes, tuple[str, ...]]:
    """Paint one photograph.

    Args:
        model: Paints it.
        source: Its file, or the bytes of it.
        weights: One a style, the photograph's own first; from `mix_weights`.
        manner: How it is read, painted and written.
        output: Its ending chooses the format.
        name: What messages call bytes.

    Returns:
        The bytes of the picture's file, and names of what they have no room for.

    Raises:
        InputError: The photograph can't be read, is too narrow when it is reduced, or
            is too long for the output's format.
    """
    from nst_tf.imaging.read import load_photograph
    from nst_tf.imaging.write import check_sides, encode_file

    most = manner.max_megapixels
    limit = None if most is None else int(1e6 * most)
    photo = load_photograph(source, size=manner.size, max_pixels=limit, name=name)
    pixels, alpha = photo.picture
    height, width = pixels.shape[:2]
    if min(height, width) < MIN_SIDE:
        called = name if isinstance(source, bytes) else source
        raise InputError(
            f"{called} would have {width}x{height} pixels; each side needs {MIN_SIDE}:"
            " choose a larger size"
        )
    check_sides(Path(output), width, height)
    picture = model(pixels, weights, draft=manner.draft)
    if manner.keep_colors:
        picture = keep_colors(picture, pixels)
    return encode_file(
        Path(output),
        picture,
        alpha=alpha,
        exif=photo.exif,
        depth=manner.depth,
        profile=photo.profile if manner.profile == "keep" else None,
    )
