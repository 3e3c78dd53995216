"""What settings may be: checks that name all problems at once."""

import dataclasses
import math
import re
import typing
from typing import Any

MIN_SIDE = 16
"""Pixels below which the fifth block of VGG has no feature left."""


class InputError(ValueError):
    """Something the user gave can't be used; the message says what to do."""


def reject(problems: list[str]) -> None:
    """Raise InputError with all problems at once, if there are any."""
    if problems:
        raise InputError("; ".join(problems))


def at_least(name: str, value: float, least: float = 0.0) -> list[str]:
    """Return what is wrong with a number that must be finite and at least `least`."""
    # No conversion: a whole number may be too large for one.
    if not -math.inf < value < math.inf:
        return [f"{name} must be a finite number of at least {least:g}, got {value:g}"]
    return [] if value >= least else [f"{name} must be at least {least:g}, got {value}"]


def all_at_least(settings: object, **least: float) -> list[str]:
    """Return what is wrong with fields that must be at least a number each."""
    return [
        problem
        for name, bound in least.items()
        for problem in at_least(name, getattr(settings, name), bound)
    ]


def exceeds(name: str, value: float, bound: float = 0.0) -> list[str]:
    """Return what is wrong with a finite number that must be more than `bound`."""
    if math.isfinite(value) and value > bound:
        return []
    return [f"{name} must exceed {bound:g}, got {value:g}"]


def within(name: str, value: float, least: float, most: float) -> list[str]:
    """Return what is wrong with a number that must be in `least`..`most`."""
    if least <= value <= most:
        return []
    given = f"{value:g}" if isinstance(value, float) else value
    return [f"{name} must be in {least}..{most}, got {given}"]


def momentum(name: str, value: float) -> list[str]:
    """Return what is wrong with the momentum of a moving average."""
    if 0 <= value < 1:
        return []
    return [f"{name} must be in 0..1 (1 excluded), got {value:g}"]


_KINDS: tuple[tuple[Any, tuple[type, ...], str], ...] = (
    (int, (int,), "a whole number"),
    (float, (int, float), "a number"),
    (str, (str,), "text"),
)


def choices(settings: object) -> list[str]:
    """Return what is wrong with fields that must be one of a few words.

    Raises:
        InputError: Fields that must be numbers, text or other settings are none, which
            no check can look into.
    """
    problems, others = [], []
    for name, hint in typing.get_type_hints(type(settings)).items():
        value = getattr(settings, name)
        for kind, kinds, called in _KINDS:
            wanted = hint == kind or (hint == kind | None and value is not None)
            if wanted and not isinstance(value, kinds):
                others.append(f"{name} must be {called}, got {value!r}")
        nested = isinstance(hint, type) and dataclasses.is_dataclass(hint)
        if nested and not isinstance(value, hint):
            others.append(f"{name} must be {hint.__name__}, got {value!r}")
        words = typing.get_args(hint)
        if typing.get_origin(hint) is typing.Literal and value not in words:
            listed = ", ".join(words)
            problems.append(f"{name} must be one of {listed}, got {value!r}")
    reject(others)
    return problems


def file_name(what: str, name: object) -> list[str]:
    """Return what is wrong with a name that files are called by."""
    text = str(name)
    if text.strip(". ") and text.isprintable() and not set('/\\:*?"<>|') & set(text):
        return []
    return [f"{what} becomes a file's name, which {text!r} can't be"]


_UNITS = {"kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def parse_memory(text: str) -> int:
    """Return the bytes that `4GB`, `3.5GiB` or `1800MB` means.

    Raises:
        InputError: It means nothing.
    """
    found = re.fullmatch(r"\s*(\d+\.?\d*)\s*([kmg]i?b)\s*", text.lower())
    if not found or float(found[1]) == 0:
        raise InputError(
            f"memory must be a number and a unit such as 4GB, 3.5GiB or 1800MB, got"
            f" {text!r}"
        )
    return int(float(found[1]) * _UNITS[found[2]])
