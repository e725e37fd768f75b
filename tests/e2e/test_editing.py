"""Draft, edit, event at another client: through one server process and through two."""

from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter

import pytest
from tests.e2e.servers import Client, serving
from tests.factories.world import make_user

from etm_graph.core.access import Role
from etm_graph.db.sessions import Database

FOLLOW = """subscription($m: ID!, $after: String) { draftChanges(modelId: $m, after: $after) {
  __typename
  ... on Change { cursor sequence kind entityType key actor { userName } fields { field before after } }
  ... on Checkpoint { cursor head }
  ... on ResyncRequired { reason } } }"""
CREATE_TYPE = """mutation($n: String!, $p: Int!) { territoryTypeCreate(input: {developerName: $n, name: $n, priority: $p}) {
  territoryType { id } userErrors { code message } } }"""
CREATE_MODEL = """mutation($n: String!) { territoryModelCreate(input: {developerName: $n, name: $n}) {
  territoryModel { id state head cursor } change { sequence } userErrors { code message } } }"""
CREATE = """mutation($m: ID!, $p: ID, $t: ID!, $n: String!) {
  territoryCreate(input: {modelId: $m, parentId: $p, typeId: $t, developerName: $n, name: $n}) {
    territory { id path version } change { sequence } userErrors { code message field } } }"""
UPDATE = """mutation($id: ID!, $v: BigInt!, $n: String!) { territoryUpdate(input: {id: $id, expectedVersion: $v, name: $n}) {
  territory { id name version } change { sequence } userErrors { code message field } } }"""


@pytest.mark.parametrize("processes", [1, 2])
async def test_an_edit_reaches_another_client_and_is_replayed_after_a_disconnect(
    database: Database, database_url: str, tmp_path: Path, processes: int
) -> None:
    await make_user(database, "admin", Role.ADMIN)
    await make_user(database, "planner", Role.PLANNER)
    await make_user(database, "other", Role.PLANNER)
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(serving(database_url, tmp_path)) for _ in range(processes)]
        admin, planner = Client(servers[0], "admin"), Client(servers[0], "planner")
        other = Client(servers[-1], "other")
        for client in (admin, planner, other):
            stack.push_async_callback(client.close)
        type_id = (await admin.do(CREATE_TYPE, n="Geography", p=10))["territoryType"]["id"]
        model_id = (await planner.do(CREATE_MODEL, n="Plan"))["territoryModel"]["id"]
        async with other.socket() as socket:
            await socket.subscribe(FOLLOW, m=model_id)
            start = await socket.item()
            assert (start["__typename"], start["head"]) == ("Checkpoint", 1)
            began = perf_counter()
            root = (await planner.do(CREATE, m=model_id, p=None, t=type_id, n="Global"))["territory"]
            seen = await socket.change()
            latency = perf_counter() - began
        assert (seen["sequence"], seen["kind"], seen["key"]) == (2, "CREATED", "Global")
        assert seen["actor"] == {"userName": "planner"}
        assert latency < 1.0
        for name in ("World", "Everywhere", "All"):
            version = await planner.data("query($id: ID!) { territory(id: $id) { version } }", id=root["id"])
            await planner.do(UPDATE, id=root["id"], v=version["territory"]["version"], n=name)
        async with other.socket() as socket:
            await socket.subscribe(FOLLOW, m=model_id, after=seen["cursor"])
            missed = [await socket.change() for _ in range(3)]
        assert [change["sequence"] for change in missed] == [3, 4, 5]
        assert [change["fields"][0]["after"] for change in missed] == ['"World"', '"Everywhere"', '"All"']


async def test_an_altered_cursor_asks_for_a_resync(database: Database, database_url: str, tmp_path: Path) -> None:
    await make_user(database, "planner", Role.PLANNER)
    async with serving(database_url, tmp_path) as server:
        planner = Client(server, "planner")
        model = (await planner.do(CREATE_MODEL, n="Plan"))["territoryModel"]
        async with planner.socket() as socket:
            await socket.subscribe(FOLLOW, m=model["id"], after=model["cursor"][:-2] + "AA")
            item = await socket.item()
            assert (item["__typename"], item["reason"]) == ("ResyncRequired", "BAD_CURSOR")
            assert (await socket.receive())["type"] == "complete"
        await planner.close()
