"""Every rule of graphql-transport-ws (graphql-ws, PROTOCOL.md), one socket each; what else a socket promises."""

import asyncio
from typing import Any
from uuid import uuid4

import orjson
import pytest
from tests.e2e.servers import CONFIG, Server, token
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from etm_graph.identity.tokens import mint_development_token

INIT = {"type": "connection_init", "payload": {"authorization": "Bearer TOKEN"}}
VIEWER = {"id": "1", "type": "subscribe", "payload": {"query": "{ viewer { userName } }"}}
ANSWER = {"data": {"viewer": {"userName": "planner"}}}
MODEL = 'mutation { territoryModelCreate(input: {developerName: "NAME", name: "M"}) { territoryModel { id } } }'


SETTINGS = {"ETM_SOCKET_PING_INTERVAL_S": "2", "ETM_HEAD_POLL_S": "0.2"}


class Talk:
    """A socket spoken message by message; the server's pings are kept apart."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.pings = 0

    async def tell(self, *messages: object) -> None:
        for message in messages:
            raw = message if isinstance(message, str | bytes) else orjson.dumps(message).decode()
            await self.connection.send(raw.replace("TOKEN", token("planner")) if isinstance(raw, str) else raw)

    async def hear(self, *, answering: bool = True) -> Any:
        while True:
            message = orjson.loads(await asyncio.wait_for(self.connection.recv(), 8))
            if message != {"type": "ping"}:
                return message
            self.pings += 1
            if answering:
                await self.tell({"type": "pong"})

    async def closing(self) -> tuple[int, str]:
        """The close code and reason, whatever comes before."""
        with pytest.raises(ConnectionClosed) as caught:
            while True:
                await asyncio.wait_for(self.connection.recv(), 8)
        assert caught.value.rcvd is not None, "closed without a close frame"
        return caught.value.rcvd.code, caught.value.rcvd.reason

    async def ready(self) -> "Talk":
        await self.tell(INIT)
        assert await self.hear() == {"type": "connection_ack"}
        return self

    async def model(self) -> str:
        await self.tell(
            {"id": "model", "type": "subscribe", "payload": {"query": MODEL.replace("NAME", f"M{uuid4().hex}")}}
        )
        made = (await self.hear())["payload"]["data"]["territoryModelCreate"]["territoryModel"]["id"]
        assert await self.hear() == {"id": "model", "type": "complete"}
        return str(made)


class Opened:
    """`async with Opened(server) as talk`."""

    def __init__(self, server: Server, *protocols: str, **headers: str) -> None:
        url = server.url.replace("http://", "ws://")
        self._connect = connect(
            url, subprotocols=list(protocols or ("graphql-transport-ws",)), additional_headers=headers
        )  # type: ignore[arg-type]  # a NewType of str

    async def __aenter__(self) -> Talk:
        return Talk(await self._connect.__aenter__())

    async def __aexit__(self, *error: object) -> None:
        await self._connect.__aexit__(*error)


def follow(model: str) -> dict[str, Any]:
    query = "subscription ($id: ID!) { draftChanges(modelId: $id) { __typename ... on Change { kind } } }"
    return {"query": query, "variables": {"id": model}}


BAD_MESSAGES: dict[str, object] = {
    "no JSON": "{",
    "binary": b'{"type": "ping"}',
    "array": [],
    "number": 1,
    "null": "null",
    "text": '"ping"',
    "no type": {"id": "1"},
    "type is no text": {"type": 1},
    "type is a list": {"type": ["ping"]},
    "unknown type": {"type": "start", "id": "1"},
    "a server's message": {"type": "next", "id": "1", "payload": {}},
    "ack from a client": {"type": "connection_ack"},
    "ping payload is text": {"type": "ping", "payload": "x"},
    "ping payload is a list": {"type": "ping", "payload": []},
    "pong payload is a number": {"type": "pong", "payload": 1},
    "subscribe without id": {"type": "subscribe", "payload": {"query": "{ viewer { id } }"}},
    "subscribe with a number as id": {"id": 1, "type": "subscribe", "payload": {"query": "{ viewer { id } }"}},
    "subscribe with an empty id": {"id": "", "type": "subscribe", "payload": {"query": "{ viewer { id } }"}},
    "subscribe with null as id": {"id": None, "type": "subscribe", "payload": {"query": "{ viewer { id } }"}},
    "subscribe without payload": {"id": "1", "type": "subscribe"},
    "subscribe with null as payload": {"id": "1", "type": "subscribe", "payload": None},
    "subscribe with a list as payload": {"id": "1", "type": "subscribe", "payload": []},
    "no query": {"id": "1", "type": "subscribe", "payload": {}},
    "query is a number": {"id": "1", "type": "subscribe", "payload": {"query": 1}},
    "variables are a list": {"id": "1", "type": "subscribe", "payload": {"query": "{ a }", "variables": [1]}},
    "operationName is a number": {"id": "1", "type": "subscribe", "payload": {"query": "{ a }", "operationName": 1}},
    "extensions are text": {"id": "1", "type": "subscribe", "payload": {"query": "{ a }", "extensions": "x"}},
    "complete without id": {"type": "complete"},
    "complete with a number as id": {"type": "complete", "id": 1},
}


async def test_messages_that_are_not_specified_close_the_socket_with_4400(server: Server) -> None:
    codes = {}
    for name, message in BAD_MESSAGES.items():
        async with Opened(server) as talk:
            await (await talk.ready()).tell(message)
            codes[name] = (await talk.closing())[0]
    assert codes == dict.fromkeys(BAD_MESSAGES, 4400)


async def test_handshake(server: Server) -> None:
    for protocols in (("graphql-ws",), ("graphql-ws", "other")):
        async with Opened(server, *protocols) as talk:
            assert await talk.closing() == (4406, "Subprotocol not acceptable")
    async with Opened(server, "other", "graphql-transport-ws") as talk:
        assert talk.connection.subprotocol == "graphql-transport-ws"


async def test_a_connection_is_initialised_once_and_before_anything_is_asked(server: Server) -> None:
    found = []
    for messages in (
        [VIEWER],
        [{"type": "connection_init", "payload": {"authorization": "Bearer nonsense"}}],
        [{"type": "connection_init", "payload": {}}],
        [{"type": "connection_init", "payload": "x"}],
        [INIT, INIT],
    ):
        async with Opened(server) as talk:
            await talk.tell(*messages)
            found.append(await talk.closing())
    assert found == [
        (4401, "Unauthorized"),
        (4403, "Forbidden"),
        (4403, "Forbidden"),
        (4400, "A payload is an object"),
        (4429, "Too many initialisation requests"),
    ]


@pytest.mark.parametrize("payload", [{}, {"payload": None}, {"payload": {}}], ids=["absent", "null", "empty"])
async def test_the_payload_of_connection_init_is_optional(server: Server, payload: dict[str, Any]) -> None:
    async with Opened(server, Authorization=f"Bearer {token('planner')}") as talk:
        await talk.tell({"type": "connection_init", **payload})
        assert await talk.hear() == {"type": "connection_ack"}


async def test_a_silent_connection_is_closed_after_the_default_of_five_seconds(server: Server) -> None:
    began = asyncio.get_running_loop().time()
    async with Opened(server) as talk:
        assert await talk.closing() == (4408, "Connection initialisation timeout")
    assert 4.5 <= asyncio.get_running_loop().time() - began <= 7


async def test_pings_are_answered_at_any_time_with_their_payload(server: Server) -> None:
    async with Opened(server) as talk:
        await talk.tell({"type": "ping"}, {"type": "ping", "payload": None}, {"type": "ping", "payload": {"n": [1]}})
        await talk.tell({"type": "pong"}, {"type": "pong", "payload": {"unsolicited": True}}, INIT, {"type": "ping"})
        heard = [await talk.hear() for _ in range(5)]
    pong = {"type": "pong"}
    assert heard == [pong, pong, {**pong, "payload": {"n": [1]}}, {"type": "connection_ack"}, pong]


async def test_the_server_pings_and_leaves_who_does_not_answer(server: Server) -> None:
    async with Opened(server) as talk:
        await talk.ready()
        assert orjson.loads(await asyncio.wait_for(talk.connection.recv(), 6)) == {"type": "ping"}
        assert await talk.closing() == (4499, "No pong")
    async with Opened(server) as talk:
        await talk.ready()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await talk.hear()
        assert talk.pings >= 2
        await talk.tell(VIEWER)
        assert await talk.hear() == {"id": "1", "type": "next", "payload": ANSWER}


async def test_a_result_is_followed_by_complete_and_an_error_is_not(server: Server) -> None:
    async with Opened(server) as talk:
        await talk.ready()
        await talk.tell(
            {**VIEWER, "payload": {**VIEWER["payload"], "variables": None, "operationName": None, "extensions": None}}
        )  # type: ignore[dict-item]  # the payload is a dictionary
        assert await talk.hear() == {"id": "1", "type": "next", "payload": ANSWER}
        assert await talk.hear() == {"id": "1", "type": "complete"}
        for wrong in ("{ viewer {", "{ nonsense }", "query A { viewer { id } } query B { viewer { id } }"):
            await talk.tell({**VIEWER, "payload": {"query": wrong}})
            heard = await talk.hear()
            assert (heard["type"], heard["id"], len(heard["payload"])) == ("error", "1", 1)
        await talk.tell(VIEWER)  # the id is free and the socket lives
        assert [(await talk.hear())["type"] for _ in range(2)] == ["next", "complete"]


async def test_one_bad_document_leaves_other_operations_alone(server: Server) -> None:
    async with Opened(server) as talk:
        model = await (await talk.ready()).model()
        await talk.tell({"id": "live", "type": "subscribe", "payload": follow(model)})
        assert (await talk.hear())["payload"]["data"]["draftChanges"]["__typename"] == "Checkpoint"
        await talk.tell({"id": "bad", "type": "subscribe", "payload": {"query": "{"}})
        assert (await talk.hear())["id"] == "bad"
        rename = 'mutation ($id: ID!) { territoryModelUpdate(input: {id: $id, name: "N", expectedVersion: 0}) { userErrors { message } } }'
        await talk.tell({"id": "m", "type": "subscribe", "payload": {"query": rename, "variables": {"id": model}}})
        heard = [await talk.hear() for _ in range(3)]
        live = [message for message in heard if message["id"] == "live"]
        assert [message["payload"]["data"]["draftChanges"] for message in live] == [
            {"__typename": "Change", "kind": "UPDATED"}
        ]


async def test_ids_are_unique_while_they_are_active(server: Server) -> None:
    async with Opened(server) as talk:
        model = await (await talk.ready()).model()
        for _ in range(2):
            await talk.tell({"id": "a", "type": "subscribe", "payload": follow(model)})
            assert (await talk.hear())["type"] == "next"
            await talk.tell({"id": "a", "type": "complete"}, {"id": "a", "type": "complete"})
        await talk.tell({"id": "a", "type": "subscribe", "payload": follow(model)}, {**VIEWER, "id": "a"})
        assert await talk.closing() == (4409, "Subscriber for a already exists")


async def test_too_many_operations_are_refused_one_by_one(server: Server) -> None:
    async with Opened(server) as talk:
        model = await (await talk.ready()).model()
        for key in range(20):
            await talk.tell({"id": str(key), "type": "subscribe", "payload": follow(model)})
            assert (await talk.hear())["type"] == "next"
        await talk.tell({**VIEWER, "id": "more"})
        refused = await talk.hear()
        assert (refused["id"], refused["type"]) == ("more", "error")
        assert refused["payload"][0]["extensions"] == {
            "code": "LIMIT_EXCEEDED",
            "limit": "socket_subscriptions_max",
            "value": 20,
        }


async def test_a_close_reason_fits_its_frame_however_long_the_id(server: Server) -> None:
    async with Opened(server) as talk:
        model = await (await talk.ready()).model()
        long = {"id": "é" * 200, "type": "subscribe", "payload": follow(model)}
        await talk.tell(long, long)
        code, reason = await talk.closing()
        assert (code, reason) == (4409, "Subscriber for " + "é" * 54)


async def test_complete_stops_events_and_unknown_ids_are_ignored(server: Server) -> None:
    async with Opened(server) as talk:
        model = await (await talk.ready()).model()
        await talk.tell({"id": "a", "type": "subscribe", "payload": follow(model)})
        assert (await talk.hear())["type"] == "next"
        await talk.tell({"id": "a", "type": "complete"}, {"id": "never", "type": "complete"})
        rename = 'mutation ($id: ID!) { territoryModelUpdate(input: {id: $id, name: "N", expectedVersion: 0}) { userErrors { message } } }'
        await talk.tell({"id": "m", "type": "subscribe", "payload": {"query": rename, "variables": {"id": model}}})
        assert [(message["id"], message["type"]) for message in [await talk.hear(), await talk.hear()]] == [
            ("m", "next"),
            ("m", "complete"),
        ]
        await talk.tell({"type": "ping"})
        assert await talk.hear() == {"type": "pong"}


async def test_a_result_is_not_sent_once_its_client_has_completed(server: Server) -> None:
    async with Opened(server) as talk:
        await talk.ready()
        await talk.tell(VIEWER, {"id": "1", "type": "complete"}, {"type": "ping"})
        heard = await talk.hear()
        if heard["type"] == "next":  # it was under way already
            assert (await talk.hear())["type"] in {"pong", "complete"}
        else:
            assert heard == {"type": "pong"}
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(talk.hear(), 0.7)


async def test_every_operation_has_a_context_of_its_own(server: Server) -> None:
    count = {"query": "{ territoryModels { totalCount } }"}
    async with Opened(server) as talk:
        await talk.ready()
        found = []
        for key in ("a", "b"):
            await talk.tell({"id": key, "type": "subscribe", "payload": count})
            found.append((await talk.hear())["payload"]["data"]["territoryModels"]["totalCount"])
            await talk.hear()
            if key == "a":
                await talk.model()
        assert found[1] - found[0] == 1  # a context shared by the socket would still see its first snapshot


async def test_extensions_reach_the_operation(server: Server) -> None:
    async with Opened(server) as talk:
        await talk.ready()
        await talk.tell({**VIEWER, "payload": {**VIEWER["payload"], "extensions": {"cost": True}}})  # type: ignore[dict-item]  # the payload is a dictionary
        assert (await talk.hear())["payload"]["extensions"]["cost"]["requested"] == 10 + 4 + 1 + 1


async def test_an_expired_token_closes_the_socket(server: Server) -> None:
    from datetime import timedelta

    short = mint_development_token(CONFIG, "planner", timedelta(seconds=2))
    async with Opened(server) as talk:
        await talk.tell({"type": "connection_init", "payload": {"Authorization": f"Bearer {short}"}})
        assert await talk.hear() == {"type": "connection_ack"}
        assert await talk.closing() == (4403, "Token expired")


async def test_operations_of_a_closed_socket_end(server: Server) -> None:
    import httpx

    async def followers() -> str:
        async with httpx.AsyncClient() as client:
            text = (await client.get(server.url.replace("/graphql", "/metrics"))).text
        return next(line for line in text.splitlines() if line.startswith("etm_followers "))

    before = float((await followers()).split()[1])
    async with Opened(server) as talk:
        model = await (await talk.ready()).model()
        for key in "abc":
            await talk.tell({"id": key, "type": "subscribe", "payload": follow(model)})
            assert (await talk.hear())["type"] == "next"
        assert await followers() == f"etm_followers {before + 3}"
        talk.connection.transport.abort()
    async with asyncio.timeout(5):
        while await followers() != f"etm_followers {before}":  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
