"""The objective in exact tiles: the same loss and gradient in a stated memory."""

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from nst_tf.objective import LossParts, Objective, Targets
from nst_tf.precision import compiled, gradient
from nst_tf.settings import LossSettings
from nst_tf.tiles import Span, Tile, block, convolutions, cut, halos, split, tile_features

Tensor = Any
Sums = dict[str, Tensor]


class TiledObjective(Objective):
    """The same function of the picture as `Objective`, evaluated tile by tile.

    The loss is a function of sums over positions. A first pass adds them up over the
    tiles, forward only; their gradient is that of small matrices. A second pass runs
    each tile again and takes that gradient back to the tile's pixels and its halo. So
    the activations of one tile are all that is ever held: gradients equal the untiled
    ones but for the rounding of sums in another order.

    The photograph's features at the content layers are held, whole, in the extractor's
    dtype: 16 bytes a pixel for block4_conv2 in bfloat16. To compute them again for each
    tile would cost half as much time again.

    Call it eagerly (`compile(run_eagerly=True)`): in one graph TensorFlow would run
    several tiles at a time, JAX compile each.

    Args:
        extractor: A model from `build_extractor` that has the layers of `settings`.
        settings: Convention, layers and weights.
        tile: Longest side in pixels that a tile owns.
    """

    def __init__(
        self,
        extractor: keras.Model,
        settings: LossSettings | None = None,
        *,
        tile: int,
    ) -> None:
        super().__init__(extractor, settings)
        self.tile = tile
        deepest = max(self.settings.layers)  # Names sort by depth.
        names = convolutions(extractor)
        self.halo = halos(names[: names.index(deepest) + 1])
        self._programs: dict[Any, Callable[..., Any]] = {}

    def targets(self, photo: Tensor, style: Tensor) -> Targets:
        """Extract what a picture of `photo` in the manner of `style` must match."""
        content: dict[str, Any] = {}
        layers = self.settings.content_layers
        for view in self._views(photo) if layers else ():
            found = self._run(view, "features", view.crop(photo))
            for name in layers:
                rows, columns = view.place(name)
                part = ops.convert_to_numpy(found[name])
                if name not in content:
                    content[name] = np.empty(
                        (1, *view.whole(name), part.shape[-1]), part.dtype
                    )
                content[name][:, slice(*rows), slice(*columns)] = part
        return Targets(content, self.grams(style))
