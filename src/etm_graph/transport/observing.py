"""What is seen of every request: its id, a line in the log, metrics."""

from time import perf_counter
from uuid import uuid4

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = structlog.get_logger("etm_graph.request")


class Metrics:
    """One process's metrics, for Prometheus."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        labels = ["method", "path", "status"]
        self.requests = Counter("etm_requests", "Requests answered.", labels, registry=self._registry)
        self.seconds = Histogram("etm_request_seconds", "Seconds to answer.", ["path"], registry=self._registry)
        kinds = ["type", "protocol", "outcome"]
        self._operations = Counter(
            "etm_operations",
            "Operations by how they went: ok, or the code of the first error.",
            kinds,
            registry=self._registry,
        )
        self._operation_seconds = Histogram(
            "etm_operation_seconds", "Seconds of a query or mutation.", ["type"], registry=self._registry
        )
        self._cost = Counter(
            "etm_cost", "Cost of the operations, as reckoned before they ran.", registry=self._registry
        )
        self.fallbacks = Counter(
            "etm_graphql_fallbacks", "Operations left to graphql-core.", ["reason"], registry=self._registry
        )
        self._sockets = Gauge("etm_sockets", "Open WebSockets.", registry=self._registry)
        self._streams = Gauge("etm_streams", "Open event streams (SSE).", registry=self._registry)
        self._followers = Gauge("etm_followers", "Subscriptions that follow a stream.", registry=self._registry)

    def note_operation(self, kind: str, protocol: str, outcome: str, cost: int, seconds: float) -> None:
        """Count an operation that is over."""
        self._operations.labels(kind, protocol, outcome).inc()
        self._cost.inc(cost)
        if kind in {"query", "mutation"}:
            self._operation_seconds.labels(kind).observe(seconds)

    def add(self, collector: Collector) -> None:
        """Let a part of the process tell what it counts, whenever metrics are read."""
        self._registry.register(collector)

    def render(self, sockets: int, streams: int, followers: int) -> tuple[str, str]:
        """The exposition and its media type."""
        self._sockets.set(sockets)
        self._streams.set(streams)
        self._followers.set(followers)
        return generate_latest(self._registry).decode(), CONTENT_TYPE_LATEST


PATHS = frozenset({"/graphql", "/healthz", "/readyz", "/metrics", "/"})


class ObserveRequests:
    """Gives every HTTP request an id (the caller's X-Request-Id when it is sensible), logs and counts it."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        request_id = given if given.isalnum() and len(given) <= 64 else uuid4().hex  # noqa: PLR2004 - a UUID or a trace id
        scope.setdefault("state", {})["request_id"] = request_id
        began, status = perf_counter(), 500

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            seconds = perf_counter() - began
            path = scope["path"] if scope["path"] in PATHS else "other"
            self._metrics.requests.labels(scope["method"], path, str(status)).inc()
            self._metrics.seconds.labels(path).observe(seconds)
            logger.info(
                "request", request_id=request_id, method=scope["method"], path=path, status=status, seconds=seconds
            )
