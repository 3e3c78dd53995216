"""What `--help` of `nst stylize` says of its words beside their types."""

import dataclasses
from typing import Annotated

import tyro

from nst_export.commands.stylize import Job
from nst_tf.commands.flags import ADDRESS

_PLACE = "PATH|URL"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags(Job):
    """What `nst stylize` reads, writes and shows."""

    photos: tyro.conf.Positional[
        Annotated[tuple[str, ...], tyro.conf.arg(metavar=f"[{_PLACE} [{_PLACE} ...]]")]
    ]
    output: Annotated[str, tyro.conf.arg(aliases=["-o"], metavar=_PLACE)]
    manifest: Annotated[str | None, tyro.conf.arg(metavar=_PLACE)] = None
    ray: Annotated[str | None, ADDRESS] = None
    report: Annotated[str | None, tyro.conf.arg(metavar=_PLACE)] = None
