"""Listening: uvicorn, until a signal ends it."""

import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn

from nst_export.server.app import make_app
from nst_export.server.settings import ServeSettings
from nst_tf.settings import InputError


def serve(
    paths: Sequence[Path],
    settings: ServeSettings | None = None,
    *,
    ready: Callable[[str], object] | None = None,
) -> None:
    """Serve models until SIGINT or SIGTERM; requests that were accepted are finished.

    Args:
        paths: What `nst export` wrote; the first is the default.
        settings: Where to listen, and limits.
        ready: Called with the address when connections are taken.

    Raises:
        InputError: A path is no model, or the address can't be had.
    """
    settings = settings or ServeSettings()
    app = make_app(paths, settings)
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        listener = socket.create_server(
            (settings.host, settings.port), family=family, backlog=1024
        )
    except OSError as error:
        raise InputError(
            f"can't listen on {settings.host}:{settings.port}: {error.strerror};"
            " choose others with --host and --port"
        ) from error
    with listener:
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        if ready is not None:
            ready(f"http://{host}:{listener.getsockname()[1]}/")
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="on",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(settings.deadline) + 1,
        )
        uvicorn.Server(config).run(sockets=[listener])
