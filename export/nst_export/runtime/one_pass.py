"""A picture in the manner of any paintings, in one pass of the model that ships."""

from collections.abc import Sequence

import numpy as np

from nst_export.runtime.encoder import open_encoder
from nst_export.runtime.mix import mix_weights
from nst_export.runtime.stylizer import Stylizer, bundled
from nst_tf.commands import console


def one_pass(
    photo: np.ndarray,
    paintings: Sequence[np.ndarray],
    shares: Sequence[float] | None = None,
) -> np.ndarray:
    """Return the picture, float32 `[H, W, 3]`, RGB 0..1.

    Args:
        photo: float32 `[H, W, 3]`.
        paintings: float32 `[H', W', 3]` each.
        shares: How much of each; without them as much of all.
    """
    path = bundled("any")
    with console.silence():  # What LiteRT says would break a bar.
        model = Stylizer.load(path)
        encoder = open_encoder(path, model.card)
        names = [str(index) for index in range(len(paintings))]
        model = model.with_styles(
            [encoder.style(x, name) for x, name in zip(paintings, names, strict=True)]
        )
        mix = dict(zip(names, shares or [1.0] * len(names), strict=True))
        return model(photo, mix_weights(model.styles, mix))
