"""An edit at one server process is an impact at another's sockets."""

from pathlib import Path
from typing import Any

from tests.e2e.servers import Client, Socket, serving
from tests.factories.world import make_user
from tests.features.comparisons.company import make_company

from etm_graph.core.access import Role
from etm_graph.db.sessions import Database
from etm_graph.graphql.ids import encode_id

FOLLOW = """subscription($m: ID!) { draftImpact(modelId: $m) { isSnapshot sequence
  totals { accountsMoved } territories { developerName accounts { after } } } }"""
ASSIGN = """mutation($t: ID!, $a: ID!) { accountAssign(input: {territoryId: $t, accountId: $a}) { userErrors { message } } }"""


async def until(socket: Socket, sequence: int) -> dict[str, Any]:
    found = await socket.item(30)
    while found["sequence"] < sequence:
        found = await socket.item(30)
    return found


async def test_an_edit_reaches_watchers_of_every_process(database: Database, database_url: str, tmp_path: Path) -> None:
    company = await make_company(database)
    await make_user(database, "second", Role.PLANNER)
    draft = encode_id("TerritoryModel", company.draft)
    async with serving(database_url, tmp_path) as near, serving(database_url, tmp_path) as far:
        editor, watcher = Client(near, "planner"), Client(far, "second")
        async with watcher.socket() as socket, editor.socket() as own:
            for watching in (socket, own):
                await watching.subscribe(FOLLOW, m=draft)
                first = await watching.item(30)
                assert (first["isSnapshot"], first["sequence"]) == (True, 4)
                assert [node["developerName"] for node in first["territories"]] == ["East", "West"]
            world = encode_id("Territory", company.keys[company.draft, "World"])
            await editor.do(ASSIGN, t=world, a=encode_id("Account", company.accounts["NY"]))
            for watching in (socket, own):
                told = await until(watching, 5)
                assert (told["isSnapshot"], told["totals"]) == (False, {"accountsMoved": 2})
                assert told["territories"] == [{"developerName": "World", "accounts": {"after": 1}}]
        await editor.close()
        await watcher.close()
