"""Counters for Prometheus."""

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from nst_export.server.answer import Answer
from nst_export.server.service import Service

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """What `/metrics` shows.

    Args:
        service: Whose queue and models are shown.
    """

    def __init__(self, service: Service) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_State(service))
        self.requests = Counter(
            "nst_requests",
            "Requests answered, by route and status.",
            ("route", "status"),
            registry=self._registry,
        )
        self.seconds = Histogram(
            "nst_request_seconds",
            "Seconds from a request's head to the end of its answer.",
            ("route",),
            buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100),
            registry=self._registry,
        )

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)


class _State(Collector):
    """The queue and the models as they are when asked."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[GaugeMetricFamily]:
        workers = self._service.workers
        yield GaugeMetricFamily(
            "nst_queue_waiting", "Requests that wait.", workers.waiting
        )
        yield GaugeMetricFamily("nst_workers_busy", "Workers that paint.", workers.busy)
        models = GaugeMetricFamily(
            "nst_model_version", "Version of each model.", labels=["model"]
        )
        for model in self._service.models:
            models.add_metric([model.name], model.version)
        yield models


class Measure:
    """ASGI middleware that counts and times requests by route.

    Args:
        app: The application.
        metrics: Where to count.
        routes: Their paths become labels; others are `none`, so that strange requests
            make no new labels.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: list[BaseRoute]) -> None:
        self._app, self._metrics, self._routes = app, metrics, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, answer = time.perf_counter(), Answer(send)
        try:
            await answer.of(self._app, scope, receive)
        finally:
            route = next(
                (
                    str(getattr(route, "path", "none"))
                    for route in self._routes
                    if route.matches(scope)[0] is not Match.NONE
                ),
                "none",
            )
            self._metrics.requests.labels(route, str(answer.status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - start)
