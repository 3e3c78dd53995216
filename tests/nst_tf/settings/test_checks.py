"""Checks: what each lets pass, and how it names what it does not."""

import dataclasses
import math

import pytest

from nst_tf.settings.checks import (
    all_at_least,
    at_least,
    exceeds,
    momentum,
    within,
)

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("check", "fits", "does_not", "message"),
    [
        (lambda v: at_least("x", v, 2), (2, 3.5, 10**400), (1, 1.9), "be at least 2"),
        (lambda v: at_least("x", v), (0, 3.5), (NAN, INF, -INF), "be a finite number"),
        (lambda v: exceeds("x", v, 2), (2.1,), (2, -1, NAN, INF), "must exceed 2"),
        (lambda v: within("x", v, 0.1, 2), (0.1, 2), (0, 2.1, NAN), "in 0.1..2, got"),
        (lambda v: momentum("x", v), (0, 0.99), (1, -0.1, NAN), "(1 excluded)"),
    ],
)
def test_checks_know_their_borders(check, fits, does_not, message):
    for value in fits:
        assert check(value) == []
    for value in does_not:
        (said,) = check(value)
        assert said.startswith("x must ")
        assert message in said
        assert f"got {value:g}" in said


def test_large_whole_numbers_are_named_in_full():
    assert within("port", 12345678, 0, 65535) == [
        "port must be in 0..65535, got 12345678"
    ]


def test_fields_are_checked_in_the_order_asked_for():
    @dataclasses.dataclass
    class Some:
        a: int = 0
        b: float = 0.0
        c: int = 5

    assert all_at_least(Some(), b=0.5, c=5, a=1) == [
        "b must be at least 0.5, got 0.0",
        "a must be at least 1, got 0",
    ]
