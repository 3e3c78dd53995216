"""Flags over settings: the words of a command line, read against what they change."""

import contextlib
import dataclasses
import io
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar, overload

import tyro
from tyro.constructors import (
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    StructConstructorSpec,
    StructTypeInfo,
)

from nst_tf.commands import PROGRAM
from nst_tf.commands.defaults import plain_defaults
from nst_tf.commands.groups import add_groups
from nst_tf.settings.checks import InputError

Job = TypeVar("Job")
Settings = TypeVar("Settings")
ADDRESS: PrimitiveConstructorSpec[str | None] = PrimitiveConstructorSpec(
    nargs=(0, 1),
    metavar="[ADDRESS]",
    instance_from_str=lambda words: words[0] if words else "",
    is_instance=lambda value: value is None or isinstance(value, str),
    str_from_instance=lambda value: [value] if value else [],
)
"""A flag with a word or none behind it; None where the flag is not given."""


@overload
def read_flags(
    job: type[Job], arguments: Sequence[str], *, command: str, description: str
) -> Job: ...


@overload
def read_flags(
    job: type[Job],
    arguments: Sequence[str],
    *,
    command: str,
    description: str,
    settings: Settings,
    base: Callable[[Mapping[str, Any]], Settings] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    hidden: Sequence[str] = (),
) -> tuple[Job, Settings]: ...


def read_flags(
    job: type[Any],
    arguments: Sequence[str],
    *,
    command: str,
    description: str,
    settings: Any = None,
    base: Callable[[Mapping[str, Any]], Any] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    hidden: Sequence[str] = (),
) -> Any:
    """Read the flags of a command: its job, and the settings that they change.

    A recipe, or a picture to be like, decides what the other flags change. So the words
    are read twice, by one parser: first for which flags are given at all, which `base`
    makes the settings of, then against those.

    Args:
        job: A dataclass: what the command reads, writes and shows.
        arguments: The words behind the command's name.
        command: Its name.
        description: A line for `--help`.
        settings: A dataclass with the defaults of the other flags, if there are any.
            A tuple of dataclasses in it, such as a recipe's styles, is no flag.
        base: Takes the flags that stand in `arguments`, by name and before any checks,
            and returns what those of the settings change; without it, or when it
            refuses them beside `--help`, `settings` is.
        groups: How `--help` sorts the flags, see `add_groups`; without it, by the
            dataclass that they belong to.
        hidden: With groups: fields of the settings that are no flags of this command.

    Returns:
        The job; and the settings, where there are any.

    Raises:
        SystemExit: With code 2, after a message, for flags that do not fit; with 0
            after `--help`.
        InputError: Of `base`.
    """
    words = list(arguments)
    shown = {"prog": f"{PROGRAM} {command}", "description": description}
    if settings is None:
        with plain_defaults():
            return tyro.cli(job, args=words, **typing.cast(Any, shown))

    def read(settings: Any) -> Any:
        if groups is not None:
            registry = _registry()
            flags = add_groups(registry, job, settings, groups, hidden)
            return _parse(flags, words, registry, **shown)

        def both(job: Any, settings: Any = settings) -> tuple[Any, Any]:
            return job, settings

        both.__annotations__ = {"job": job, "settings": type(settings)}
        return _parse(both, words, _registry(), **shown)

    if base is None:
        return read(settings)
    asked = {"-h", "--help"} & set(words)
    try:
        rest = [word for word in words if word not in asked]
        given = _given(job, type(settings), rest, hidden)
    except SystemExit:
        read(settings)  # It words the complaint, or shows the help.
        raise
    with contextlib.suppress(InputError) if asked else contextlib.nullcontext():
        settings = base(given)
    return read(settings)


def _given(
    job: type[Any], settings: type[Any], words: list[str], hidden: Sequence[str]
) -> Mapping[str, Any]:
    """Return the flags that stand in `words`, those of dataclasses inside too."""

    def only(job: Any, settings: Any) -> Any:
        return {**_flat(settings), **job}

    only.__annotations__ = {
        "job": _optional(job),
        "settings": _optional(settings, hidden),
    }
    with contextlib.redirect_stderr(io.StringIO()):
        return typing.cast(Mapping[str, Any], _parse(only, words, _registry()))


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested values by the innermost names."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value) if isinstance(value, dict) else {name: value}
    return flat


def _optional(cls: type[Any], hidden: Sequence[str] = ()) -> type[Any]:
    """Return a type like the dataclass, of given fields alone and without checks."""
    hints = typing.get_type_hints(cls, include_extras=True)
    fields = {
        name: _optional(typing.cast(Any, hint))
        if dataclasses.is_dataclass(hint)
        else hint
        for name, hint in hints.items()
        if not _is_table(hint) and name not in hidden
    }
    return typing.cast(Any, typing.TypedDict)(cls.__name__, fields, total=False)


def _parse(
    function: Callable[..., Any],
    words: list[str],
    registry: ConstructorRegistry,
    **options: Any,
) -> Any:
    with plain_defaults():
        return tyro.cli(
            function,
            args=words,
            config=(tyro.conf.OmitArgPrefixes,),
            registry=registry,
            **options,
        )


def _registry() -> ConstructorRegistry:
    """Return tyro's rules, and one more: a tuple of dataclasses is no flag."""
    registry = ConstructorRegistry()
    seen = object()

    @registry.struct_rule
    def hide_tables(info: StructTypeInfo) -> StructConstructorSpec | None:
        if seen in info.markers or not dataclasses.is_dataclass(info.type):
            return None
        inside = dataclasses.replace(info, markers=(*info.markers, seen))
        spec = ConstructorRegistry.get_struct_spec(inside)
        assert isinstance(spec, StructConstructorSpec)
        fields = tuple(
            dataclasses.replace(
                field, type=typing.cast(Any, Annotated[field.type, tyro.conf.Suppress])
            )
            if _is_table(field.type)
            else field
            for field in spec.fields
        )
        return dataclasses.replace(spec, fields=fields)

    return registry


def _is_table(hint: Any) -> bool:
    """Tell whether a type is that of a tuple of dataclasses."""
    inside = typing.get_args(hint)
    return typing.get_origin(hint) is tuple and dataclasses.is_dataclass(inside[0])
