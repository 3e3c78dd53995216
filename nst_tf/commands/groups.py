"""Flags in groups: `--help` of a command that has many."""

import dataclasses
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tyro.constructors import (
    MISSING_NONPROP,
    ConstructorRegistry,
    StructConstructorSpec,
    StructFieldSpec,
    StructTypeInfo,
)

REST = "other"
"""The group of flags that no group names."""


def add_groups(
    registry: ConstructorRegistry,
    job: type[Any],
    settings: Any,
    groups: Mapping[str, Sequence[str]],
    hidden: Sequence[str] = (),
) -> type[Any]:
    """Teach a registry a struct that has the flags of job and settings by groups.

    Args:
        registry: Gets the rule.
        job: A dataclass.
        settings: A dataclass with defaults, in which dataclasses may lie; no field has
            the name of another.
        groups: Names of fields by the title of their group, both in the order of
            `--help`. What they leave out is in the group `REST`.
        hidden: Fields of the settings that are no flags and stay as they are.

    Returns:
        The struct; what it makes is a job and its settings.
    """
    both = type("flags", (), {})
    inside: dict[type[Any], StructConstructorSpec] = {}

    def make(**values: Mapping[str, Any]) -> tuple[Any, Any]:
        flat = {
            name: value for group in values.values() for name, value in group.items()
        }
        kept = {name: getattr(settings, name) for name in hidden}
        return _build(job, flat), _build(type(settings), {**flat, **kept})

    @registry.struct_rule
    def by_group(info: StructTypeInfo) -> StructConstructorSpec | None:
        if info.type is not both:
            return inside.get(info.type)
        fields = []
        for title, flags in _sorted(job, settings, groups, hidden).items():
            group = type(title, (), {})
            inside[group] = StructConstructorSpec(dict, tuple(flags))
            fields.append(StructFieldSpec(title, group, MISSING_NONPROP))
        return StructConstructorSpec(make, tuple(fields))

    return both


def _sorted(
    job: type[Any],
    settings: Any,
    groups: Mapping[str, Sequence[str]],
    hidden: Sequence[str],
) -> dict[str, list[StructFieldSpec]]:
    """Return the flags of every group that has any."""
    flags = {flag.name: flag for flag in _flags(type(settings), settings)}
    flags = {name: flag for name, flag in flags.items() if name not in hidden}
    flags = {flag.name: flag for flag in _flags(job, MISSING_NONPROP)} | flags
    found = {
        title: [flags.pop(name) for name in names] for title, names in groups.items()
    }
    return found | ({REST: list(flags.values())} if flags else {})


def _flags(cls: type[Any], default: Any) -> Iterator[StructFieldSpec]:
    """Yield the fields of a dataclass and of those that lie in it."""
    info = StructTypeInfo.make(cls, default, in_union_context=False)
    spec = ConstructorRegistry.get_struct_spec(info)
    assert isinstance(spec, StructConstructorSpec)
    for field in spec.fields:
        if dataclasses.is_dataclass(field.type):
            yield from _flags(field.type, field.default)
        else:
            yield field


def _build(cls: type[Any], values: Mapping[str, Any]) -> Any:
    """Make a dataclass, and those that lie in it, of the values of all fields."""
    hints: Mapping[str, Callable[..., Any]] = typing.get_type_hints(cls)
    return cls(
        **{
            field.name: _build(typing.cast(Any, hints[field.name]), values)
            if dataclasses.is_dataclass(hints[field.name])
            else values[field.name]
            for field in dataclasses.fields(cls)
        }
    )
