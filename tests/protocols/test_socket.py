"""graphql-transport-ws, spoken badly (graphql-ws, PROTOCOL.md)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.e2e.servers import Server, serving, token
from tests.factories.world import make_user
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from etm_graph.core.access import Role
from etm_graph.db.sessions import Database

INIT = {"type": "connection_init", "payload": {"authorization": "Bearer TOKEN"}}
VIEWER = {"id": "1", "type": "subscribe", "payload": {"query": "{ viewer { userName } }"}}


@pytest.fixture
async def server(database: Database, database_url: str, tmp_path: Path) -> AsyncIterator[Server]:
    await make_user(database, "planner", Role.PLANNER)
    async with serving(
        database_url, tmp_path, ETM_SOCKET_INIT_TIMEOUT_S="1", ETM_SOCKET_SUBSCRIPTIONS_MAX="2"
    ) as found:
        yield found


def opened(server: Server, *protocols: str) -> Any:
    return connect(server.url.replace("http://", "ws://"), subprotocols=list(protocols or ("graphql-transport-ws",)))  # type: ignore[arg-type]  # a NewType of str


async def tell(connection: ClientConnection, message: object) -> None:
    await connection.send(orjson.dumps(message).decode().replace("TOKEN", token("planner")))


async def hear(connection: ClientConnection) -> Any:
    return orjson.loads(await asyncio.wait_for(connection.recv(), 5))


async def closing(connection: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as caught:
        while True:
            await asyncio.wait_for(connection.recv(), 5)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code


async def test_what_a_socket_is_closed_for(server: Server) -> None:
    wrong: list[tuple[list[object], int]] = [
        ([], 4408),
        ([VIEWER], 4401),
        ([{"type": "connection_init", "payload": {"authorization": "Bearer nonsense"}}], 4403),
        ([{"type": "connection_init", "payload": None}], 4403),
        ([{"type": "connection_init", "payload": "x"}], 4400),
        ([INIT, INIT], 4429),
        ([INIT, {"type": "start", "id": "1"}], 4400),
        ([INIT, {"id": 1, "type": "subscribe", "payload": {"query": "{ viewer { id } }"}}], 4400),
        ([INIT, {"id": "1", "type": "subscribe", "payload": {"query": 1}}], 4400),
        ([[]], 4400),
        ([1], 4400),
    ]
    found = []
    for messages, _ in wrong:
        async with opened(server) as connection:
            for message in messages:
                await tell(connection, message)
            found.append(await closing(connection))
    assert found == [code for _, code in wrong]


async def test_messages_that_are_no_json_text_close_the_socket(server: Server) -> None:
    for raw in ("{", b"{}"):
        async with opened(server) as connection:
            await connection.send(raw)
            assert await closing(connection) == 4400


async def test_other_subprotocols_are_refused(server: Server) -> None:
    async with opened(server, "graphql-ws") as connection:
        assert await closing(connection) == 4406


async def test_an_operation_gets_next_and_complete_and_its_id_is_free_again(server: Server) -> None:
    async with opened(server) as connection:
        await tell(connection, INIT)
        assert await hear(connection) == {"type": "connection_ack"}
        for _ in range(2):
            await tell(connection, VIEWER)
            assert await hear(connection) == {
                "id": "1",
                "type": "next",
                "payload": {"data": {"viewer": {"userName": "planner"}}},
            }
            assert await hear(connection) == {"id": "1", "type": "complete"}


async def test_a_wrong_document_is_an_error_and_leaves_the_socket_open(server: Server) -> None:
    async with opened(server) as connection:
        await tell(connection, INIT)
        await hear(connection)
        await tell(connection, {**VIEWER, "payload": {"query": "{ viewer {"}})
        answer = await hear(connection)
        assert (answer["type"], answer["id"]) == ("error", "1")
        await tell(connection, {"type": "complete", "id": "unknown"})
        await tell(connection, {"type": "ping", "payload": {"n": 1}})
        assert await hear(connection) == {"type": "pong", "payload": {"n": 1}}


async def test_duplicate_ids_and_too_many_operations(server: Server) -> None:
    follow = 'subscription { jobProgress(jobId: "Sm9iOjE=") { state } }'
    model = 'mutation { territoryModelCreate(input: {developerName: "M", name: "M"}) { territoryModel { id } } }'
    async with opened(server) as connection:
        await tell(connection, INIT)
        await hear(connection)
        await tell(connection, {"id": "m", "type": "subscribe", "payload": {"query": model}})
        made = (await hear(connection))["payload"]["data"]["territoryModelCreate"]["territoryModel"]["id"]
        assert (await hear(connection))["type"] == "complete"
        endless = 'subscription { draftChanges(modelId: "%s") { __typename } }' % made  # noqa: UP031 - braces
        for key in ("a", "b"):
            await tell(connection, {"id": key, "type": "subscribe", "payload": {"query": endless}})
            assert (await hear(connection))["type"] == "next"
        await tell(connection, {"id": "c", "type": "subscribe", "payload": {"query": follow}})
        refused = await hear(connection)
        assert (refused["type"], refused["payload"][0]["extensions"]["code"]) == ("error", "LIMIT_EXCEEDED")
        await tell(connection, {"id": "a", "type": "subscribe", "payload": {"query": endless}})
        assert await closing(connection) == 4409
