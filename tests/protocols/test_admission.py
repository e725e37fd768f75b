"""Limits, costs, budgets and timeouts as a client meets them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest
from tests.e2e.servers import Client, Server, token

WAITING = """SELECT count(*) FROM pg_stat_activity
  WHERE datname = current_database() AND application_name = 'etm-graph' AND state = 'active' AND wait_event_type = 'Lock'
  AND query ~ $1"""
CREATE = 'mutation { territoryModelCreate(input: {developerName: "M", name: "M"}) { territoryModel { id } } }'


SETTINGS = {
    "ETM_OPERATION_TIMEOUT_S": "1",
    "ETM_BUDGET_COST": "1000",
    "ETM_BUDGET_COST_PER_S": "1",
    "ETM_OPERATION_COST_MAX": "900",
    "ETM_LIST_INPUT_MAX": "3",
}


def asking(server: Server, user: str = "planner") -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {token(user)}", "accept": "application/graphql-response+json"}
    return httpx.AsyncClient(base_url=server.url.removesuffix("/graphql"), headers=headers, timeout=30)


def extensions(answer: httpx.Response) -> dict[str, Any]:
    body = answer.json()
    assert "data" not in body
    found: dict[str, Any] = body["errors"][0]["extensions"]
    return found


async def test_budgets_are_counted_by_cost_and_by_principal(server: Server) -> None:
    page = {"query": "{ users(first: 100) { nodes { id name } } }"}  # 10 + 4 + 10 + 1 + 100 * 3
    async with asking(server) as planner, asking(server, "second") as other:
        first = await planner.post("/graphql", json={**page, "extensions": {"cost": True}})
        assert first.json()["extensions"] == {
            "cost": {"requested": 325, "remaining": 675, "capacity": 1000, "perSecond": 1}
        }
        assert first.headers["ratelimit-policy"] == '"cost";q=1000;w=1000'
        assert first.headers["ratelimit"] == '"cost";r=675;t=325'
        second, third, fourth = [await planner.post("/graphql", json=page) for _ in range(3)]
        assert [answer.status_code for answer in (first, second, third, fourth)] == [200, 200, 200, 429]
        refused = extensions(fourth)
        assert (refused["code"], refused["limit"], refused["actual"]) == ("RATE_LIMITED", "budget_cost", 325)
        assert fourth.headers["retry-after"] == str(refused["retryAfter"])
        assert 295 <= refused["retryAfter"] <= 300
        assert "extensions" not in second.json()
        assert (await other.post("/graphql", json=page)).headers["ratelimit"] == '"cost";r=675;t=325'


async def test_cost_lists_and_batches_are_refused_before_anything_runs(server: Server) -> None:
    async with asking(server, "third") as client:
        dear = await client.post(
            "/graphql", json={"query": "{ users(first: 200) { nodes { id name email title: name } } }"}
        )
        assert (dear.status_code, extensions(dear)) == (
            400,
            {"code": "LIMIT_EXCEEDED", "limit": "operation_cost_max", "value": 900, "actual": 1025},
        )
        query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
        long = await client.post("/graphql", json={"query": query, "variables": {"ids": ["x"] * 4}})
        assert extensions(long) == {"code": "LIMIT_EXCEEDED", "limit": "list_input_max", "value": 3, "actual": 4}
        batch = await client.post("/graphql", json=[{"query": "{ __typename }"}] * 2)
        assert (batch.status_code, extensions(batch)["code"]) == (400, "BAD_REQUEST")
        assert "batches are refused" in batch.json()["errors"][0]["message"]


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def waiting(watcher: asyncpg.Connection, pattern: str, expected: int) -> None:
    """Wait until so many of the server's statements like the pattern wait for a lock; fails after 4.5 seconds."""
    async with asyncio.timeout(4.5):  # the server's lock_timeout is 5 s
        while await watcher.fetchval(WAITING, pattern) != expected:  # noqa: ASYNC110 - the database sends no event
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("write", [False, True], ids=["query", "mutation"])
async def test_a_timeout_cancels_the_statement_in_the_database(shared: tuple[Server, str], *, write: bool) -> None:
    server, database_url = shared
    table, document, statement = (
        # Followers of streams read its table, too.
        ("stream", CREATE, "INSERT INTO stream")
        if write
        else ("territory_model", "{ territoryModels { totalCount } }", "^SELECT territory_model")
    )
    async with asking(server, "third") as client, connected(database_url) as holder, connected(database_url) as watcher:
        async with holder.transaction():
            await holder.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            asked = asyncio.create_task(client.post("/graphql", json={"query": document}))
            await waiting(watcher, statement, expected=1)
            answer = await asked
            assert (answer.status_code, extensions(answer)) == (
                503,
                {"code": "TIMEOUT", "limit": "operation_timeout_s", "value": 1.0},
            )
            await waiting(watcher, statement, expected=0)
        after = await client.post("/graphql", json={"query": "{ territoryModels { totalCount } }"})
        assert after.json() == {"data": {"territoryModels": {"totalCount": 0}}}


async def test_a_socket_is_held_to_the_same_limits(server: Server) -> None:
    client = Client(server, "fourth")
    async with client.socket() as connection:
        for document, code in (
            ("{ users(first: 200) { nodes { id name email title: name } } }", "LIMIT_EXCEEDED"),
            ("subscription { " + " ".join(f"x{n}: jobProgress(jobId: 1) {{ id }}" for n in range(31)) + " }", "LIMIT_EXCEEDED"),
            ("{ users(first: 200) { nodes { id name email } } }", None),
            ("{ users(first: 200) { nodes { id name email } } }", "RATE_LIMITED"),
        ):  # fmt: skip
            await connection.subscribe(document)
            message = await connection.receive()
            if code is None:
                assert (message["type"], (await connection.receive())["type"]) == ("next", "complete")
            else:
                assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", code)
    await client.close()
