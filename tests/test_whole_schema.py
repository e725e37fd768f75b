"""Every field and every connection of the schema on the demo company: the same answer as graphql-core's, few statements."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from graphql import execute, parse, validate
from rich.console import Console
from tests.factories.asking import Asking, make_asking
from tests.factories.world import make_user
from tests.walking import Walk

from etm_graph.api import make_schema
from etm_graph.core.access import Role
from etm_graph.db.sessions import Database
from etm_graph.demo.records import Sizes
from etm_graph.graphql.breadth import Request
from etm_graph.graphql.reading import make_engine
from etm_graph.identity.principal import Principal
from etm_graph.serving import load_demo_company
from etm_graph.settings import Settings

SCHEMA = make_schema(Settings())
IDS = """{ accounts(first: 5) { nodes { id opportunities(first: 1) { nodes { id } } } }
  activeTerritoryModel { id territories(first: 2) { nodes { id rules(first: 1) { nodes { id } } } } }
  drafts: territoryModels(states: [PLANNING], first: 1) { nodes { id
    threads(first: 1) { nodes { id } } rules(first: 1) { nodes { id } } } } }"""

COMPUTED = ("Territory.assignments", "ModelComparison.", "ComparisonImpact.")
"""Lists that are not a table's rows: what they come from takes further statements, as many for any number of items."""


@pytest.fixture
async def company(database: Database, database_url: str, tmp_path: Path) -> tuple[Asking, Principal]:
    settings = Settings(data_dir=tmp_path, dev_secret="x" * 48)
    await load_demo_company(settings, database_url, Console(quiet=True), Sizes(300, 900))
    return make_asking(database), await make_user(database, "walker", *Role)


async def walk(asking: Asking, who: Principal, page: int) -> Walk:
    body = await asking.ask(who, IDS)
    assert "errors" not in body, body
    data = body["data"]
    account, draft = (
        max(data["accounts"]["nodes"], key=lambda one: len(one["opportunities"]["nodes"])),
        data["drafts"]["nodes"][0],
    )
    active = data["activeTerritoryModel"]
    territory = active["territories"]["nodes"][1]
    return Walk(
        SCHEMA._schema,
        {
            "Query.account": f'id: "{account["id"]}"',
            "Query.assignmentRule": f'id: "{draft["rules"]["nodes"][0]["id"]}"',
            "Query.compare": f'base: {{modelId: "{active["id"]}"}}, other: {{modelId: "{draft["id"]}"}}',
            "Query.explainAssignment": f'accountId: "{account["id"]}", territoryId: "{territory["id"]}"',
            "Query.fiscalPeriods": 'start: "2026-01-01", end: "2026-12-31"',
            "Query.nodes": f'ids: ["{territory["id"]}", "{account["id"]}"]',
            "Query.opportunity": f'id: "{account["opportunities"]["nodes"][0]["id"]}"',
            "Query.thread": f'id: "{draft["threads"]["nodes"][0]["id"]}"',
        },
        {
            "ID": f'"{territory["id"]}"',
            "String": '"FY2026-Q1"',
            "Int": "1",
            "Float": "1.5",
            "BigInt": "1",
            "Boolean": "true",
            "Date": '"2026-01-01"',
            "DateTime": '"2026-01-01T00:00:00Z"',
            "Decimal": '"1.5"',
        },
        page,
    )


def said(data: Any) -> str:
    """The answer as text, in its order, without the times of day (some are that of asking)."""
    return re.sub(r"T\d\d:\d\d:\d\d\.\d+", "T", json.dumps(data, default=str))


async def test_every_field_is_answered_as_by_graphql_core_and_nothing_is_left_to_it(
    company: tuple[Asking, Principal],
) -> None:
    asking, who = company
    left: list[str] = []
    engine = make_engine(SCHEMA, fell_back=left.append, hide_suggestions=False)
    reached = set()
    for owner, text in (await walk(asking, who, 3)).whole():
        document = parse(text)
        assert validate(SCHEMA._schema, document) == [], text
        mine, theirs = asking.context(who), asking.context(who)
        theirs.now = mine.now
        found = await engine.execute(Request(document, text, context=mine))
        expected: Any = await execute(SCHEMA._schema, document, None, theirs)  # type: ignore[misc]  # it is awaitable
        await mine.release()
        await theirs.release()
        assert said(found.data) == said(expected.data), text
        assert sorted(map(str, found.errors)) == sorted(map(str, expected.errors or [])), text
        reached.add(owner)
    assert left == []
    assert len(reached) > 60


async def test_every_connection_costs_a_statement_for_its_rows_and_one_for_its_count(
    company: tuple[Asking, Principal],
) -> None:
    asking, who = company
    statements: list[str] = []
    asking.database.on_statement(statements.append)
    counted: dict[str, list[int]] = {}
    for page in (2, 9):
        for name, before, text in (await walk(asking, who, page)).connections():
            costs = []
            for one in (text, text, before):  # columnar copies, which the process keeps, are read by the first
                statements.clear()
                body = await asking.ask(who, one)
                assert "errors" not in body, body
                costs.append(len(statements))
            counted.setdefault(name, []).append(costs[1])
            if not name.startswith(COMPUTED):
                assert costs[1] - costs[2] <= 2, (name, costs)
    assert [name for name, found in counted.items() if len(set(found)) > 1] == []
