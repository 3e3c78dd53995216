"""Words of a command line that need no parser: flags by their names, plain values.

Loading tyro, which reads all others, explains them and tells what is wrong, takes a
sixth of the time that painting a photograph does.
"""

import dataclasses
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

Job = TypeVar("Job")
_SHORT = {"-o": "output"}


class _NotPlainError(Exception):
    """The words are for tyro."""


def read_plainly(job: type[Job], words: Sequence[str]) -> Job | None:
    """Return the job that words ask for, or None if they are not as plain as that.

    Plain is each flag at most once, by its whole name, with a value behind it that
    begins with no hyphen (a bool: without one), and the other words in one row.

    Args:
        job: A dataclass of `str`, `int`, `float`, `bool`, `Path`, `Literal`, each of
            them or None, and at most one `tuple[str, ...]` without a default, which
            takes the words that belong to no flag.
        words: Those behind the command's name.
    """
    try:
        return job(**_values(job, list(words)))
    except _NotPlainError:
        return None


def _values(job: type[Any], words: list[str]) -> dict[str, Any]:
    hints, needed, others = typing.get_type_hints(job), set(), ""
    flags = dict(_SHORT)
    for field in dataclasses.fields(job):
        if field.default is dataclasses.MISSING:
            needed.add(field.name)
        if hints[field.name] == tuple[str, ...]:
            others = field.name
        else:
            flags["--" + field.name.replace("_", "-")] = field.name
    found: dict[str, Any] = {}
    while words:
        word = words.pop(0)
        name = flags.get(word, "")
        if not name and others and _is_plain(word):
            name = others
            row = [word]
            while words and _is_plain(words[0]):
                row.append(words.pop(0))
            value: Any = tuple(row)
        elif name and hints[name] is bool:
            value = True
        elif name and words and _is_plain(words[0]):
            value = _value(hints[name], words.pop(0))
        else:
            raise _NotPlainError
        if name in found:
            raise _NotPlainError
        found[name] = value
    if not needed <= set(found):
        raise _NotPlainError
    return found


def _is_plain(word: str) -> bool:
    return bool(word) and not word.startswith("-")


def _value(hint: Any, word: str) -> Any:
    """Return a word as what a flag takes."""
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    (kind,) = (kind for kind in kinds if kind is not type(None))
    if typing.get_origin(kind) is Literal:
        for choice in typing.get_args(kind):
            if word == str(choice):
                return choice
        raise _NotPlainError
    if kind not in (str, int, float, Path):
        raise _NotPlainError
    try:
        return kind(word)
    except ValueError as error:
        raise _NotPlainError from error
