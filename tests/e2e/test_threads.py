"""A conversation about a draft, followed from another server process."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.e2e.servers import Client, serving
from tests.e2e.test_editing import CREATE_MODEL
from tests.factories.world import make_user

from etm_graph.core.access import Role
from etm_graph.db.sessions import Database

FOLLOW = """subscription($m: ID!, $after: String) { threadEvents(modelId: $m, after: $after) { __typename
  ... on Change { cursor sequence kind entityType actor { userName } comment { body author { userName } } }
  ... on Checkpoint { cursor head } } }"""
OPEN = """mutation($m: ID!, $b: String!) { threadCreate(input: {anchor: {modelId: $m}, body: $b}) {
  thread { id } userErrors { code message } } }"""
SAY = """mutation($t: ID!, $b: String!) { commentAdd(input: {threadId: $t, body: $b}) {
  comment { id } userErrors { code message } } }"""
READ = """query($t: ID!) { thread(id: $t) { comments { totalCount nodes { body author { userName } } } } }"""


@pytest.mark.parametrize("processes", [1, 2])
async def test_a_comment_reaches_another_client_and_missed_ones_are_replayed(
    database: Database, database_url: str, tmp_path: Path, processes: int
) -> None:
    await make_user(database, "planner", Role.PLANNER)
    await make_user(database, "other", Role.PLANNER)
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(serving(database_url, tmp_path)) for _ in range(processes)]
        planner, other = Client(servers[0], "planner"), Client(servers[-1], "other")
        for client in (planner, other):
            stack.push_async_callback(client.close)
        model_id = (await planner.do(CREATE_MODEL, n="Plan"))["territoryModel"]["id"]
        async with other.socket() as socket:
            await socket.subscribe(FOLLOW, m=model_id)
            assert (await socket.item())["__typename"] == "Checkpoint"
            thread = (await planner.do(OPEN, m=model_id, b="Is the West too large?"))["thread"]["id"]
            opened = [await socket.change() for _ in range(2)]
        assert [change["entityType"] for change in opened] == ["THREAD", "COMMENT"]
        assert opened[1]["comment"] == {"body": "Is the West too large?", "author": {"userName": "planner"}}
        for body in ("By a third.", "Then split it."):
            await planner.do(SAY, t=thread, b=body)
        async with other.socket() as socket:
            await socket.subscribe(FOLLOW, m=model_id, after=opened[-1]["cursor"])
            missed = [await socket.change() for _ in range(2)]
            await other.do(SAY, t=thread, b="Agreed.")
            answer = await socket.change()
        assert [change["comment"]["body"] for change in missed] == ["By a third.", "Then split it."]
        assert [change["sequence"] for change in missed] == [opened[-1]["sequence"] + 1, opened[-1]["sequence"] + 2]
        assert answer["actor"] == {"userName": "other"}
        read = (await planner.data(READ, t=thread))["thread"]["comments"]
        assert read["totalCount"] == 4
