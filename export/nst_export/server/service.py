"""What every route uses: bodies within limits, the workers, errors as JSON."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from nst_export.server.bodies import Gzip, Plain, too_large
from nst_export.server.errors import HttpError
from nst_export.server.models import Models, Served, Watcher
from nst_export.server.settings import ServeSettings
from nst_export.server.workers import FullError, LateError, Workers

__all__ = ["HttpError", "Service", "json_response", "read_json"]
_GZIP = ("gzip", "x-gzip")


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
        self._watcher: Watcher | None = None

    def start(self) -> None:
        """Start workers and watcher, if they don't run.

        An application that mounts this one does not run its lifespan: then they start
        when they are first needed.
        """
        self.workers.start()
        if self._watcher is None and self.workers.ready:
            self._watcher = Watcher(self.models)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run from here to the end of the block; what was accepted is finished."""
        self.workers.reopen()
        self.start()
        try:
            yield
        finally:
            if self._watcher is not None:
                self._watcher.close()
                self._watcher = None
            self.workers.close()

    def deadline(self) -> float:
        """Return when a request that begins now must have its answer."""
        return time.monotonic() + self.settings.deadline

    @staticmethod
    def ends(deadline: float) -> Callable[[], None]:
        """Return what a job calls between its parts, so that it ends with its time.

        What it calls raises LateError after the deadline: the answer is not waited
        for any more, and the worker is free for the next.
        """

        def check() -> None:
            if time.monotonic() > deadline:
                raise LateError

        return check

    async def body(self, request: Request, deadline: float) -> bytes:
        """Read a whole body.

        Raises:
            HttpError: It is compressed otherwise than by gzip, damaged, too large
                (unpacked, too), or too slow.
        """
        coding = request.headers.get("content-encoding", "identity").lower()
        if coding not in ("identity", *_GZIP):
            raise HttpError(
                415,
                f"send the body as it is or as gzip, not with the coding {coding}",
                {"Accept-Encoding": "gzip, identity"},
            )
        most = self.settings.max_bytes
        length = request.headers.get("content-length", "0")
        if length.isdigit() and int(length) > most:
            raise too_large(most)
        whole = Gzip(most) if coding in _GZIP else Plain(most)
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                async for chunk in request.stream():
                    whole.add(chunk)
        except TimeoutError as error:
            raise HttpError(
                408,
                f"the upload took longer than {self.settings.deadline:g} s",
                {"Connection": "close"},
            ) from error
        return whole.bytes()

    async def run(
        self,
        request: Request,
        work: Callable[[int], Any],
        deadline: float,
        *,
        model: Served | None = None,
    ) -> Any:
        """Let a worker do `work`, unless the client goes or time runs out first.

        Args:
            request: Its body must have been read.
            work: Gets the number of the worker.
            deadline: From `deadline`.
            model: Whose statistics the request counts in.

        Raises:
            HttpError: No place in the queue, or too late.
            ClientDisconnect: The client is gone.
        """
        self.start()
        queued = begun = time.perf_counter_ns()

        def timed(worker: int) -> Any:
            nonlocal begun
            begun = time.perf_counter_ns()
            return work(worker)

        try:
            found = await self._done(request, timed, deadline)
        except BaseException:
            if model is not None:
                model.statistics.failed(time.perf_counter_ns() - queued)
            raise
        if model is not None:
            compute = time.perf_counter_ns() - begun
            model.statistics.done(queue=begun - queued, compute=compute)
        return found

    async def _done(
        self, request: Request, work: Callable[[int], Any], deadline: float
    ) -> Any:
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
