"""`nst serve`: exported models behind HTTP."""

import dataclasses
import logging
from pathlib import Path

import tyro

from nst_export.runtime.stylizer import bundled
from nst_export.server.settings import ServeSettings
from nst_tf.commands.console import PROGRAM
from nst_tf.settings.checks import InputError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What `nst serve` serves."""

    models: tyro.conf.Positional[tuple[Path, ...]] = ()
    """.tflite or .onnx files or SavedModel folders; without any the bundled gallery."""
    quiet: bool = False
    """Print nothing but warnings."""


def parse(arguments: list[str]) -> tuple[Job, ServeSettings]:
    """Read the flags of `nst serve`.

    Raises:
        SystemExit: With code 2, after a message, for flags that do not fit; with 0
            after `--help`.
    """
    base = ServeSettings()

    def command(job: Job, settings: ServeSettings = base) -> tuple[Job, ServeSettings]:
        return job, settings

    return tyro.cli(
        command,
        args=arguments,
        prog=f"{PROGRAM} serve",
        description="Serve exported models over HTTP, with a page to try them.",
        config=(tyro.conf.OmitArgPrefixes,),
    )


def serve(job: Job, settings: ServeSettings) -> int:
    """Run `nst serve` until a signal ends it; return the exit code."""
    try:
        from nst_export.server import run
    except ImportError as error:
        raise InputError(
            f"the server needs {error.name}: pip install 'nst-tf[serve]'"
        ) from error
    logging.basicConfig(
        format="%(levelname)s %(message)s",
        level=logging.WARNING if job.quiet else logging.INFO,
    )
    for chatty in ("httpx", "python_multipart", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    paths = job.models or (bundled(),)

    def ready(address: str) -> None:
        if not job.quiet:
            print(f"{address} (the page), {address}docs; Ctrl-C ends it", flush=True)

    run.serve(paths, settings, ready=ready)
    return 0
