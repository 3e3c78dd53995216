"""Shares of styles by name, and the weights that a model takes."""

import difflib
import math
import numbers
from collections.abc import Mapping, Sequence

from nst_tf.settings.checks import InputError

STRONGEST = 1.5
"""The largest strength: half a style beyond the one that was trained."""


def mix_weights(
    styles: Sequence[str], mix: Mapping[str, float], *, strength: float = 1.0
) -> list[float]:
    """Return the model's weights for a mix of styles.

    Args:
        styles: The model's styles.
        mix: Share of each style by name; scaled to a sum of 1.
        strength: 0 is the photograph, 1 the style as it was trained; above it, up to
            `STRONGEST`, the painting takes more of the photograph.

    Raises:
        InputError: An unknown style, shares that are negative or all 0, a strength
            outside 0..`STRONGEST`.
    """
    problems = []
    for name, share in mix.items():
        if name not in styles:
            close = difflib.get_close_matches(str(name), styles, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            problems.append(
                f"there is no style {name}{hint} (there are {', '.join(styles)})"
            )
        if not (_is_number(share) and math.isfinite(share) and share >= 0):
            problems.append(
                f"the share of {name} must be a number of at least 0, got"
                f" {_shown(share)}"
            )
    if not (_is_number(strength) and 0 <= strength <= STRONGEST):
        problems.append(f"strength must be in 0..{STRONGEST}, got {_shown(strength)}")
    total = 0.0 if problems else sum(mix.values())
    if not problems and total <= 0:
        problems.append("at least one style needs a share above 0")
    if not problems and not math.isfinite(total):
        problems.append("the shares are too large to be added")
    if problems:
        raise InputError("; ".join(problems))
    shares = [strength * mix.get(name, 0.0) / total for name in styles]
    return [1.0 - strength, *shares]


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real)


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, numbers.Real) else repr(value)


def parse_mix(text: str) -> dict[str, float]:
    """Return the share of each style in `NAME=SHARE,NAME=SHARE`.

    Raises:
        InputError: Another form, or a style twice.
    """
    mix: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = (word.strip() for word in part.partition("="))
        if name in mix:
            raise InputError(f"the mix {text} names {name} twice")
        try:
            mix[name] = float(share)
        except ValueError as error:
            raise InputError(
                f"a mix is NAME=SHARE,NAME=SHARE; {part.strip()!r} is none"
            ) from error
    return mix


def chosen_mix(
    style: str | None, mix: str | None, styles: Sequence[str]
) -> dict[str, float]:
    """Return the share of each style that `--style` or `--mix` asks for.

    Raises:
        InputError: Neither or both are given, and there are several styles.
    """
    if style is not None and mix is None:
        return {style: 1.0}
    if mix is not None and style is None:
        return parse_mix(mix)
    if len(styles) == 1 and style is None:
        return {styles[0]: 1.0}
    raise InputError(f"give --style or --mix; the styles are {', '.join(styles)}")
