"""Large pictures from a small draft, so that their forms and brushwork are large, too.

A network's brushwork has one size in pixels: in a photograph of many it can hardly be
seen. So a photograph is drafted small; enlarged, the draft is painted again, and of
that the finer brushwork is kept, step by step up to the photograph's own size. Reduced
to the draft's size the result is the draft: a Laplacian pyramid (Burt and Adelson 1983,
https://doi.org/10.1109/TCOM.1983.1095851), as Lin et al. 2021 draft and revise
(https://arxiv.org/abs/2104.05376), here with one network for all sizes.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np

DRAFT = 512
"""Short side of the draft in pixels."""
_STEP = 3
"""How many times larger a revision is at most than what it revises."""
_NEAR = 1.5
"""How many times larger the picture may be without a revision of its own."""


class Resize(Protocol):
    """Resizes `[H, W, 3]` or `[H, W]`."""

    def __call__(
        self, pixels: np.ndarray, width: int, height: int, *, clip: bool = True
    ) -> np.ndarray:
        """Return it with so many pixels; `clip` keeps values within 0..1."""


def sizes(width: int, height: int, draft: int | None) -> list[tuple[int, int]]:
    """Return width and height of the draft and its revisions, the picture's own last.

    Args:
        width: Pixels of the picture.
        height: Pixels of the picture.
        draft: Short side of the draft in pixels; None for none.
    """
    from nst_tf.imaging.resize import fit

    if draft is None:
        return [(width, height)]
    ratio = min(width, height) / draft
    count = math.ceil(math.log(ratio, _STEP)) if ratio > _NEAR else 0
    sides = (round(draft * ratio ** (index / count)) for index in range(count))
    return [*(fit(width, height, side, "short") for side in sides), (width, height)]


def paint(
    model: Callable[[np.ndarray], np.ndarray],
    photo: np.ndarray,
    share: float,
    steps: Sequence[tuple[int, int]],
    resize_by: Resize | None = None,
) -> np.ndarray:
    """Paint a photograph from a draft.

    Args:
        model: Paints a picture of any size, float32 `[H, W, 3]`, RGB 0..1; what it
            returns is changed.
        photo: float32 `[H, W, 3]`.
        share: How much of the photograph the picture is to hold, from 0 to 1: as much
            of its finer detail a revision begins with.
        steps: Width and height of the draft and its revisions, from `sizes`.
        resize_by: Resizes pictures and single channels; without it as photographs are.

    Returns:
        float32 `[H, W, 3]`, RGB 0..1.
    """
    from nst_tf.imaging import resize as usual

    resize = resize_by or usual.resize
    share = min(max(share, 0.0), 1.0)
    photos = [photo]
    for size in reversed(steps[:-1]):
        photos.append(resize(photos[-1], *size))
        if not share:  # The draft's own is all that is needed.
            del photos[0]
    own = photos.pop()
    picture = model(own)
    for small, size in pairwise(steps):
        start = resize(picture, *size, clip=False)
        if share:
            below, own = own, photos.pop()
            for channel in range(3):  # One at a time: large pictures fill the memory.
                known = resize(below[..., channel], *size, clip=False)
                start[..., channel] += share * (own[..., channel] - known)
        revised = model(np.clip(start, 0.0, 1.0, out=start))
        del start
        lack = picture - resize(revised, *small)
        for channel in range(3):
            revised[..., channel] += resize(lack[..., channel], *size, clip=False)
        picture = np.clip(revised, 0.0, 1.0, out=revised)
    return picture
