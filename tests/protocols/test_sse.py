"""GraphQL over server-sent events, distinct connections mode (graphql-sse, PROTOCOL.md), byte for byte."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest
from tests.e2e.servers import CONFIG, Client, Server, serving, token
from tests.factories.world import make_user

from etm_graph.core.access import Role
from etm_graph.db.sessions import Database
from etm_graph.identity.tokens import mint_development_token

MODEL = 'mutation { territoryModelCreate(input: {developerName: "NAME", name: "M"}) { territoryModel { id } userErrors { message } } }'
RENAME = 'mutation ($id: ID!) { territoryModelUpdate(input: {id: $id, name: "N", expectedVersion: 0}) { userErrors { message } } }'
FOLLOW = "subscription ($id: ID!) { draftChanges(modelId: $id) { __typename ... on Change { kind } } }"
COMPLETE = b"event: complete\ndata:\n\n"


SETTINGS = {"ETM_SSE_QUIET_S": "0.3", "ETM_HEAD_POLL_S": "0.2"}


class Events:
    """What comes through one connection: comments and events, as the bytes between blank lines."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._source = response.aiter_raw()
        self._buffer = b""

    async def part(self) -> bytes:
        async with asyncio.timeout(8):
            while b"\n\n" not in self._buffer:
                self._buffer += await anext(self._source)
        found, _, self._buffer = self._buffer.partition(b"\n\n")
        return found

    async def event(self) -> bytes:
        while (found := await self.part()) == b":":
            pass
        return found

    async def next(self) -> Any:
        first, second = (await self.event()).split(b"\n")
        assert first == b"event: next"
        return orjson.loads(second.removeprefix(b"data: "))

    async def ended(self) -> bool:
        try:
            async with asyncio.timeout(8):
                return await anext(self._source, b"") == b"" and self._buffer == b""
        except httpx.RemoteProtocolError:
            return True


@asynccontextmanager
async def streaming(
    server: Server, body: object, *, bearer: str | None = None, method: str = "POST"
) -> AsyncIterator[Events]:
    headers = {
        "authorization": f"Bearer {bearer or token('planner')}",
        "accept": "text/event-stream",
        "accept-encoding": "zstd, gzip",
    }
    given: dict[str, Any] = {"params": body} if method == "GET" else {"json": body}
    async with (
        httpx.AsyncClient(timeout=10) as client,
        client.stream(method, server.url, headers=headers, **given) as response,
    ):
        yield Events(response)


async def model_of(server: Server) -> str:
    client = Client(server, "planner")
    made = (await client.do(MODEL.replace("NAME", f"M{uuid4().hex}")))["territoryModel"]["id"]
    await client.close()
    return str(made)


async def test_a_query_is_one_next_and_complete(server: Server) -> None:
    for method in ("POST", "GET"):
        async with streaming(server, {"query": "{ viewer { userName } }"}, method=method) as events:
            assert events.response.status_code == 200
            assert events.response.headers["content-type"] == "text/event-stream; charset=utf-8"
            assert events.response.headers["cache-control"] == "no-cache, no-transform"
            assert "content-encoding" not in events.response.headers
            assert await events.event() == b'event: next\ndata: {"data":{"viewer":{"userName":"planner"}}}'
            assert await events.event() == b"event: complete\ndata:"
            assert await events.ended()


@pytest.mark.parametrize("query", ["{", "{ nonsense }", "query A { viewer { id } } query B { viewer { id } }"])
async def test_a_wrong_document_is_told_through_the_stream(server: Server, query: str) -> None:
    async with streaming(server, {"query": query}) as events:
        assert events.response.status_code == 200
        body = await events.next()
        assert (set(body), len(body["errors"])) == ({"errors"}, 1)
        assert await events.event() == b"event: complete\ndata:"


async def test_what_is_no_request_at_all_is_told_by_status(server: Server) -> None:
    async with streaming(server, {"query": 1}) as events:
        assert events.response.status_code == 400
    async with streaming(server, {"query": "{ viewer { id } }"}, bearer="nonsense") as events:
        assert (events.response.status_code, events.response.headers["content-type"]) == (
            401,
            "application/json; charset=utf-8",
        )


async def test_a_mutation_by_get_is_not_executed(server: Server) -> None:
    async with streaming(server, {"query": MODEL}, method="GET") as events:
        assert [error["extensions"]["code"] for error in (await events.next())["errors"]] == ["BAD_REQUEST"]
    client = Client(server, "planner")
    assert await client.data('{ territoryModel(developerName: "NAME") { id } }') == {"territoryModel": None}
    await client.close()


async def test_a_subscription_is_live_kept_alive_and_ends_when_its_client_goes(server: Server) -> None:
    model = await model_of(server)
    client = Client(server, "planner")
    async with streaming(server, {"query": FOLLOW, "variables": {"id": model}}) as events:
        assert await events.next() == {"data": {"draftChanges": {"__typename": "Checkpoint"}}}
        assert await events.part() == b":"  # silence is said aloud
        await client.do(RENAME, id=model)
        assert await events.next() == {"data": {"draftChanges": {"__typename": "Change", "kind": "UPDATED"}}}
        assert await metric(server, "etm_streams") == 1.0
        assert await metric(server, "etm_followers") == 1.0
    async with asyncio.timeout(5):
        while (await metric(server, "etm_streams"), await metric(server, "etm_followers")) != (0.0, 0.0):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
    await client.close()


async def metric(server: Server, name: str) -> float:
    async with httpx.AsyncClient() as client:
        text = (await client.get(server.url.replace("/graphql", "/metrics"))).text
    return float(next(line for line in text.splitlines() if line.startswith(f"{name} ")).split()[1])


async def test_a_stream_ends_with_the_credentials(server: Server) -> None:
    model = await model_of(server)
    short = mint_development_token(CONFIG, "planner", timedelta(seconds=2))
    async with streaming(server, {"query": FOLLOW, "variables": {"id": model}}, bearer=short) as events:
        assert "data" in await events.next()
        assert [error["extensions"]["code"] for error in (await events.next())["errors"]] == ["UNAUTHENTICATED"]
        assert await events.event() == b"event: complete\ndata:"
        assert await events.ended()


async def test_a_stopping_server_ends_streams_so_that_clients_come_back(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    await make_user(database, "planner", Role.PLANNER)
    async with serving(database_url, tmp_path, ETM_SSE_QUIET_S="0.3") as server:
        await stopped(server)


async def stopped(server: Server) -> None:
    model = await model_of(server)
    async with streaming(server, {"query": FOLLOW, "variables": {"id": model}}) as events:
        assert "data" in await events.next()
        server.process.terminate()
        while True:
            try:
                assert await events.part() == b":"
            except (StopAsyncIteration, httpx.RemoteProtocolError):
                break
        assert COMPLETE not in events._buffer
    assert await asyncio.to_thread(server.process.wait, 5) is not None
