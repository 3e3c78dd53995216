"""The pictures of a run and what they must match."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from nst_tf.backend.compile import in_graph
from nst_tf.imaging import color
from nst_tf.imaging.arrays import PictureLike, as_pixels
from nst_tf.imaging.guides import Regions, everywhere
from nst_tf.imaging.picture import Picture
from nst_tf.imaging.resize import resize, size_of
from nst_tf.loss.conventions import with_palette
from nst_tf.loss.extractor import build_extractor
from nst_tf.loss.objective import Objective
from nst_tf.loss.term import Targets
from nst_tf.loss.tiled import TiledObjective
from nst_tf.painting.schedule import Pass
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import LossSettings
from nst_tf.settings.optimize import OptimizeSettings

Tensor = Any


def graph_of(objective: Objective, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of an objective as a graph, if it does not tile itself."""
    return function if isinstance(objective, TiledObjective) else in_graph(function)


class Inputs(NamedTuple):
    """The pictures of a run, in the colours that the network should see.

    `colors` is the photograph as it was given.
    """

    content: np.ndarray
    styles: tuple[np.ndarray, ...]
    regions: Regions
    colors: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the photograph."""
        return size_of(self.content)

    @property
    def style_sizes(self) -> list[tuple[int, int]]:
        """Width and height of every painting."""
        return [size_of(style) for style in self.styles]

    @property
    def is_grey(self) -> bool:
        """Whether photograph and paintings are all without colour."""
        return all(color.is_grey(picture) for picture in (self.colors, *self.styles))

    @property
    def arrays(self) -> list[np.ndarray]:
        """All that decides the result besides the settings."""
        chosen = self.regions
        given = [chosen.shares, chosen.factors, chosen.masks, *chosen.paintings]
        pictures = [self.colors, *self.styles]
        if len(self.styles) == 1 and chosen.masks is None:
            return pictures
        return pictures + [x for x in given if x is not None]

    def targets(
        self, objective: Objective, stage: Pass, settings: OptimizeSettings
    ) -> Targets:
        """Return what a picture must match at the sizes of `stage`."""
        chosen, resample = self.regions, settings.resample
        photo = resize(self.content, *stage.picture, resample=resample)
        moments: list[dict[str, Any]] = []
        extract = graph_of(objective, objective.style_moments)
        for style, mask, size in zip(
            self.styles, chosen.paintings, stage.styles, strict=True
        ):
            painting = resize(style, *size, resample=resample)
            if mask is not None:
                mask = resize(mask, *size, resample="bilinear")[None]
            moments.append(extract(painting[None], mask))
        blend = {
            key: sum(
                _by_region(share, part[key])
                for share, part in zip(chosen.shares, moments, strict=True)
            )
            for key in moments[0]
        }
        weights, masks = chosen.weights, chosen.masks
        if masks is not None:
            masks = resize(masks, *stage.picture, resample="bilinear")[None]
        return graph_of(objective, objective.blended)(
            photo[None], blend, None if weights is None else weights[None], masks
        )

    def cover(self, stage: Pass) -> np.ndarray | None:
        """Return how much of each pixel may change, `[H, W]`."""
        cover = self.regions.cover
        if cover is None:
            return None
        return resize(cover, *stage.picture, resample="bilinear")


def _by_region(share: np.ndarray, moment: Tensor) -> Tensor:
    """Weigh a painting's moments `[1, R, ...]` or `[1, 1, ...]` by `[R]`."""
    return np.reshape(share, (1, -1) + (1,) * (len(moment.shape) - 2)) * moment


def prepare(
    content: PictureLike,
    style: PictureLike | Sequence[PictureLike],
    settings: OptimizeSettings,
    regions: Regions | None,
) -> Inputs:
    """Return the pictures of a run in the colours that the network should see.

    Raises:
        InputError: A picture is none, see `as_pixels`; or there is no painting.
    """
    several = isinstance(style, list | tuple) and not isinstance(style, Picture)
    content = as_pixels(content, "the photograph")
    if several and not style:
        raise InputError("give at least one painting")
    styles = tuple(
        as_pixels(one, "the painting") for one in (style if several else (style,))
    )
    if regions is None:
        regions = everywhere(len(styles), settings.style_shares)
    photo, styles = color.prepare(
        content, styles, settings.color, linear_light=settings.linear_light
    )
    return Inputs(photo, styles, regions, content)


def build_objective(settings: OptimizeSettings, dtype: str) -> Objective:
    """Return the loss of a run, on an extractor of its own."""
    extractor = build_extractor(
        settings.loss.layers, settings=settings.extractor, dtype=dtype
    )
    loss = with_palette(settings.loss)
    changes = settings.weight_changes or settings.searches
    return Objective(extractor, changeable(loss) if changes else loss)


def changeable(loss: LossSettings) -> LossSettings:
    """Return a loss all of whose terms are computed, for they may get weight."""
    idle = [name for name, weight in loss.term_weights.items() if not weight]
    weights: dict[str, Any] = {f"{name}_weight": 1.0 for name in idle}
    return dataclasses.replace(loss, **weights)
