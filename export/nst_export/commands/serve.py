"""`nst serve`: exported models behind HTTP."""

import dataclasses
import logging
from pathlib import Path

import tyro

from nst_export.runtime.stylizer import bundled, model_file
from nst_export.server.settings import ServeSettings
from nst_tf.commands.program import program


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What `nst serve` serves."""

    models: tyro.conf.Positional[tuple[Path, ...]] = ()
    """.tflite or .onnx files or SavedModel folders, or models that ship: gallery, and
    any, for any painting; both without this."""
    quiet: bool = False
    """Print nothing but warnings, and what --log-format asks for."""


def serve(job: Job, settings: ServeSettings) -> int:
    """Run `nst serve` until a signal ends it; return the exit code."""
    from nst_export.server import run
    from nst_export.server.access_log import ACCESS, JsonLines

    logging.basicConfig(
        format="%(levelname)s %(message)s",
        level=logging.WARNING if job.quiet else logging.INFO,
    )
    if settings.log_format == "json":
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonLines())
    for chatty in ("httpx", "python_multipart", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    if settings.log_format is not None:
        ACCESS.setLevel(logging.INFO)
    paths = [model_file(model) for model in job.models]
    paths = paths or [bundled(), bundled("any")]

    def ready(address: str) -> None:
        if not job.quiet:
            print(f"{address} (the page), {address}docs; Ctrl-C ends it", flush=True)

    run.serve(paths, settings, ready=ready)
    return 0


main = program(
    serve,
    Job,
    command="serve",
    description="Serve exported models over HTTP, with a page to try them.",
    settings=ServeSettings(),
)
