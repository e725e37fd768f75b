"""Comparisons as CSV over HTTP, asked well and badly."""

import csv
from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path

import httpx
import pytest
from sqlalchemy import update
from tests.e2e.servers import serving, token
from tests.factories.world import make_user
from tests.features.comparisons.company import Company, make_company

from etm_graph.core.access import Grant, Role
from etm_graph.db.sessions import Database
from etm_graph.features.crm.tables import account
from etm_graph.graphql.ids import encode_id


@pytest.fixture
async def company(database: Database) -> Company:
    made = await make_company(database)
    await make_user(database, "west", grants=(Grant(Role.PLANNER, None, "/World/West/"),))
    await make_user(database, "auditor", Role.AUDITOR)
    async with database.write() as session:
        where = account.c.id == made.accounts["CA"]
        await session.execute(update(account).where(where).values(name='=HYPERLINK("x"), "CA"'))
    return made


@pytest.fixture
async def http(company: Company, database_url: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serving(database_url, tmp_path) as server,
        httpx.AsyncClient(base_url=server.url.removesuffix("/graphql"), timeout=60) as client,
    ):
        yield client


async def test_every_part_of_a_comparison_is_a_table(company: Company, http: httpx.AsyncClient) -> None:
    sides = {"base": encode_id("TerritoryModel", company.active), "other": encode_id("TerritoryModel", company.draft)}

    async def get(who: str | None, **given: str) -> httpx.Response:
        headers = {} if who is None else {"authorization": f"Bearer {token(who)}"}
        return await http.get("/download/comparison", params={**sides, **given}, headers=headers)

    async def table(who: str = "planner", **given: str) -> list[list[str]]:
        answer = await get(who, **given)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        return list(csv.reader(StringIO(answer.text)))

    ids = {name: encode_id("Account", key) for name, key in company.accounts.items()}
    assert await table(part="accounts") == [
        ["id", "name", "difference", "before", "after", "revenue"],
        [ids["CA"], '\'=HYPERLINK("x"), "CA"', "MOVED", "West", "East", "100.0"],
        [ids["NY"], "NY", "LOST", "East", "", "200.0"],
        [ids["TX"], "TX", "GAINED", "", "West", "400.0"],
    ]
    assert [row[1:] for row in await table("west", part="accounts")][1:] == [
        ['\'=HYPERLINK("x"), "CA"', "LOST", "West", "", "100.0"],
        ["TX", "GAINED", "", "West", "400.0"],
    ]
    assert [row[2:] for row in await table(part="opportunities")] == [
        ["before", "after", "open", "amount"],
        ["West", "East", "True", "10.0"],
        ["East", "", "True", "20.0"],
        ["", "West", "True", "40.0"],
    ]
    by_place = await table(part="territories")
    assert by_place[0][:8] == ["territory", "path", *(f"accounts_{way}" for way in ("before", "after", "gained", "lost")),
                               "revenue_before", "revenue_after"]  # fmt: skip
    assert [row[0] for row in by_place[1:]] == ["East", "West"]
    assert by_place[2][1:8] == ["/World/West/", "1", "1", "1", "1", "100.0", "400.0"]
    assert [row[0] for row in await table(part="users")] == ["user", "ann", "bob"]
    structure = await table(part="structure")
    assert [row[:4] for row in structure] == [
        ["type", "key", "difference", "field"],
        ["RULE", "East", "CHANGED", "criteria"],
        ["RULE", "West", "CHANGED", "criteria"],
        ["EXCLUSION", f"East/{company.accounts['NY']}", "ADDED", "note"],
    ]
    only = await table(part="accounts", accountId=ids["NY"], otherSequence="3", baseSequence="2")
    assert [row[1:5] for row in only[1:]] == [
        ["NY", "GAINED", "", "East"]
    ]  # change 2 of the active made the world only

    refused = {
        "nobody": (await get(None)).status_code,
        "no right to export a draft": (await get("auditor")).status_code,
        "no such part": (await get("planner", part="x")).status_code,
        "no such model": (await get("planner", base=encode_id("TerritoryModel", 99))).status_code,
        "no number": (await get("planner", baseSequence="x")).status_code,
        "no such download": (await http.get("/download/other")).status_code,
        "post": (await http.post("/download/comparison")).status_code,
    }
    assert list(refused.values()) == [401, 403, 400, 404, 400, 404, 405]
    assert (await get("auditor")).json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
