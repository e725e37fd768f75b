"""Comparisons through GraphQL: pages, filters, errors, and in how many statements."""

from dataclasses import dataclass
from typing import Any

import pytest
from tests.factories.world import (
    ACCESS,
    World,
    make_account,
    make_model,
    make_territory,
    make_type,
    make_user,
    make_world,
)

from etm_graph.api import make_schema
from etm_graph.core.access import Role
from etm_graph.db.sessions import Database
from etm_graph.events.feed import Feed
from etm_graph.features.alignment.service import Engine, assign_account
from etm_graph.features.scenarios.service import clone_model
from etm_graph.features.territories import service as territories
from etm_graph.features.territories.queries import ids_by_name
from etm_graph.graphql.context import Context, Services
from etm_graph.graphql.execution import Executor, Operation
from etm_graph.graphql.ids import encode_id
from etm_graph.identity.principal import Principal
from etm_graph.settings import Settings

SETTINGS = Settings()
EXECUTOR = Executor(make_schema(SETTINGS), SETTINGS)

STRUCTURE = """query($b: ComparandInput!, $o: ComparandInput!, $f: DifferenceFilterInput, $n: Int, $a: String) {
  compare(base: $b, other: $o) {
    base { sequence isPast model { developerName } } other { model { developerName } }
    structureCounts { entityType added removed moved renamed changed }
    structure(filter: $f, first: $n, after: $a) {
      totalCount pageInfo { hasNextPage hasPreviousPage endCursor }
      nodes { entityType key kinds fields { field before after } baseTerritory { path } otherTerritory { path } } } } }"""
KEYS = """query($b: ComparandInput!, $o: ComparandInput!, $f: DifferenceFilterInput, $n: Int, $a: String, $l: Int, $e: String) {
  compare(base: $b, other: $o) { structure(filter: $f, first: $n, after: $a, last: $l, before: $e) {
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } nodes { key } } } }"""


@dataclass
class Pair:
    """A model World > (DE, FR), and a clone of it in which DE is below FR and renamed, and an account assigned."""

    world: World
    planner: Principal
    services: Services
    origin: int
    copied: int
    account_id: int
    keys: dict[tuple[int, str], int]

    @property
    def sides(self) -> dict[str, Any]:
        ids = {"b": self.origin, "o": self.copied}
        return {name: {"modelId": encode_id("TerritoryModel", key)} for name, key in ids.items()}

    async def ask(self, query: str, who: Principal | None = None, **variables: Any) -> dict[str, Any]:
        context = Context(self.services, who or self.planner, "test")
        return (await EXECUTOR.run(Operation(query, {**self.sides, **variables}), context)).body()

    async def get(self, query: str, who: Principal | None = None, **variables: Any) -> Any:
        body = await self.ask(query, who, **variables)
        assert "errors" not in body, body
        return body["data"]["compare"]


@pytest.fixture
async def pair(database: Database) -> Pair:
    world = make_world(database)
    admin = await make_user(database, "admin", Role.ADMIN)
    planner = await make_user(database, "planner", Role.PLANNER)
    type_id = await make_type(world, admin)
    origin = await make_model(world, planner, "Origin")
    root = await make_territory(world, planner, origin, type_id, "World")
    for name in ("DE", "FR"):
        await make_territory(world, planner, origin, type_id, name, root)
    account_id = await make_account(database, "Acme")
    async with world.writer.unit_of_work(planner) as work:
        copied = await clone_model(work, origin, "Copy", "Copy")
    async with database.read() as session:
        keys = dict(await ids_by_name(session, {(m, name) for m in (origin, copied) for name in ("World", "DE", "FR")}))
    async with world.writer.unit_of_work(planner) as work:
        await territories.move_territory(work, keys[copied, "DE"], keys[copied, "FR"], 0)
        await territories.update_territory(work, keys[copied, "DE"], 0, {"name": "Germany", "description": "All"})
        await assign_account(work, world.engine, keys[copied, "DE"], account_id)

    async def same(principal: Principal) -> Principal:
        return principal

    extras = {Engine: world.engine}
    services = Services(SETTINGS, database, ACCESS, world.writer, Feed(database, poll_s=1), same, extras)
    return Pair(world, planner, services, origin, copied, account_id, keys)


