"""Johnson's transform network, with skips and without checkerboard.

References:
    Johnson et al. 2016 (supplement: the layers), https://arxiv.org/abs/1603.08155
    Odena et al. 2016 (resize-convolution), https://distill.pub/2016/deconv-checkerboard
    Chaurasia and Culurciello 2017 (additive skips), https://arxiv.org/abs/1707.03718
"""

from typing import Any

from nst_tf.network.blocks import Blocks

Tensor = Any


def johnson(make: Blocks) -> Tensor:
    """Return logits `[B, H, W, 3]` of the picture.

    Differs from the paper: what either stride takes away is added again at its size on
    the way up (additive skips: the photograph's outlines stay, and cost nothing),
    reflection padding before every convolution, nearest upsampling and convolution
    instead of transposed convolutions (no checkerboard), instance normalisation.
    """
    make.expect(2 * make.narrow + 2 * make.middle + 11 * make.wide + 3)
    full = make.full(make.narrow, 9, "down1")
    half = make.relu(make.from_full(full, make.middle, 3, "down2", stride=2), "down2")
    x = make.down(half, make.wide, 3, "down3")
    for block in range(1, 6):
        x = make.residual(x, f"res{block}")
    x = make.up(x, half, "up1")
    x = make.up(x, full, "up2", full=True)
    return make.from_full(x, 3, 9, "out")
