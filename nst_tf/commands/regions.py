"""Masks and maps that a command names: which part is painted like which painting."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np

    from nst_tf.imaging.guides import Regions


class Guided(Protocol):
    """What says which painting goes where: a job's files."""

    @property
    def masks(self) -> tuple[Path, ...]:
        """Where each painting goes."""

    @property
    def style_masks(self) -> tuple[Path, ...]:
        """Which part of each painting is the style."""

    @property
    def map(self) -> Path | None:
        """The photograph's regions."""

    @property
    def style_maps(self) -> tuple[Path, ...]:
        """The paintings' regions."""


def read_regions(
    job: Guided,
    sizes: Sequence[tuple[int, int]],
    shares: Sequence[float] | None,
    doodle: "np.ndarray | None" = None,
) -> "Regions":
    """Read masks or maps.

    Args:
        job: Names the files.
        sizes: Width and height of the photograph and of every painting.
        shares: One number a painting.
        doodle: What is the map where the job names none, float32 `[H, W, 3]`.

    Raises:
        InputError: A file can't be read, or does not fit.
    """
    from nst_tf.imaging.guides import everywhere, from_maps, from_masks
    from nst_tf.imaging.read import load_image

    size, *paintings = sizes
    masks, style_masks, style_maps = (
        [load_image(path).pixels for path in paths]
        for paths in (job.masks, job.style_masks, job.style_maps)
    )
    if masks:
        return from_masks(size, paintings, masks, style_masks, shares)
    if style_maps:
        colors = load_image(job.map).pixels if job.map else doodle
        assert colors is not None
        return from_maps(size, paintings, colors, style_maps, shares)
    return everywhere(len(paintings), shares)
