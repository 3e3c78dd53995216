"""Types of defaults: the look that tyro gets says what typeguard says."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import pytest
import typeguard

from nst_tf.commands.defaults import check_type, fits, plain_defaults

CASES = (
    (3, int),
    ("a", int),
    (None, int | None),
    (None, None),
    (None, int),
    ("a", Optional[str]),  # noqa: UP045 - the older form reaches tyro as well.
    (Path("a"), Annotated[Path | None, "flag"]),
    ("x", Literal["x", "y"]),
    ("z", Literal["x", "y"]),
    ((), tuple[Path, ...]),
    ((Path("a"), Path("b")), tuple[Path, ...]),
    ((1, "a"), tuple[int, str]),
    ((1,), tuple[int, str]),
    ([1], tuple[int, ...]),
    ([1, 2], list[int]),
    (["a"], list[int]),
    ({"a"}, set[str]),
    ({"a": 1}, dict[str, int]),
    ({"a": "b"}, dict[str, int]),
    ({"a": 1}, Mapping[str, int]),
    ((("a", 1),), tuple[tuple[str, int], ...]),
    (object(), Any),
)


@pytest.mark.parametrize(("value", "kind"), CASES)
def test_it_says_what_typeguard_says(value, kind):
    try:
        typeguard.check_type(value, kind)
        expected = True
    except typeguard.TypeCheckError:
        expected = False
    assert fits(value, kind) == expected
    if expected:
        assert check_type(value, kind) is value
    else:
        with pytest.raises(TypeError):
            check_type(value, kind)


def test_the_real_one_stays_and_comes_back(monkeypatch):
    with plain_defaults():
        assert sys.modules["typeguard"] is typeguard
    monkeypatch.delitem(sys.modules, "typeguard")
    with plain_defaults():
        assert sys.modules["typeguard"].check_type is check_type
    assert "typeguard" not in sys.modules
