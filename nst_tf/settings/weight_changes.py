"""Weights of the loss's terms that change on the way: one flat tuple of numbers.

Settings, files and flags hold them as records, one after the other: the evaluation
after which they act (0: from the start) and the weight of every term in the order of
`TERMS`. A term more makes them longer: where settings are read, those of an older file,
whose `loss` has no weight of that term, are filled up with its default. Nothing but
this module counts numbers.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

from nst_tf.settings.checks import at_least, reject
from nst_tf.settings.loss import TERMS, LossSettings, paints

_RECORD = 1 + len(TERMS)


def records(changes: tuple[float, ...]) -> Iterator[tuple[float, dict[str, float]]]:
    """Yield the evaluation after which each change acts, and its weights by term."""
    for start in range(0, len(changes), _RECORD):
        after, *weights = changes[start : start + _RECORD]
        yield after, dict(zip(TERMS, weights, strict=True))


def weights_after(
    changes: tuple[float, ...], evaluations: float, given: Mapping[str, float]
) -> dict[str, float]:
    """Return the weights by term after so many evaluations.

    Args:
        changes: Of the settings.
        evaluations: How many were made.
        given: Weights by term where no change acts yet.
    """
    weights = dict(given)
    for after, changed in records(changes):
        if after <= evaluations:
            weights = changed
    return weights


def changed(
    changes: tuple[float, ...], evaluations: float, weights: Mapping[str, float]
) -> tuple[float, ...]:
    """Return changes whose last gives weights after so many evaluations.

    What was planned for later, or said a moment ago, no longer counts.
    """
    earlier = acting(changes, evaluations)
    return (*earlier, float(evaluations), *(weights[name] for name in TERMS))


def acting(changes: tuple[float, ...], evaluations: float) -> tuple[float, ...]:
    """Return those changes that act in so many evaluations."""
    return tuple(
        value
        for after, weights in records(changes)
        if after < evaluations
        for value in (after, *weights.values())
    )


def filled(changes: Sequence[float], terms: Sequence[str]) -> tuple[float, ...]:
    """Return changes of an older version with the default weights of newer terms.

    Args:
        changes: Of its settings.
        terms: Names of the terms that the version had, in its order.

    Raises:
        InputError: They are no records of these terms.
    """
    default, width = LossSettings().term_weights, 1 + len(terms)
    reject(_broken(changes, width))
    found: list[float] = []
    for start in range(0, len(changes), width):
        after, *weights = changes[start : start + width]
        given = default | dict(zip(terms, weights, strict=True))
        found += [after, *given.values()]
    return tuple(found)


def problems(changes: tuple[float, ...]) -> list[str]:
    """Return what is wrong with changes."""
    if broken := _broken(changes, _RECORD):
        return broken
    found, latest = [], -1.0
    for after, weights in records(changes):
        if not math.isfinite(after) or after != int(after) or after < latest:
            found.append(
                "weight_changes needs evaluations in order, from 0; got"
                f" {after:g} after {latest:g}"
            )
        latest = max(after, latest)
        for name, value in weights.items():
            found += at_least(f"weight_changes: the {name} weight", value)
        if not paints(weights):
            found.append("weight_changes: content and style can't both weigh 0")
    return found


def _broken(changes: Sequence[float], width: int) -> list[str]:
    """Return what is wrong with the number of numbers, if a change has so many."""
    if len(changes) % width == 0:
        return []
    count = {3: "three", 4: "four", 5: "five"}.get(width, str(width))
    return [f"weight_changes needs {count} numbers a change, got {len(changes)}"]
