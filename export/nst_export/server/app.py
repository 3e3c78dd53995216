"""The application: every route, errors as JSON, models and workers for its lifetime."""

import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from nst_export.server.access_log import AccessLog
from nst_export.server.metrics import CONTENT_TYPE, Measure, Metrics
from nst_export.server.models import Models
from nst_export.server.openapi.document import document
from nst_export.server.protocols import kserve, new_styles, tf_serving
from nst_export.server.protocols import pictures as stylize
from nst_export.server.service import HttpError, Service, json_response
from nst_export.server.settings import ServeSettings
from nst_export.server.workers import Workers
from nst_tf.imaging.scene import EXAMPLE, landscape
from nst_tf.imaging.write import encode_image

LOG = logging.getLogger("nst.serve")
WEB = Path(__file__).parents[1] / "web"
"""The page's files, as the browser-only folder has them too."""
_PAGES = {
    "/": ("index.html", "text/html"),
    "/docs": ("docs.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/docs.css": ("docs.css", "text/css"),
    "/docs.js": ("docs.js", "text/javascript"),
    "/engine.js": ("engine_server.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_SAFE = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:;"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def make_app(
    paths: Sequence[str | PathLike[str]], settings: ServeSettings | None = None
) -> Starlette:
    """Return the ASGI application that serves models.

    The models are loaded here, so that a file that is none is an error at once. Workers
    start with the application; mounted below another one, with the first request.

    Args:
        paths: What `nst export` wrote; the first is the default.
        settings: Limits.

    Raises:
        InputError: A path is no model.

    Example:
        >>> uvicorn.run(make_app([bundled()]))
    """
    settings = settings or ServeSettings()
    files = [Path(path) for path in paths]
    models = Models(
        files,
        workers=settings.workers,
        threads=settings.threads_each,
        kept=settings.allow_new_styles,
    )
    service = Service(models, Workers(settings.workers, settings.queue), settings)
    metrics = Metrics(service)

    example = encode_image(landscape(*EXAMPLE), "JPEG")

    async def scene(_: Request) -> Response:
        return Response(example, 200, _SAFE, "image/jpeg")

    async def healthz(_: Request) -> Response:
        return json_response({"status": "ok"})

    async def show_metrics(_: Request) -> Response:
        return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def openapi(_: Request) -> Response:
        return json_response(document(service))

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        with service.running():
            yield

    routes = [
        *(Route(path, _page(*file)) for path, file in _PAGES.items()),
        Route("/scene.jpg", scene),
        Route("/healthz", healthz),
        Route("/metrics", show_metrics),
        Route("/openapi.json", openapi),
        *stylize.routes(service),
        *(new_styles.routes(service) if settings.allow_new_styles else []),
        *tf_serving.routes(service),
        *kserve.routes(service),
    ]
    middleware = [Middleware(Measure, metrics=metrics, routes=list(routes))]
    if settings.log_format is not None:
        middleware.insert(0, Middleware(AccessLog))
    if settings.cors:
        allowed: dict[str, Any] = {"allow_methods": ["*"], "allow_headers": ["*"]}
        middleware.append(
            Middleware(CORSMiddleware, allow_origins=list(settings.cors), **allowed)
        )
    handlers: dict[Any, Any] = {
        HttpError: _refused,
        HTTPException: _no_route,
        ClientDisconnect: _gone,
        Exception: _failed,
    }
    app = Starlette(
        routes=routes,
        middleware=middleware,
        exception_handlers=handlers,
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


def _page(file: str, kind: str) -> Any:
    data = (WEB / file).read_bytes()

    async def page(_: Request) -> Response:
        return Response(data, 200, _SAFE, kind)

    return page


async def _refused(_: Request, error: HttpError) -> Response:
    return json_response({"error": error.message}, error.status, error.headers)


async def _no_route(request: Request, error: HTTPException) -> Response:
    message = f"{error.detail}: {request.method} {request.url.path}; see /docs"
    return json_response({"error": message}, error.status_code, error.headers)


async def _gone(_: Request, __: ClientDisconnect) -> Response:
    return json_response({"error": "the client went away"}, 499)


async def _failed(request: Request, error: Exception) -> Response:
    LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return json_response({"error": "the server failed; its log has the reason"}, 500)
