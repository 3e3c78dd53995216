"""Strength as a content budget: how much of a photograph a style may take.

The content error is the squared difference of the features at `CONTENT_LAYER` of VGG-19
to the photograph's, over the photograph's squares: 0 for the photograph itself, about
1.3 where nothing of it is left. It means the same for every painting, size and style
loss, where a style weight does not: of one weight a bold painting makes an error of
1.4, a quiet one of 0.3. Standard library only.
"""

import bisect

from nst_tf.settings.checks import InputError

CONTENT_LAYER = "block4_conv2"
"""The layer at which the content error is told, whatever layers a loss looks at."""
DEFAULT_STRENGTH = 0.5
"""Every photograph is recognised at a glance, and so is every painting."""
_TARGETS = (
    (0.0, 0.0),
    (0.3, 0.27),
    (0.5, 0.45),
    (0.7, 0.65),
    (0.9, 1.0),
    (1.0, 1.3),
)
"""Content errors by strength, between which lines are drawn."""


def content_target(strength: float) -> float:
    """Return the content error that a strength stands for.

    Args:
        strength: 0 (the photograph) to 1 (style alone).

    Raises:
        InputError: It is out of range.

    Example:
        >>> content_target(0.5)
        0.45
    """
    if not 0 <= strength <= 1:
        raise InputError(f"strength must be in 0..1, got {strength:g}")
    index = max(1, bisect.bisect_left(_TARGETS, (strength,)))
    (before, low), (after, high) = _TARGETS[index - 1 : index + 1]
    share = (strength - before) / (after - before)
    return low + share * (high - low)


def strength_of(content: float) -> float:
    """Return the strength that stands for a content error, at most 1.

    Example:
        >>> strength_of(0.45)
        0.5
    """
    errors = [error for _, error in _TARGETS]
    index = min(max(1, bisect.bisect_left(errors, content)), len(_TARGETS) - 1)
    (low, before), (high, after) = _TARGETS[index - 1 : index + 1]
    share = (max(content, 0.0) - before) / (after - before)
    return min(low + share * (high - low), 1.0)
