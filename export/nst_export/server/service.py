"""What every route uses: bodies within limits, the workers, errors as JSON."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from nst_export.server.models import Models
from nst_export.server.settings import ServeSettings
from nst_export.server.workers import FullError, LateError, Workers


class HttpError(Exception):
    """An answer other than 200.

    Args:
        status: The HTTP status.
        message: What is wrong, what was given, what is possible.
        headers: More headers of the answer.
    """

    def __init__(
        self, status: int, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})


def json_response(
    content: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an answer in JSON; NumPy arrays become nested lists."""
    data = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(data, status, dict(headers or {}), "application/json")


def read_json(body: bytes) -> dict[str, Any]:
    """Return the object that a body holds.

    Raises:
        HttpError: It is no JSON object.
    """
    try:
        found = orjson.loads(body)
    except ValueError as error:
        raise HttpError(400, f"the body is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise HttpError(400, "the body must be a JSON object")
    return found


class Service:
    """Models and workers, and the way of a request through them.

    Args:
        models: What is served.
        workers: Who paints.
        settings: The limits.
    """

    def __init__(
        self, models: Models, workers: Workers, settings: ServeSettings
    ) -> None:
        self.models, self.workers, self.settings = models, workers, settings

    def deadline(self) -> float:
        """Return when a request that begins now must have its answer."""
        return time.monotonic() + self.settings.deadline

    async def body(self, request: Request, deadline: float) -> bytes:
        """Read a whole body.

        Raises:
            HttpError: It is compressed, too large, or too slow.
        """
        coding = request.headers.get("content-encoding", "identity")
        if coding.lower() != "identity":
            raise HttpError(
                415,
                f"send the body as it is, not with the coding {coding}",
                {"Accept-Encoding": "identity"},
            )
        most = self.settings.max_bytes
        length = request.headers.get("content-length", "0")
        too_large = HttpError(413, f"the body is larger than {most:,} bytes")
        if length.isdigit() and int(length) > most:
            raise too_large
        chunks, size = [], 0
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > most:
                        raise too_large
                    chunks.append(chunk)
        except TimeoutError as error:
            raise HttpError(
                408,
                f"the upload took longer than {self.settings.deadline:g} s",
                {"Connection": "close"},
            ) from error
        return b"".join(chunks)

    async def run(
        self, request: Request, work: Callable[[int], Any], deadline: float
    ) -> Any:
        """Let a worker do `work`, unless the client goes or time runs out first.

        Args:
            request: Its body must have been read.
            work: Gets the number of the worker.
            deadline: From `deadline`.

        Raises:
            HttpError: No place in the queue, or too late.
            ClientDisconnect: The client is gone.
        """
        retry = {"Retry-After": str(self.workers.retry_after)}
        late = HttpError(
            503, f"no answer within {self.settings.deadline:g} s; try again", retry
        )
        try:
            future = self.workers.submit(work, deadline)
        except FullError as error:
            raise HttpError(
                503,
                f"{self.workers.waiting} requests are waiting already; try again",
                retry,
            ) from error
        gone = asyncio.ensure_future(_gone(request))
        answer = asyncio.wrap_future(future)
        try:
            await asyncio.wait(
                (answer, gone),
                timeout=max(0.0, deadline - time.monotonic()),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if answer.done():
                return answer.result()
            raise ClientDisconnect if gone.done() else late
        except LateError as error:
            raise late from error
        finally:
            gone.cancel()
            _forget(future, answer)


async def _gone(request: Request) -> None:
    """Return when the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _forget(future: "Future[Any]", answer: "asyncio.Future[Any]") -> None:
    """Take a job back if it has not begun; what it may still raise is nobody's."""
    future.cancel()
    if not answer.done():
        answer.add_done_callback(_look)


def _look(answer: "asyncio.Future[Any]") -> None:
    with contextlib.suppress(asyncio.CancelledError):
        answer.exception()
