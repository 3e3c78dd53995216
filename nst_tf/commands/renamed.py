"""Flags of the version before, which work for one release with a hint."""

import sys
from collections.abc import Sequence

from nst_tf.commands import PROGRAM
from nst_tf.settings.checks import InputError
from nst_tf.settings.schedule import name_schedule

_SCHEDULE = ("--shallow-steps", "--middle-share")


def renamed(arguments: Sequence[str]) -> list[str]:
    """Return the words of `nst optimize` in today's spelling; hint at old ones.

    Raises:
        InputError: An old flag has no number.
    """
    words, old = [], dict[str, str]()
    rest = iter(arguments)
    for word in rest:
        flag, given, value = word.partition("=")
        flag = flag.replace("_", "-")
        if flag in _SCHEDULE:
            old[flag] = value if given else next(rest, "")
        else:
            words.append(word)
    if not old:
        return words
    schedule = _schedule(old)
    print(
        f"{PROGRAM}: {' and '.join(old)} will go: write --schedule {schedule}",
        file=sys.stderr,
    )
    return [*words, "--schedule", schedule]


def _schedule(old: dict[str, str]) -> str:
    steps, share = (old.get(flag) for flag in _SCHEDULE)
    try:
        return name_schedule(
            None if steps is None else int(steps),
            None if share in (None, "None") else float(share or ""),
        )
    except ValueError as error:
        raise InputError(f"{' and '.join(old)}: {error}") from error
