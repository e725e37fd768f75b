"""Rights over real sockets: revocation reaches another process within a second, tokens end sockets, floods wait."""

from datetime import timedelta
from pathlib import Path
from time import monotonic

import httpx
import orjson
import pytest
from tests.e2e.servers import CONFIG, Client, serving
from tests.factories.world import make_user
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from etm_graph.core.access import Role
from etm_graph.db.sessions import Database
from etm_graph.graphql.ids import encode_id
from etm_graph.identity.tokens import mint_development_token

CREATE = 'mutation { territoryModelCreate(input: {developerName: "M", name: "M"}) { territoryModel { id } userErrors { code } } }'
RENAME = """mutation($id: ID!, $n: String!) { territoryModelUpdate(input: {id: $id, expectedVersion: 999, name: $n}) {
  userErrors { code } } }"""
FOLLOW = "subscription($m: ID!) { draftChanges(modelId: $m) { __typename ... on Change { sequence } } }"
GRANTS = "query($u: ID!) { roleGrants(filter: {userId: $u}) { nodes { id } } }"
REVOKE = "mutation($g: ID!) { roleGrantRevoke(input: {id: $g}) { revokedId userErrors { code } } }"
SUSPEND = (
    "mutation($u: ID!) { userUpdate(input: {id: $u, expectedVersion: 0, suspended: true}) { userErrors { code } } }"
)


async def test_a_revoked_role_ends_queries_and_live_streams_in_another_process_within_a_second(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    await make_user(database, "admin", Role.ADMIN)
    planner = await make_user(database, "planner", Role.PLANNER)
    second = await make_user(database, "second", Role.PLANNER)
    async with serving(database_url, tmp_path) as here, serving(database_url, tmp_path) as there:
        admin, reader = Client(here, "admin"), Client(there, "planner")
        model = (await reader.do(CREATE))["territoryModel"]["id"]
        own = encode_id("User", planner.user_id)
        (grant,) = (await admin.data(GRANTS, u=own))["roleGrants"]["nodes"]
        async with reader.socket() as socket, Client(there, "second").socket() as other:
            await socket.subscribe(FOLLOW, m=model)
            await other.subscribe(FOLLOW, m=model)
            for opened in (socket, other):
                assert (await opened.item())["__typename"] == "Checkpoint"
            began = monotonic()
            await admin.do(REVOKE, g=grant["id"])
            ended = await socket.receive(5)
            assert monotonic() - began < 1
            assert ended["payload"]["errors"][0]["extensions"]["code"] == "FORBIDDEN"
            assert (await reader.data("{ territoryModels { totalCount } }"))["territoryModels"]["totalCount"] == 0
            began = monotonic()
            await admin.do(SUSPEND, u=encode_id("User", second.user_id))
            while (message := await other.receive(5))["payload"].get("errors") is None:
                assert message["payload"]["data"]["draftChanges"]["__typename"] == "Checkpoint"
            assert monotonic() - began < 1
        await admin.close()
        await reader.close()


async def test_a_token_that_ends_closes_the_socket_with_4403(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    await make_user(database, "planner", Role.PLANNER)
    async with serving(database_url, tmp_path, ETM_SIGN_IN_FAILURES_MAX="5") as server:
        short = mint_development_token(CONFIG, "planner", timedelta(seconds=2))
        url = server.url.replace("http://", "ws://")
        async with connect(url, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]  # a NewType of str
            init = {"type": "connection_init", "payload": {"authorization": f"Bearer {short}"}}
            await socket.send(orjson.dumps(init).decode())
            with pytest.raises(ConnectionClosed) as caught:
                while True:
                    await socket.recv()
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4403, "Token expired")
        await floods(server.url)


async def floods(url: str) -> None:
    """An address that fails too often waits, over HTTP and WebSocket; a caller who was let in before does not."""
    good = {"authorization": f"Bearer {mint_development_token(CONFIG, 'planner')}"}
    body = {"query": "{ viewer { userName } }"}
    async with httpx.AsyncClient() as client:
        assert (await client.post(url, json=body, headers=good)).status_code == 200
        bad = [await client.post(url, json=body, headers={"authorization": "Bearer x"}) for _ in range(6)]
        assert [answer.status_code for answer in bad] == [401] * 5 + [429]
        assert 0 < int(bad[-1].headers["retry-after"]) <= 61
        assert "sign_in_failures_max" in bad[-1].json()["errors"][0]["message"]
        assert (await client.post(url, json=body, headers=good)).status_code == 200
