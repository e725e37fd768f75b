"""Who is there and where: through GraphQL in one process, and through two processes with a client that is cut off."""

from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter

from tests.e2e.servers import Client, serving
from tests.factories.asking import make_asking
from tests.factories.world import make_model, make_territory, make_type, make_user, make_world
from tests.helpers.verify_replay import read_head

from etm_graph.core.access import Grant, Role
from etm_graph.db.sessions import Database
from etm_graph.features.presence.queries import Board
from etm_graph.features.presence.schema import _Watching
from etm_graph.graphql.ids import encode_id

HEARTBEAT = """mutation($m: ID!, $c: String!, $at: ID, $editing: Boolean! = false) {
  presenceHeartbeat(input: {modelId: $m, clientId: $c, entityId: $at, isEditing: $editing, field: "name"}) {
    nextWithinMs expiresInMs userErrors { code field } } }"""
LEAVE = "mutation($m: ID!, $c: String!) { presenceLeave(input: {modelId: $m, clientId: $c}) { userErrors { code } } }"
WATCH = """subscription($m: ID!) { presence(modelId: $m) { __typename
  ... on PresenceSnapshot { entries { clientId isEditing entityId user { userName } } }
  ... on PresenceDelta { came { clientId isEditing entityId user { userName } } moved { clientId isEditing entityId } left } } }"""


async def test_where_somebody_is_is_shown_to_those_who_may_read_it(database: Database) -> None:
    asking = make_asking(database)
    world = asking.world
    planner = await make_user(database, "planner", Role.PLANNER, Role.ADMIN)
    far = await make_user(database, "far", grants=(Grant(Role.PLANNER, None, "/Asia/"),))
    outsider = await make_user(database, "rep", Role.REP)
    type_id, model_id = await make_type(world, planner), await make_model(world, planner)
    europe = encode_id("Territory", await make_territory(world, planner, model_id, type_id, "Europe"))
    m = encode_id("TerritoryModel", model_id)
    async with database.read() as session:
        head = await read_head(session, model_id)
    done = await asking.get(planner, HEARTBEAT, m=m, c="w1", at=europe, editing=True)
    assert done == {"nextWithinMs": 3000, "expiresInMs": 8000, "userErrors": []}
    board = Board()
    async with board.watch(database, model_id) as watcher:
        present = watcher.present
        for who, place in ((planner, europe), (far, None)):
            watching = _Watching(asking.context(who), model_id)
            await watching.check()
            (entry,) = [watching.entry(entry) for entry in present.values()]
            assert (entry.client_id, entry.entity_id, entry.is_editing) == ("w1", place, place is not None)
        await asking.get(planner, LEAVE, m=m, c="w1")
        board.nudge()
        assert await watcher.changed(present, timeout_s=5) == {}
    assert await asking.code(outsider, HEARTBEAT, m=m, c="w1") == "NOT_FOUND"
    assert await asking.code(far, HEARTBEAT, m=m, c="w1", at=europe) == "NOT_FOUND"
    assert await asking.code(planner, HEARTBEAT, m=m, c="x" * 65) == "INVALID"
    async with database.read() as session:
        assert await read_head(session, model_id) == head


async def test_a_client_that_is_cut_off_is_gone_within_ten_seconds_in_every_process(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    planner = await make_user(database, "planner", Role.PLANNER)
    await make_user(database, "other", Role.PLANNER)
    m = encode_id("TerritoryModel", await make_model(make_world(database), planner))
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(serving(database_url, tmp_path)) for _ in range(2)]
        here, there = Client(servers[0], "planner"), Client(servers[1], "other")
        stack.push_async_callback(here.close)
        stack.push_async_callback(there.close)
        async with there.socket() as socket:
            await socket.subscribe(WATCH, m=m)
            assert (await socket.item()) == {"__typename": "PresenceSnapshot", "entries": []}
            await here.do(HEARTBEAT, m=m, c="w1")
            came = perf_counter()
            (entry,) = (await socket.item())["came"]
            assert (entry["clientId"], entry["user"]["userName"]) == ("w1", "planner")
            gone = await socket.item(timeout=12)  # silence: what a cut connection looks like
            assert gone["left"] == [f"{encode_id('User', planner.user_id)} w1"]
            assert 7 < perf_counter() - came < 10
