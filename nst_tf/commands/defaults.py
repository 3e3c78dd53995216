"""tyro's look at the types of defaults, without typeguard.

typeguard loads asyncio, unittest and more, a sixth of the time that painting a
photograph takes; the types of this project's flags need none of it.
"""

import contextlib
import sys
import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union

_NAME = "typeguard"
_MANY = (list, set, frozenset)


@contextlib.contextmanager
def plain_defaults() -> Iterator[None]:
    """Let `import typeguard` find what follows, unless it is loaded already."""
    if _NAME in sys.modules:
        yield
        return
    stand_in = types.ModuleType(_NAME)
    stand_in.check_type = check_type  # type: ignore[attr-defined]
    stand_in.TypeCheckError = TypeError  # type: ignore[attr-defined]
    sys.modules[_NAME] = stand_in
    try:
        yield
    finally:
        if sys.modules.get(_NAME) is stand_in:
            del sys.modules[_NAME]


def check_type(value: Any, kind: Any) -> Any:
    """Return a value.

    Raises:
        TypeError: It is not of the type.
    """
    if not fits(value, kind):
        raise TypeError(f"{value!r} is no {kind}")
    return value


def fits(value: Any, kind: Any) -> bool:
    """Tell whether a value is of a type, as far into it as a flag's default goes."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return True
    if kind is None:
        return value is None
    if origin in (Union, types.UnionType):
        return any(fits(value, part) for part in inside)
    if origin is Annotated:
        return fits(value, inside[0])
    if origin is Literal:
        return value in inside
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if inside[1:] == (...,):
            inside = (inside[0],) * len(value)
        return len(value) == len(inside) and all(map(fits, value, inside))
    if origin in _MANY:
        return isinstance(value, origin) and all(fits(x, inside[0]) for x in value)
    if origin is dict:
        return isinstance(value, dict) and all(
            fits(key, inside[0]) and fits(x, inside[1]) for key, x in value.items()
        )
    return isinstance(value, origin or kind)
