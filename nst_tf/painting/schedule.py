"""The passes of a run, from coarse to fine: data."""

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple

from nst_tf.imaging.resize import fit, fit_within
from nst_tf.loss.choice import (
    LAST_SHARE,
    geometry_of,
    networks_of,
    with_network,
)
from nst_tf.loss.conventions import layer_weights, spelled_out, with_palette
from nst_tf.loss.geometry import Geometry
from nst_tf.settings.checks import MIN_SIDE, InputError
from nst_tf.settings.loss import LossSettings, Network
from nst_tf.settings.optimize import Depth, OptimizeSettings
from nst_tf.settings.schedule import parse_schedule

COARSEST = 64
"""Short side in pixels below which no coarser scale is worth a pass."""


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int


class Pass(NamedTuple):
    """One pass over the picture.

    Attributes:
        picture: Size of the picture.
        styles: Size of every style image.
        steps: Evaluations.
        loss: What counts: terms, layers and their weights.
        depth: What the log calls that: the shallower half of the style layers alone,
            all but the deepest style layer, or the whole.
        network: The loss network whose features count.
        joined: Whether the next pass goes on with its pixels and its optimizer: the
            loss changes little, and the pairs of its gradients still hold.
    """

    picture: Size
    styles: tuple[Size, ...]
    steps: int
    loss: LossSettings
    depth: Depth = "whole"
    network: Network = "vgg19"
    joined: bool = False


def plan_passes(
    content: tuple[int, int],
    styles: Sequence[tuple[int, int]],
    settings: OptimizeSettings,
) -> tuple[Pass, ...]:
    """Return the passes from the coarsest to the final size.

    At each size the shallow layers come first: they are cheap, and enlarging a picture
    has spoilt the fine detail that they see, and the deeper ones through them. On the
    reference pair 30 shallow evaluations (the price of 7) saved 25 of 140.

    At the final size the deepest style layer comes last, if it makes little of the
    loss: an evaluation costs a fifth less without it, and L-BFGS keeps its pairs. The
    reference pair comes to the published loss in 246 instead of 294 s; a picture of 512
    pixels takes 98 instead of 110 s by default and ends with 0.4 % more loss.

    Args:
        content: Width and height of the photograph.
        styles: Width and height of every style image.
        settings: Size, scales, steps and schedule.

    Raises:
        InputError: A picture is too narrow for the chosen size, or there is no such
            layer.
    """
    settings = with_network(settings)
    loss = spelled_out(with_palette(settings.loss))
    passes: list[Pass] = []
    geometry = geometry_of(settings.extractor)
    geometry.check(settings.loss.layers)
    for index in range(worth_a_pass(content, settings)):
        ratio = settings.scale_factor**-index
        picture = _at_scale(content, settings, index)
        wanted = (settings.style_size or settings.size) * settings.style_scale * ratio
        most = max(1, round(wanted))
        paintings = tuple(
            Size(*fit_within(*style, most, settings.side)) for style in styles
        )
        _check_sizes(picture, paintings, settings)
        passes[:0] = [
            Pass(
                picture,
                paintings,
                part.steps,
                part_of(loss, part.depth, geometry),
                part.depth,
                part.network,
                part.joined,
            )
            for part in _parts(settings, geometry, final=index == 0)
            if part.steps
        ]
    return tuple(passes)


def worth_a_pass(content: tuple[int, int], settings: OptimizeSettings) -> int:
    """Return how many scales a run has: none below `COARSEST`, but the final one.

    Args:
        content: Width and height of the photograph.
        settings: Size and scales.
    """
    for index in range(1, settings.scales):
        if min(_at_scale(content, settings, index)) < COARSEST:
            return index
    return settings.scales


def _at_scale(content: tuple[int, int], settings: OptimizeSettings, index: int) -> Size:
    """Return the size of the picture at a scale; 0 is the final one."""
    side = max(1, round(settings.size * settings.scale_factor**-index))
    return Size(*fit(*content, side, settings.side))


class _Part(NamedTuple):
    """What a pass at one size looks at."""

    depth: Depth
    steps: int
    network: Network
    joined: bool = False


def _parts(
    settings: OptimizeSettings, geometry: Geometry, *, final: bool
) -> list[_Part]:
    """Return the passes at one size; the last network has the last of the final one."""
    loss = settings.loss
    steps = settings.steps if final else settings.coarse_steps
    networks = networks_of(settings.extractor)
    first, last = networks[0], networks[-1]
    shallow = middle = 0
    if loss.term_weights["style"] and len(loss.style_layers) > 1:
        schedule = parse_schedule(settings.schedule, loss)
        shallow = schedule.shallow_steps
        if final and part_of(loss, "middle", geometry) != loss:
            middle = int(schedule.deep_share * steps)
    exact = math.ceil(LAST_SHARE * steps) if final and first != last else 0
    exact = min(exact, steps - middle)
    return [
        _Part("shallow", shallow, first),
        _Part("middle", middle, first, joined=True),
        _Part("whole", steps - middle - exact, first, joined=exact > 0),
        _Part("whole", exact, last),
    ]


def _check_sizes(
    picture: Size, paintings: Sequence[Size], settings: OptimizeSettings
) -> None:
    # A position cannot be mirrored about itself.
    least = MIN_SIDE * (2 if settings.extractor.padding == "reflect" else 1)
    for name, size in [("content", picture), *(("style", size) for size in paintings)]:
        if min(size) < least:
            raise InputError(
                f"the {name} image would be {size.width}x{size.height} pixels; each"
                f" side needs {least}: choose a larger size or crop the image"
            )


def part_of(loss: LossSettings, depth: Depth, network: Geometry) -> LossSettings:
    """Return what counts of a loss at a depth: itself where nothing is saved."""
    by_depth, lambdas = network.names.index, layer_weights(loss)
    pairs = sorted(
        zip(loss.style_layers, lambdas, strict=True), key=lambda pair: by_depth(pair[0])
    )
    content: tuple[str, ...] = ()
    if depth == "middle":
        content = loss.content_layers
        if len(pairs) < 2:
            return loss
        deepest, others = pairs[-1][0], (*content, pairs[-2][0])
        if by_depth(deepest) <= max(map(by_depth, others)):
            return loss
        pairs = pairs[:-1]
    elif depth == "shallow":
        pairs = pairs[: max(1, len(pairs) // 2)]
    if not pairs or depth == "whole":
        return loss
    names, lambdas = zip(*pairs, strict=True)
    return dataclasses.replace(
        loss,
        content_layers=content,
        style_layers=names,
        style_layer_weights=lambdas,
        style_layer_ratio=1.0,
    )
