"""Total variation: how far pixels are from their neighbours."""

from typing import Any

from keras import ops

from nst_tf.backend.slicing import slice_map
from nst_tf.loss.term import Seen, Sums, Targets, Term
from nst_tf.loss.tiles import Tile

Tensor = Any


def total_variation(image: Tensor) -> Tensor:
    """Return the mean squared difference of neighbouring pixels, `[B]` float32.

    In units of the 0..255 range, so that its weight compares with those of the other
    terms; a mean, so that it does not grow with the picture.

    Args:
        image: float32 `[B, H, W, 3]`, RGB 0..1.
    """
    image = 255.0 * ops.cast(image, "float32")
    after, before = slice(1, None), slice(None, -1)
    down = slice_map(image, rows=after) - slice_map(image, rows=before)
    right = slice_map(image, columns=after) - slice_map(image, columns=before)
    return ops.mean(ops.square(down), axis=(1, 2, 3)) + ops.mean(
        ops.square(right), axis=(1, 2, 3)
    )


class Variation(Term):
    """Total variation; it is computed only where the settings give it some weight."""

    name = "tv"

    def statistics(self, seen: Seen, targets: Targets) -> Sums:
        """Return the picture's own `[B]`, or of a tile the sums that it is made of."""
        del targets
        if not self.settings.tv_weight:
            return {}
        if seen.tile is not None:
            return _tile_sums(seen.image, seen.tile)
        return {"tv": total_variation(seen.image)}

    def gathered(self, sums: Sums, shape: tuple[int, ...]) -> Sums:
        """Return the total variation of a picture in tiles, a mean over B, `[1]`."""
        if not self.settings.tv_weight:
            return {}
        batch, height, width, channels = shape
        down = sums["tv/down"] / (batch * (height - 1) * width * channels)
        right = sums["tv/right"] / (batch * height * (width - 1) * channels)
        return {"tv": ops.reshape(down + right, (1,))}

    def value(self, sums: Sums, targets: Targets) -> Tensor:
        """Return the total variation, 0 if unweighted."""
        if not self.settings.tv_weight:
            return ops.zeros((), "float32")
        return ops.mean(sums["tv"])


def _tile_sums(crop: Tensor, tile: Tile) -> Sums:
    """Return the sums of squared differences of a tile's pixels and their next ones."""
    wide = 255.0 * crop
    down, across = tile.own(wide, below=1), tile.own(wide, beside=1)
    down = down[:, 1:] - down[:, :-1]
    across = across[:, :, 1:] - across[:, :, :-1]
    return {
        "tv/down": ops.sum(ops.square(down)),
        "tv/right": ops.sum(ops.square(across)),
    }
