"""Settings to JSON-ready values and back."""

import dataclasses
import difflib
import os
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import ExtractorSettings, LossSettings
from nst_tf.settings.optimize import OptimizeSettings
from nst_tf.settings.schedule import name_schedule


def to_dict(settings: OptimizeSettings) -> dict[str, Any]:
    """Return `settings` as JSON-ready values, nested as the classes are."""

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = dataclasses.fields(value)
            return {f.name: plain(getattr(value, f.name)) for f in fields}
        if isinstance(value, tuple):
            return list(value)
        return str(value) if isinstance(value, Path) else value

    result: dict[str, Any] = plain(settings)
    return result


def from_dict(values: Mapping[str, Any]) -> OptimizeSettings:
    """Rebuild settings that `to_dict` wrote.

    Raises:
        InputError: A name or a value is not one of this version's settings.
    """
    try:
        given = _without_old_names(dict(values))
        given["loss"] = _typed(LossSettings, dict(given.get("loss", {})))
        given["extractor"] = _typed(ExtractorSettings, dict(given.get("extractor", {})))
        return _typed(OptimizeSettings, given)
    except (TypeError, ValueError) as error:
        raise InputError(f"these settings do not fit this version: {error}") from error


def _without_old_names(values: dict[str, Any]) -> dict[str, Any]:
    """Give the settings of earlier versions their names of today."""
    if "shallow_steps" in values or "middle_share" in values:
        old = values.pop("shallow_steps", None), values.pop("middle_share", None)
        values.setdefault("schedule", name_schedule(*old))
    return values


def _typed(cls: type[Any], values: dict[str, Any]) -> Any:
    """Make a settings object of JSON values, refusing those of another type."""
    hints = typing.get_type_hints(cls)
    for name, value in values.items():
        if name not in hints:
            raise TypeError(f"there is no setting {name}")
        options = typing.get_args(hints[name])
        kinds = options if isinstance(hints[name], types.UnionType) else (hints[name],)
        if isinstance(value, list):
            values[name] = value = tuple(value)
        if Path in kinds and isinstance(value, str):
            values[name] = value = Path(value)
        if float in kinds and isinstance(value, int) and not isinstance(value, bool):
            values[name] = value = float(value)
        if typing.get_origin(hints[name]) is Literal:
            if value not in options:
                raise TypeError(f"{name} must be one of {options}, got {value!r}")
            continue
        plain = tuple(typing.get_origin(kind) or kind for kind in kinds)
        fits = isinstance(value, plain) and (
            bool in plain or not isinstance(value, bool)
        )
        if isinstance(value, tuple):
            numbers = any(float in typing.get_args(kind) for kind in kinds)
            allowed = (float, int) if numbers else (str,)
            fits = fits and all(isinstance(entry, allowed) for entry in value)
        if not fits:
            raise TypeError(f"{name} can't be {value!r}")
    return cls(**values)


_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def without_none(value: Any) -> Any:
    """Return mappings without the keys whose value is None, at any depth."""
    if isinstance(value, Mapping):
        return {k: without_none(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [without_none(item) for item in value]
    return value


def build(
    cls: type[Any],
    values: Any,
    folder: Path,
    where: str,
    problems: list[str],
    default: Any = None,
) -> Any:
    """Make a settings object of TOML values, or note what is wrong and return None.

    What `values` leaves out is that of `default`, if there is one.
    """
    if not isinstance(values, Mapping):
        problems.append(f"{where.rstrip('.')} must be a table")
        return None
    hints = typing.get_type_hints(cls)
    before = len(problems)
    defaults = {
        field.name: field.default_factory()
        for field in dataclasses.fields(cls)
        if field.default_factory is not dataclasses.MISSING
    }
    given = {}
    for key, value in values.items():
        if key not in hints:
            close = difflib.get_close_matches(key, hints, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            problems.append(f"there is no key {where}{key}{hint}")
            continue
        given[key] = _convert(
            hints[key], value, folder, where + key, problems, defaults.get(key)
        )
    for field in dataclasses.fields(cls):
        missing = field.default is field.default_factory is dataclasses.MISSING
        if missing and field.name not in values:
            problems.append(f"{where}{field.name} is missing")
    if len(problems) > before:
        return None
    try:
        return (
            cls(**given) if default is None else dataclasses.replace(default, **given)
        )
    except InputError as error:
        problems.append(where.rstrip(".") + (": " if where else "") + str(error))
        return None


def _convert(
    hint: Any,
    value: Any,
    folder: Path,
    where: str,
    problems: list[str],
    default: Any = None,
) -> Any:
    if dataclasses.is_dataclass(hint):
        return (
            value
            if isinstance(value, typing.cast(type, hint))
            else build(
                typing.cast(type, hint), value, folder, f"{where}.", problems, default
            )
        )
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    for kind in kinds:
        origin, inside = typing.get_origin(kind), typing.get_args(kind)
        if origin is tuple and isinstance(value, list | tuple):
            return tuple(
                _convert(inside[0], item, folder, f"{where}[{index}]", problems)
                for index, item in enumerate(value)
            )
        if origin is typing.Literal and value in inside:
            return value
        if kind is float and type(value) in (int, float):
            return float(value)
        if kind is Path and isinstance(value, str | Path):
            return folder / _VARIABLE.sub(_expand, str(value))
        if kind in (int, str, bool) and type(value) is kind:
            return value
        if kind is types.NoneType and value is None:
            return None
    names = " or ".join(
        "one of " + ", ".join(map(str, typing.get_args(kind)))
        if typing.get_origin(kind) is typing.Literal
        else getattr(kind, "__name__", str(kind))
        for kind in kinds
        if kind is not types.NoneType
    )
    problems.append(f"{where} must be {names}, got {value!r}")
    return None


def _expand(match: re.Match[str]) -> str:
    # A relative path of the environment starts where the program does.
    given = os.environ.get(match[1])
    return str(Path(given).absolute()) if given else match[2] or ""


def plain(settings: Any) -> dict[str, Any]:
    """Return settings as JSON-ready values."""

    def convert(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: convert(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [convert(item) for item in value]
        return str(value) if isinstance(value, Path) else value

    result: dict[str, Any] = convert(dataclasses.asdict(settings))
    return result
