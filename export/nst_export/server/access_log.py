"""A line for every request, as text or as JSON."""

import datetime
import logging
import time

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nst_export.server.answer import Answer

ACCESS = logging.getLogger("nst.access")
_FACTS = "facts"
"""Attribute of a log record that holds what there is to say, by name."""


class JsonLines(logging.Formatter):
    """Log records as JSON, a line each."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time, level, logger and either the facts or the message."""
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
        }
        line |= getattr(record, _FACTS, None) or {"message": record.getMessage()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class AccessLog:
    """ASGI middleware that logs every request when its answer is complete.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, came, answer = time.perf_counter(), 0, Answer(send)

        async def take() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            return message

        try:
            await answer.of(self._app, scope, take)
        finally:
            client = scope.get("client")
            facts = {
                "client": client[0] if client else None,
                "method": scope["method"],
                "path": scope["path"],
                "query": scope.get("query_string", b"").decode("latin-1"),
                "status": answer.status,
                "request_bytes": came,
                "response_bytes": answer.sent,
                "milliseconds": round(1e3 * (time.perf_counter() - start), 1),
            }
            ACCESS.info(
                "%s %s %r %d %d bytes in %d bytes out %.1f ms",
                *(facts[key] for key in ("client", "method", "path", "status")),
                *(facts[key] for key in ("request_bytes", "response_bytes")),
                facts["milliseconds"],
                extra={_FACTS: facts},
            )
