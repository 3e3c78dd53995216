"""A transform network that paints at an eighth of the photograph's resolution.

A position there sees more of the picture and has more channels at the same cost: large
brush strokes, three times the weights of Johnson's network at half its width and half
its time. Nothing is computed at full resolution but the picture.

References:
    Newell et al. 2016 (additive skips at every resolution),
    https://arxiv.org/abs/1603.06937
    Shi et al. 2016 (the last convolution), https://arxiv.org/abs/1609.05158
"""

from typing import Any

from nst_tf.network.blocks import Blocks
from nst_tf.network.subpixel import SubpixelConv2D

Tensor = Any
_BLOCKS = 3
"""Residual blocks at the lowest resolution."""


def hourglass(make: Blocks) -> Tensor:
    """Return logits `[B, H, W, 3]` of the picture.

    The last convolution is not normalised: how light a photograph is stays, and no
    statistics of the whole picture move its colours from one frame to the next.
    """
    make.expect(2 * make.narrow + 4 * make.middle + (1 + 2 * _BLOCKS) * make.wide)
    half = make.down(make.centered(), make.narrow, 7, "down1")
    quarter = make.down(half, make.middle, 3, "down2")
    x = make.down(quarter, make.wide, 3, "down3")
    for block in range(1, 1 + _BLOCKS):
        x = make.residual(x, f"res{block}")
    x = make.up(x, quarter, "up1")
    x = make.residual(x, "fine")
    x = make.up(x, half, "up2")
    out = SubpixelConv2D(3, 3, lowering=make.lowering, dtype=make.policy, name="out")
    return out(make.pad(x, 1, "out"), make.image)
