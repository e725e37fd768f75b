"""Real clients against a real server: those that applications use, each doing what applications do."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from gql import Client as GqlClient
from gql import gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport
from tests.clients.conftest import Run
from tests.e2e.servers import CONFIG, Server, serving, token
from tests.factories.world import make_model, make_territory, make_type, make_user, make_world

from etm_graph.core.access import Role
from etm_graph.db.sessions import Database
from etm_graph.graphql.ids import encode_id
from etm_graph.identity.tokens import mint_development_token

pytestmark = pytest.mark.clients


@dataclass
class Site:
    """A server with a draft of three territories."""

    server: Server
    model_id: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            "SERVER_URL": self.server.url,
            "TOKEN": token("planner"),
            "SHORT_TOKEN": mint_development_token(CONFIG, "planner", timedelta(seconds=4)),
            "MODEL_ID": self.model_id,
        }


@pytest.fixture
async def site(database: Database, database_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    planner = await make_user(database, "planner", Role.PLANNER, Role.ADMIN)
    world = make_world(database)
    type_id, model_id = await make_type(world, planner), await make_model(world, planner)
    for name in ("One", "Second", "Third"):
        await make_territory(world, planner, model_id, type_id, name)
    async with serving(database_url, tmp_path, ETM_HEAD_POLL_S="0.2") as server:
        yield Site(server, encode_id("TerritoryModel", model_id))


async def test_the_audit_suite_of_graphql_http_finds_nothing(site: Site, run: Run) -> None:
    done = run("node", "audit.mjs", **site.environment)
    assert orjson.loads(done.stdout) == {"audits": 61, "ok": 61}


async def test_graphql_ws(site: Site, run: Run) -> None:
    done = run("node", "graphql-ws.mjs", **site.environment)
    assert 4403 in orjson.loads(done.stdout)["closed"]


@pytest.mark.parametrize("client", ["apollo", "urql", "graphql-sse"])
async def test_client(site: Site, run: Run, client: str) -> None:
    run("node", f"{client}.mjs", **site.environment)


async def test_gql_of_python_over_http_and_websocket(site: Site) -> None:
    headers = {"authorization": f"Bearer {token('planner')}"}
    rename = gql(
        'mutation ($id: ID!) { territoryModelUpdate(input: {id: $id, name: "N", expectedVersion: 0}) '
        "{ territoryModel { name } userErrors { code } } }"
    )
    follow = gql("subscription ($id: ID!) { draftChanges(modelId: $id) { __typename ... on Change { kind } } }")
    over_http = GqlClient(
        transport=HTTPXAsyncTransport(url=site.server.url, headers=headers), fetch_schema_from_transport=True
    )
    url = site.server.url.replace("http://", "ws://")
    over_socket = GqlClient(transport=WebsocketsTransport(url=url, init_payload=headers))
    async with over_http as http, over_socket as socket:
        assert await http.execute(gql("{ viewer { userName } }")) == {"viewer": {"userName": "planner"}}
        with pytest.raises(TransportQueryError) as refused:
            await http.execute(gql("{ users(first: 201) { nodes { id } } }"))
        assert (refused.value.errors or [{}])[0]["extensions"]["code"] == "LIMIT_EXCEEDED"
        heard: list[str] = []
        follow.variable_values = {"id": site.model_id}
        rename.variable_values = {"id": site.model_id}
        async for item in socket.subscribe(follow):
            heard.append(item["draftChanges"]["__typename"])
            if heard[-1] == "Change":
                break
            if len(heard) == 1:
                renamed = await http.execute(rename)
                assert renamed["territoryModelUpdate"] == {"territoryModel": {"name": "N"}, "userErrors": []}
        assert (heard[0], heard[-1]) == ("Checkpoint", "Change")
