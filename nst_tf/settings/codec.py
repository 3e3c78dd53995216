"""Settings to JSON-ready values and back: recipes, model cards, pictures' metadata."""

import dataclasses
import difflib
import os
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from nst_tf.settings.checks import InputError, reject
from nst_tf.settings.loss import TERMS, LossSettings
from nst_tf.settings.optimize import OptimizeSettings
from nst_tf.settings.schedule import name_schedule
from nst_tf.settings.weight_changes import filled

Settings = TypeVar("Settings")

_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def to_plain(value: Any) -> Any:
    """Return settings as JSON-ready values, nested as the classes are."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: to_plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def from_plain(
    cls: type[Settings], values: Any, *, folder: Path | None = None
) -> Settings:
    """Make settings of what JSON or TOML holds; what is left out is the default.

    Args:
        cls: A dataclass. Its fields may be numbers, words, paths, literals, tuples of
            these, any of them or None, other dataclasses and tuples of them.
        values: What `to_plain` returned, or a table that someone wrote. Values that
            are settings already stay.
        folder: Where relative paths start; then `${NAME:-default}` in them is expanded
            too.

    Raises:
        InputError: All that is wrong, each with its dotted place.
    """
    reader = _Reader(folder)
    settings = reader.table(cls, values, "")
    reject(reader.problems)
    return typing.cast(Settings, settings)


class _Reader:
    """Turns plain values into those of dataclasses; notes what is wrong."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.problems: list[str] = []

    def table(
        self, cls: type[Any], values: Any, where: str, default: Any = None
    ) -> Any:
        """Make a dataclass of a table; None if anything is wrong.

        What the table leaves out is that of `default`, an instance, else of the class.
        """
        if not isinstance(values, Mapping):
            self.problems.append(f"{where or 'settings'} must be a table")
            return None
        before = len(self.problems)
        hints = typing.get_type_hints(cls)
        inside = f"{where}." if where else ""
        whole = {
            field.name: _start(field, default) for field in dataclasses.fields(cls)
        }
        for key, value in values.items():
            if key in whole:
                whole[key] = self.value(hints[key], value, inside + key, whole[key])
            else:
                close = difflib.get_close_matches(key, whole, n=1)
                hint = f"; did you mean {close[0]}?" if close else ""
                self.problems.append(f"there is no key {inside}{key}{hint}")
        for name, value in whole.items():
            if value is dataclasses.MISSING:
                self.problems.append(f"{inside}{name} is missing")
        if len(self.problems) > before:
            return None
        try:
            return cls(**whole)
        except InputError as error:
            self.problems.append((f"{where}: " if where else "") + str(error))
            return None

    def value(self, hint: Any, value: Any, where: str, default: Any = None) -> Any:
        """Return the value as the type says; None if it doesn't fit."""
        if dataclasses.is_dataclass(hint):
            cls = typing.cast(type[Any], hint)
            if isinstance(value, cls):
                return value
            return self.table(cls, value, where, default)
        kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        for kind in kinds:
            origin, inside = typing.get_origin(kind), typing.get_args(kind)
            if origin is tuple and isinstance(value, list | tuple):
                return tuple(
                    self.value(inside[0], item, f"{where}[{index}]")
                    for index, item in enumerate(value)
                )
            if origin is Literal and value in inside:
                return value
            if kind is float and type(value) in (int, float):
                return float(value)
            if kind is Path and isinstance(value, str | Path):
                return self.path(value)
            if kind in (int, str, bool, types.NoneType) and type(value) is kind:
                return value
        self.problems.append(f"{where} must be {_names(kinds)}, got {value!r}")
        return None

    def path(self, value: str | Path) -> Path:
        """Return a path, from the folder on."""
        if self.folder is None:
            return Path(value)
        return self.folder / _VARIABLE.sub(_expand, str(value))


def _start(field: dataclasses.Field[Any], default: Any) -> Any:
    """Return what a field is when no table names it; MISSING if one must."""
    if dataclasses.is_dataclass(default):
        return getattr(default, field.name)
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _names(kinds: tuple[Any, ...]) -> str:
    return " or ".join(
        "one of " + ", ".join(map(str, typing.get_args(kind)))
        if typing.get_origin(kind) is Literal
        else getattr(kind, "__name__", str(kind))
        for kind in kinds
        if kind is not types.NoneType
    )


def _expand(match: re.Match[str]) -> str:
    # A relative path of the environment starts where the program does.
    given = os.environ.get(match[1])
    return str(Path(given).absolute()) if given else match[2] or ""


def to_dict(settings: OptimizeSettings) -> dict[str, Any]:
    """Return `settings` as JSON-ready values, as pictures carry them."""
    return typing.cast(dict[str, Any], to_plain(settings))


def from_dict(values: Any) -> OptimizeSettings:
    """Rebuild settings that `to_dict` wrote.

    Raises:
        InputError: A name or a value is not one of this version's settings.
    """
    try:
        return from_plain(OptimizeSettings, _brought_up(values))
    except InputError as error:
        raise InputError(f"these settings do not fit this version: {error}") from error


def _brought_up(values: Any) -> Any:
    """Give the settings of earlier versions the names and the terms of today."""
    if not isinstance(values, Mapping):
        return values
    kept = dict(values)
    if "shallow_steps" in kept or "middle_share" in kept:
        old = kept.pop("shallow_steps", None), kept.pop("middle_share", None)
        kept.setdefault("schedule", name_schedule(*old))
    changes, loss = kept.get("weight_changes"), kept.get("loss")
    if "history" in kept:  # Whole: what it does not name was not there yet.
        if isinstance(loss, Mapping):
            loss = {"palette": 0.0, **loss}
            if "metric" not in kept and loss.get("strength") is not None:
                # A strength's tv_weight was in another unit.
                loss["tv_weight"] = LossSettings.tv_weight
            kept["loss"] = loss
        kept.setdefault("metric", "none")
    if isinstance(changes, list) and isinstance(loss, Mapping):
        terms = [name for name in TERMS if f"{name}_weight" in loss]
        if len(terms) < len(TERMS):
            kept["weight_changes"] = filled(changes, terms)
    return kept
