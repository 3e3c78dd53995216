"""Listening: uvicorn, until a signal ends it."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from nst_export.server.app import make_app
from nst_export.server.settings import ServeSettings
from nst_tf.settings.checks import InputError


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
            http=_protocol(settings.deadline),
            ws="none",
            lifespan="on",
            log_config=None,  # Its words go where all others go, in their form.
            log_level="warning",
            access_log=False,
            # Longer than clients keep idle connections, so that the server's end of
            # one does not cross a request; the protocol's own end comes first.
            timeout_keep_alive=int(settings.deadline) + 60,
            server_header=False,
            timeout_graceful_shutdown=int(settings.deadline) + 1,
        )
        uvicorn.Server(config).run(sockets=[listener])


def _protocol(seconds: float) -> type[HttpToolsProtocol]:
    """Return uvicorn's protocol, but with an end for heads that never end."""

    class Protocol(HttpToolsProtocol):
        timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.wait()

        def on_headers_complete(self) -> None:
            self.rest()
            super().on_headers_complete()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self.wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self.rest()
            super().connection_lost(exc)

        def wait(self) -> None:
            """Give the next head its time."""
            self.rest()
            self.timer = self.loop.call_later(seconds, self.transport.close)

        def rest(self) -> None:
            if self.timer is not None:
                self.timer.cancel()

    return Protocol
