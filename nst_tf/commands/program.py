"""The `main` of a command: its words read, then run."""

import importlib
from collections.abc import Callable
from typing import Any


def load(target: str) -> Any:
    """Return what `module:name` names."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def program(
    run: Callable[..., int],
    job: type[Any],
    *,
    plainly: bool = False,
    flags: str = "",
    **options: Any,
) -> Callable[[list[str]], int]:
    """Return the `main` of a command: words in, exit code out.

    Args:
        run: Takes the job, and the settings where the command has any.
        job: A dataclass: what the command reads, writes and shows.
        plainly: Whether words as plain as `read_plainly` takes are read by it: for
            commands that take less than a second.
        flags: `module:class` of a subclass of the job that tells tyro more, if there is
            one.
        **options: As `read_flags` takes them.
    """

    def main(arguments: list[str]) -> int:
        if plainly:
            from nst_tf.commands.plain import read_plainly

            plain = read_plainly(job, arguments)
            if plain is not None:
                return run(plain)
        from nst_tf.commands.flags import read_flags

        given = read_flags(load(flags) if flags else job, arguments, **options)
        return run(*given) if isinstance(given, tuple) else run(given)

    return main
