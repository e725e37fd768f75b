"""Spans for OpenTelemetry, sent by OTLP over HTTP when an address is set: one a request, one an operation inside it."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from time import perf_counter

from opentelemetry import propagate
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NoOpTracerProvider, SpanKind, Status, StatusCode
from opentelemetry.trace import TracerProvider as AnyTracerProvider
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from etm_graph.graphql.context import Context
from etm_graph.graphql.execution import Answer
from etm_graph.transport.observing import PATHS, Metrics

_FAULT_FROM = 500


def make_traces(url: str | None) -> AnyTracerProvider:
    """Where spans go: to the collector at that address, or nowhere without one."""
    if url is None:
        return NoOpTracerProvider()
    provider = TracerProvider(resource=Resource.create({"service.name": "etm-graph"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    return provider


def end_traces(provider: AnyTracerProvider) -> None:
    """Send what is left."""
    if isinstance(provider, TracerProvider):
        provider.shutdown()


class TraceRequests:
    """A span for every HTTP request, below the caller's (W3C Trace Context)."""

    def __init__(self, app: ASGIApp, traces: AnyTracerProvider) -> None:
        self._app = app
        self._tracer = traces.get_tracer("etm_graph.http")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"] if scope["path"] in PATHS else "other"
        attributes = {"http.request.method": scope["method"], "http.route": path}
        name = f"{scope['method']} {path}"
        parent = propagate.extract(dict(Headers(scope=scope)))
        with self._tracer.start_as_current_span(name, parent, SpanKind.SERVER, attributes) as span:

            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= _FAULT_FROM:
                        span.set_status(Status(StatusCode.ERROR))
                await send(message)

            await self._app(scope, receive, noted)


@dataclass(slots=True)
class Watched:
    """How an operation went: `ok`, or the code of its first error."""

    outcome: str = "ok"

    def saw(self, answer: Answer) -> Answer:
        """Note an answer, and hand it on."""
        if answer.errors and self.outcome == "ok":
            self.outcome = str(answer.errors[0].get("extensions", {}).get("code", "UNKNOWN"))
        return answer


class Operations:
    """Watches operations, whatever protocol brought them."""

    def __init__(self, metrics: Metrics, traces: AnyTracerProvider) -> None:
        self._metrics = metrics
        self._tracer = traces.get_tracer("etm_graph.graphql")

    @contextmanager
    def watch(self, context: Context, protocol: str) -> Iterator[Watched]:
        """Count an operation and give it a span, which for a subscription is as long as it is followed."""
        watched, began = Watched(), perf_counter()
        with self._tracer.start_as_current_span("graphql") as span:
            try:
                yield watched
            except asyncio.CancelledError:
                watched.outcome = "CANCELLED"
                raise
            except Exception:
                watched.outcome = "INTERNAL"
                raise
            finally:
                admitted = context.admitted
                name = "" if admitted is None else admitted.name
                kind = admitted.operation.value if admitted is not None and admitted.operation is not None else "none"
                cost = 0 if admitted is None else admitted.cost
                self._metrics.note_operation(kind, protocol, watched.outcome, cost, perf_counter() - began)
                span.update_name(f"{kind} {name}".strip())
                span.set_attributes(
                    {
                        "graphql.operation.type": kind,
                        "graphql.operation.name": name,
                        "etm.cost": cost,
                        "etm.outcome": watched.outcome,
                        "etm.protocol": protocol,
                        "etm.request_id": context.request_id,
                    }
                )
                if watched.outcome == "INTERNAL":
                    span.set_status(Status(StatusCode.ERROR))

    async def follow(
        self, answers: AsyncGenerator[Answer, None], context: Context, protocol: str
    ) -> AsyncGenerator[Answer, None]:
        """The same answers, watched."""
        with self.watch(context, protocol) as watched:
            async with aclosing(answers):
                async for answer in answers:
                    yield watched.saw(answer)
