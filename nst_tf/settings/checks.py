"""What settings may be: checks that name all problems at once."""

import math
import re

MIN_SIDE = 16
"""Pixels below which the fifth block of VGG has no feature left."""


class InputError(ValueError):
    """Something the user gave can't be used; the message says what to do."""


def reject(problems: list[str]) -> None:
    """Raise InputError with all problems at once, if there are any."""
    if problems:
        raise InputError("; ".join(problems))


def finite(name: str, value: float, *, least: float = 0.0) -> list[str]:
    """Return what is wrong with a number that must be finite and at least `least`."""
    if math.isfinite(value) and value >= least:
        return []
    return [f"{name} must be a finite number of at least {least:g}, got {value:g}"]


def at_least(name: str, value: int, least: int) -> list[str]:
    """Return what is wrong with a whole number that must be at least `least`."""
    return [] if value >= least else [f"{name} must be at least {least}, got {value}"]


_UNITS = {"kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def parse_memory(text: str) -> int:
    """Return the bytes that `4GB`, `3.5GiB` or `800MB` means.

    Raises:
        InputError: It means nothing.
    """
    found = re.fullmatch(r"\s*(\d+\.?\d*)\s*([kmg]i?b)\s*", text.lower())
    if not found or float(found[1]) == 0:
        raise InputError(
            f"memory must be a number and a unit such as 4GB, 3.5GiB or 800MB, got"
            f" {text!r}"
        )
    return int(float(found[1]) * _UNITS[found[2]])
