"""What operators see: operations in the metrics, spans at a collector below the caller's."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tests.e2e.servers import Client, serving, token
from tests.factories.world import make_user

from etm_graph.core.access import Role
from etm_graph.db.sessions import Database


class Collector:
    """Takes spans as OTLP over HTTP."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    for scope in resource.scope_spans:
                        collector.spans += scope.spans
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/traces"


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    thread = threading.Thread(target=found.server.serve_forever)
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


async def test_operations_are_counted_and_traced(
    database: Database, database_url: str, tmp_path: Path, collector: Collector
) -> None:
    await make_user(database, "planner", Role.PLANNER)
    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    headers = {"authorization": f"Bearer {token('planner')}", "traceparent": f"00-{trace}-{parent}-01"}
    async with (
        serving(database_url, tmp_path, ETM_TRACES_URL=collector.url) as server,
        httpx.AsyncClient(headers=headers, timeout=20) as http,
    ):
        await http.post(server.url, json={"query": "query Me { viewer { userName } }"})
        await http.post(server.url, json={"query": "{ nonsense }"})
        client = Client(server, "planner")
        async with client.socket() as socket:
            await socket.subscribe("{ viewer { id } }")
            assert [(await socket.receive())["type"] for _ in range(2)] == ["next", "complete"]
        await client.close()
        text = (await http.get(server.url.replace("/graphql", "/metrics"))).text
    for line in (
        'etm_operations_total{outcome="ok",protocol="http",type="query"} 1.0',
        'etm_operations_total{outcome="GRAPHQL_VALIDATION_FAILED",protocol="http",type="query"} 1.0',
        'etm_operations_total{outcome="ok",protocol="socket",type="query"} 1.0',
        'etm_operation_seconds_count{type="query"} 3.0',
    ):
        assert line in text
    spans = {span.name: span for span in collector.spans if span.trace_id.hex() == trace}
    request, operation = spans["POST /graphql"], spans["query Me"]
    requests = {span.span_id: span for span in collector.spans if span.name == "POST /graphql"}
    assert requests[operation.parent_span_id].parent_span_id.hex() == parent
    assert request.kind == Span.SPAN_KIND_SERVER
    attributes = {one.key: one.value for one in operation.attributes}
    assert attributes["graphql.operation.type"].string_value == "query"
    assert attributes["etm.cost"].int_value == 16
    assert attributes["etm.outcome"].string_value == "ok"
