"""What a term of the loss is: what it looks at, and what that is compared with."""

import abc
from typing import Any, ClassVar, NamedTuple

from nst_tf.loss.tiles import Tile
from nst_tf.settings.loss import LossSettings

Tensor = Any
Sums = dict[str, Tensor]
"""Sums over a picture's positions, which the loss is a function of, by name."""


class Targets(NamedTuple):
    """What a picture is compared with.

    `content` and `masks` belong to positions: a tile of a picture is compared with the
    same tile of them. The rest is the same for every tile.

    Attributes:
        content: `dict[layer, [B, h, w, C]]`, features of the photograph.
        style: float32 moments of the style of each of R regions (one without masks),
            from `Style.targets`: `layer/gram` `[B, R, C, C]` and the like.
        strength: Factor of the style term of every picture, `[B]` or `[B, R]`, or None
            for 1.
        masks: float32 `dict[layer, [B, h, w, R]]`, 0..1, how much each position of the
            style layers belongs to each region, or None for one region.
        weights: Weights of the terms in the order of `TERMS`, float32 `[T]`, where they
            may change on the way; None for those of the settings.
    """

    content: dict[str, Tensor]
    style: dict[str, Tensor]
    strength: Tensor | None = None
    masks: dict[str, Tensor] | None = None
    weights: Tensor | None = None


class Seen(NamedTuple):
    """What the terms look at, a picture or a tile of one.

    Attributes:
        image: float32 `[B, H, W, 3]`, RGB 0..1; of a tile the crop that the network
            must see.
        features: `dict[layer, [B, h, w, C]]`, of a tile the positions that it owns.
        tile: None for a picture as a whole.
    """

    image: Tensor
    features: dict[str, Tensor]
    tile: Tile | None = None


class Term(abc.ABC):
    """A term of the loss, from sums over positions.

    Args:
        settings: Convention, layers and weights.
    """

    name: ClassVar[str]
    """As in `TERMS`: `settings` have its weight as `NAME_weight`."""

    def __init__(self, settings: LossSettings) -> None:
        self.settings = settings

    @property
    def weight(self) -> float:
        """Weight in the settings."""
        return self.settings.term_weights[self.name]

    @abc.abstractmethod
    def statistics(self, seen: Seen, targets: Targets) -> Sums:
        """Return sums over the positions of a picture or a tile.

        Added up over the tiles of a picture, they and what `gathered` makes of them
        hold all that the term needs. Their names are those of layers and kinds, or
        begin with the term's own.
        """

    def gathered(self, sums: Sums, shape: tuple[int, ...]) -> Sums:
        """Return what sums over all tiles lack of those of the whole picture.

        Args:
            sums: Those of all terms, added up over the tiles.
            shape: Of the picture, `(B, H, W, 3)`.
        """
        del sums, shape
        return {}

    @abc.abstractmethod
    def value(self, sums: Sums, targets: Targets) -> Tensor:
        """Return the unweighted term, averaged over B, float32 `[]`."""