async def test_differences_are_told_field_by_field_with_the_territory_of_each_side(pair: Pair) -> None:
    found = await pair.get(STRUCTURE)
    assert (found["base"]["model"], found["other"]["model"]) == (
        {"developerName": "Origin"},
        {"developerName": "Copy"},
    )
    counts = {"added": 0, "removed": 0, "moved": 0, "renamed": 0, "changed": 0}
    assert found["structureCounts"] == [
        {**counts, "entityType": "TERRITORY", "moved": 1, "renamed": 1, "changed": 1},
        {**counts, "entityType": "ASSIGNMENT", "added": 1},
    ]
    places = {"baseTerritory": {"path": "/World/DE/"}, "otherTerritory": {"path": "/World/FR/DE/"}}
    assert found["structure"]["nodes"] == [
        {
            "entityType": "TERRITORY",
            "key": "DE",
            "kinds": ["MOVED", "RENAMED", "CHANGED"],
            "fields": [
                {"field": "description", "before": None, "after": '"All"'},
                {"field": "name", "before": '"De"', "after": '"Germany"'},
                {"field": "parent", "before": '"World"', "after": '"FR"'},
            ],
            **places,
        },
        {"entityType": "ASSIGNMENT", "key": f"DE/{pair.account_id}", "kinds": ["ADDED"], "fields": [], **places},
    ]
    assert found["structure"]["totalCount"] == 2


async def test_pages_are_by_keyset_in_both_directions(pair: Pair) -> None:
    first = (await pair.get(KEYS, n=1))["structure"]
    assert [node["key"] for node in first["nodes"]] == ["DE"]
    assert (first["pageInfo"]["hasNextPage"], first["pageInfo"]["hasPreviousPage"]) == (True, False)
    second = (await pair.get(KEYS, n=1, a=first["pageInfo"]["endCursor"]))["structure"]
    assert [node["key"] for node in second["nodes"]] == [f"DE/{pair.account_id}"]
    assert (second["pageInfo"]["hasNextPage"], second["pageInfo"]["hasPreviousPage"]) == (False, True)
    back = (await pair.get(KEYS, l=1, e=second["pageInfo"]["startCursor"]))["structure"]
    assert back["nodes"] == first["nodes"]
    assert (back["pageInfo"]["hasNextPage"], back["pageInfo"]["hasPreviousPage"]) == (True, False)
    altered = await pair.ask(KEYS, a=first["pageInfo"]["endCursor"][:-2] + "xx")
    assert altered["errors"][0]["extensions"]["code"] == "BAD_CURSOR"


async def test_filters_take_ids_of_either_model(pair: Pair) -> None:
    for model in (pair.origin, pair.copied):
        inside = encode_id("Territory", pair.keys[model, "FR"])
        found = await pair.get(KEYS, f={"territoryId": inside, "kinds": ["MOVED", "ADDED"]})
        assert [node["key"] for node in found["structure"]["nodes"]] == ["DE", f"DE/{pair.account_id}"]
    account = encode_id("Account", pair.account_id)
    found = await pair.get(KEYS, f={"accountId": account, "entityTypes": ["ASSIGNMENT"]})
    assert [node["key"] for node in found["structure"]["nodes"]] == [f"DE/{pair.account_id}"]
    user = encode_id("User", pair.planner.user_id)
    assert (await pair.get(KEYS, f={"userId": user}))["structure"]["nodes"] == []
    for name, kind in (("territoryId", "Territory"), ("userId", "User")):
        missing = await pair.ask(KEYS, f={name: encode_id(kind, 999)})
        assert missing["errors"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_an_earlier_sequence_of_the_draft_itself_is_a_base(pair: Pair) -> None:
    base = {"modelId": encode_id("TerritoryModel", pair.copied), "sequence": 2}
    found = await pair.get(STRUCTURE, b=base)
    assert found["base"] == {"sequence": 2, "isPast": True, "model": {"developerName": "Copy"}}
    assert [(node["key"], node["kinds"]) for node in found["structure"]["nodes"]] == [
        ("DE", ["RENAMED", "CHANGED"]),
        (f"DE/{pair.account_id}", ["ADDED"]),
    ]
    refused = await pair.ask(STRUCTURE, b={**base, "sequence": 99})
    assert refused["errors"][0]["extensions"]["code"] == "INVALID"


async def test_those_who_may_not_read_a_model_are_told_that_there_is_none(pair: Pair) -> None:
    rep = await make_user(pair.world.database, "rep", Role.REP)
    refused = await pair.ask(STRUCTURE, rep)
    assert (refused["data"], refused["errors"][0]["extensions"]["code"]) == (None, "NOT_FOUND")


async def test_a_comparison_costs_the_same_statements_however_much_differs(pair: Pair) -> None:
    statements: list[str] = []
    pair.world.database.on_statement(statements.append)
    await pair.get(KEYS)
    alone = len(statements)
    # models, heads, territories, members, type names, rules, links, decisions, priorities
    assert alone == 9, statements
    statements.clear()
    await pair.get(STRUCTURE)
    # and the models of both sides at once, and of each side ids by name and territories
    assert len(statements) == 14
