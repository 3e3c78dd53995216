"""The objective in exact tiles: the same loss and gradient in a stated memory."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from keras import ops

from nst_tf.backend.allocator import trim_heap
from nst_tf.backend.compile import compiled, gradient, untaped
from nst_tf.loss.extractor import Extractor
from nst_tf.loss.objective import Objective
from nst_tf.loss.parts import LossParts
from nst_tf.loss.term import Seen, Sums, Targets
from nst_tf.loss.tiles import Part, Tile, cut, split
from nst_tf.settings.loss import LossSettings

Tensor = Any
_FORWARD = 2
"""Length of tiles without back-propagation, relative to those with it: a forward pass
holds two maps at a time, a quarter of the activations, and halos cost it less."""


class TiledObjective(Objective):
    """The same function of the picture as `Objective`, evaluated tile by tile.

    The loss is a function of sums over positions. A first pass adds them up over the
    tiles, forward only; their gradient is that of small matrices. A second pass runs
    each tile again and takes that gradient back to the tile's pixels and its halo. So
    the activations of one tile are all that is ever held: gradients equal the untiled
    ones but for the rounding of sums in another order.

    The photograph's features at the content layers are held whole, in the extractor's
    dtype: for block4_conv2 16 bytes a pixel in bfloat16. To compute them again for
    each tile would cost half as much time again.

    Call it eagerly (`compile(run_eagerly=True)`): within one graph TensorFlow would
    run several tiles at a time, and JAX compile each.

    Args:
        extractor: A model from `build_extractor` that has the layers of `settings`.
        settings: Convention, layers and weights.
        tile: Longest side in pixels that a tile owns.
    """

    def __init__(
        self,
        extractor: Extractor,
        settings: LossSettings | None = None,
        *,
        tile: int,
    ) -> None:
        super().__init__(extractor, settings)
        self.tile = tile
        self.halo = extractor.geometry.upto(self.settings.layers).halo
        self._programs: dict[Any, Callable[..., Any]] = {}

    def style_moments(
        self, style: Tensor, masks: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return the moments of `style`, float32 `[1, H, W, 3]`, RGB 0..1."""
        layers = self.layer_masks(masks) if masks is not None else None
        total: Sums = {}
        for tile in self._tiles(style, _FORWARD):
            features = self._features(tile, self.settings.style_layers, style)
            mine = self._mine(layers, tile) if layers is not None else None
            total = _add(total, self.style.sums(features, mine))
        return self.style.moments(total)

    def call(self, image: Tensor, targets: Targets) -> LossParts:
        """Return the loss of `image`, float32 `[B, H, W, 3]`, averaged over B.

        Only the total carries a gradient, computed at once.
        """
        parts: list[LossParts] = []

        @ops.custom_gradient
        def evaluate(image: Tensor) -> Any:
            found, slope = untaped(self.loss_and_gradient, image, targets)
            parts.append(found)

            def grad(*args: Tensor, upstream: Tensor = None) -> Tensor:
                if upstream is None:
                    (upstream,) = args
                return upstream * ops.convert_to_tensor(slope)

            return found.total, grad

        total = evaluate(image)
        return parts[0]._replace(total=total)

    def loss_and_gradient(
        self, image: Tensor, targets: Targets
    ) -> tuple[LossParts, np.ndarray]:
        """Return the loss and the gradient of its total, `[B, H, W, 3]`."""
        sums = self._sums(image, targets)

        def loss(sums: Sums) -> Tensor:
            return self._loss(sums, targets, image.shape).total

        parts, slopes = self._loss(sums, targets, image.shape), gradient(loss, sums)
        whole = np.zeros(image.shape, "float32")
        for tile in self._tiles(image):
            run = self._program("backward", tile)
            found = run(tile.crop(image), self._cut(targets, tile), slopes)
            part = tile.crop(whole)
            part += ops.convert_to_numpy(found)
            del found
            trim_heap()
        return parts, whole

    def measure(self, image: Tensor, targets: Targets) -> LossParts:
        """Return the loss of `image` without the pass that makes the gradient."""
        return self._loss(self._sums(image, targets), targets, image.shape)

    def _sums(self, image: Tensor, targets: Targets) -> Sums:
        total: Sums = {}
        trim_heap()  # What the optimizer's step freed.
        for tile in self._tiles(image, _FORWARD):
            run = self._program("forward", tile)
            total = _add(total, run(tile.crop(image), self._cut(targets, tile)))
            trim_heap()
        return total

    def _tiles(self, image: Tensor, times: int = 1) -> list[Tile]:
        return split(image.shape[1], image.shape[2], times * self.tile, self.halo)

    def _parts(self, tile: Tile, layers: Iterable[str]) -> dict[str, Part]:
        return {k: tile.part(self.level(k), self.rings.get(k, 0)) for k in layers}

    def content_targets(self, photo: Tensor) -> dict[str, Tensor]:
        """Return what of `photo`, float32 `[B, H, W, 3]`, is to be kept."""
        whole: dict[str, Any] = {}
        layers = self.settings.content_layers
        for tile in self._tiles(photo, _FORWARD) if layers else ():
            features = self._features(tile, layers, photo)
            for name, part in self._parts(tile, layers).items():
                found = ops.convert_to_numpy(features[name])
                if name not in whole:
                    shape = (len(found), *part.whole, found.shape[-1])
                    whole[name] = np.empty(shape, found.dtype)
                cut(whole[name], *part.there)[:] = found
        return whole

    def _features(
        self, tile: Tile, layers: tuple[str, ...], image: Tensor
    ) -> dict[str, Tensor]:
        """Return the features of one tile."""
        parts = self._parts(tile, layers)
        wanted = tuple((name, part.here) for name, part in parts.items())
        key = ("features", tile.kind, wanted)
        if key not in self._programs:
            self._programs[key] = compiled(lambda crop: self._seen(crop, tile, parts))
        found: dict[str, Tensor] = self._programs[key](tile.crop(image))
        return found

    def _seen(
        self, crop: Tensor, tile: Tile, parts: Mapping[str, Part]
    ) -> dict[str, Tensor]:
        """Return what a tile owns of what is compared."""
        features = self.extractor.tile_features(crop, tile, parts)
        return features | self.pixels(tile.own(crop))

    def _program(self, name: str, tile: Tile) -> Callable[..., Any]:
        """Return the compiled function of a kind of tile."""
        parts = self._parts(tile, self.settings.layers)
        key = (name, tile.kind, tuple(part.here for part in parts.values()))
        if key in self._programs:
            return self._programs[key]

        def forward(crop: Tensor, targets: Targets) -> Sums:
            return self.statistics(
                Seen(crop, self._seen(crop, tile, parts), tile), targets
            )

        def backward(crop: Tensor, targets: Targets, slopes: Sums) -> Tensor:
            def product(crop: Tensor) -> Tensor:
                sums = forward(crop, targets)
                terms = [ops.sum(slopes[name] * sums[name]) for name in sorted(sums)]
                return sum(terms[1:], terms[0])

            return gradient(product, crop)

        self._programs[key] = compiled(forward if name == "forward" else backward)
        return self._programs[key]

    def _cut(self, targets: Targets, tile: Tile) -> Targets:
        """Return the targets of a tile."""
        masks = None if targets.masks is None else self._mine(targets.masks, tile)
        return targets._replace(content=self._mine(targets.content, tile), masks=masks)

    def _mine(self, whole: dict[str, Tensor], tile: Tile) -> dict[str, Tensor]:
        """Return a tile's share of whole maps."""
        parts = self._parts(tile, whole)
        return {name: cut(whole[name], *parts[name].there) for name in whole}

    def _loss(self, sums: Sums, targets: Targets, shape: tuple[int, ...]) -> LossParts:
        """Return the loss of the sums over a picture of a `shape`."""
        return self.loss(self._gathered(sums, shape), targets)

    def _gathered(self, sums: Sums, shape: tuple[int, ...]) -> Sums:
        """Return the statistics of a picture of a `shape` whose tiles have `sums`."""
        whole = dict(sums)
        for term in self.terms.values():
            whole |= term.gathered(sums, shape)
        return whole


def tiled(objective: Objective, tile: int | None) -> Objective:
    """Return an objective in tiles of a size, or as it is without one."""
    if tile is None:
        return objective
    return TiledObjective(objective.extractor, objective.settings, tile=tile)


def _add(total: Sums, sums: Sums) -> Sums:
    return {name: total[name] + sums[name] if total else sums[name] for name in sums}
