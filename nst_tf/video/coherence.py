"""How much pictures flicker: what changes that the motion does not explain.

Reference:
    Lai et al. 2018 (warping error), https://arxiv.org/abs/1808.00449
"""

from collections.abc import Callable, Sequence

import numpy as np

from nst_tf.video.flow import Motion, channel_mean, warp

MotionOf = Callable[[int, int], Motion]
"""Of two indices, the earlier first: how the later frame's pixels moved."""


def warping_error(before: np.ndarray, after: np.ndarray, motion: Motion) -> float:
    """Return the root of the mean square of what motion does not explain.

    Args:
        before: float32 `[H, W, 3]`, RGB 0..1.
        after: The later picture.
        motion: Of the frames, not of the pictures; only what it trusts counts.
    """
    gap = channel_mean(np.square(after - warp(before, motion.flow)))
    total = float(motion.trust.sum())
    return float(np.sqrt((motion.trust * gap).sum() / total)) if total else 0.0


def clip_error(
    pictures: Sequence[np.ndarray], motion: MotionOf, *, gap: int = 1
) -> float:
    """Return the warping error of a clip, the root mean square over its pairs.

    Args:
        pictures: float32 `[H, W, 3]`, RGB 0..1, one a frame.
        motion: Of the frames.
        gap: Frames between the two of a pair.
    """
    squares = [
        warping_error(pictures[k - gap], pictures[k], motion(k - gap, k)) ** 2
        for k in range(gap, len(pictures))
    ]
    return float(np.sqrt(np.mean(squares)))


def deviation(pictures: Sequence[np.ndarray]) -> float:
    """Return the root mean square by which a still scene differs from its mean.

    Args:
        pictures: float32 `[H, W, 3]`, RGB 0..1.
    """
    stack = np.stack(pictures)
    return float(np.sqrt(np.square(stack - stack.mean(axis=0)).mean()))
