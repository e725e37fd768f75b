"""Writing rules through GraphQL: broken ones are refused with a code that points at what is wrong."""

from dataclasses import dataclass
from typing import Any

import pytest
from tests.factories.office import Office, open_office
from tests.factories.world import make_account, make_model, make_territory, make_type

from etm_graph.db.sessions import Database
from etm_graph.graphql.ids import encode_id

CREATE = """mutation($m: ID!, $c: [RuleCriterionInput!]!, $l: String, $n: String! = "Rule") {
  assignmentRuleCreate(input: {modelId: $m, developerName: $n, name: "A rule", criteria: $c, filterLogic: $l}) {
    rule { id version filterLogic criteria { number field operator values } } change { sequence }
    userErrors { code message field } } }"""
UPDATE = """mutation($id: ID!, $v: BigInt!, $l: String) {
  assignmentRuleUpdate(input: {id: $id, expectedVersion: $v, filterLogic: $l}) {
    rule { filterLogic version } userErrors { code message field } } }"""
LINK = """mutation($r: ID!, $t: ID!, $d: Boolean! = false) {
  assignmentRuleLink(input: {ruleId: $r, territoryId: $t, appliesToDescendants: $d}) {
    rule { id } userErrors { code } } }"""
TAKEN = """query($m: ID!) { territoryModel(id: $m) { territories(orderBy: TREE) { nodes { developerName
  assignments { nodes { account { name } rules { developerName } } } } } } }"""


def criterion(number: int, field: str, operator: str, *values: str) -> dict[str, Any]:
    return {"number": number, "field": field, "operator": operator, "values": list(values)}


INDUSTRY = criterion(1, "industry", "EQUALS", "Agriculture")
PROSPECT = criterion(1, "type", "EQUALS", "Prospect")


@dataclass(frozen=True)
class Draft:
    """A draft with World and West below it."""

    office: Office
    model_id: str
    world: str
    west: str

    async def change_count(self) -> int:
        query = "query($m: ID!) { territoryModel(id: $m) { head } }"
        return int((await self.office.get(self.office.planner, query, m=self.model_id))["head"])

    async def error(self, criteria: list[dict[str, Any]], logic: str | None = None) -> dict[str, Any]:
        """The refusal of a rule, after which nothing was written."""
        before = await self.change_count()
        payload = await self.office.get(self.office.planner, CREATE, m=self.model_id, c=criteria, l=logic)
        (error,) = payload["userErrors"]
        assert await self.change_count() == before
        return dict(error)

    async def rule(self, name: str, *criteria: dict[str, Any], logic: str | None = None) -> dict[str, Any]:
        payload = await self.office.do(self.office.planner, CREATE, m=self.model_id, n=name, c=list(criteria), l=logic)
        return dict(payload["rule"])

    async def taken(self) -> dict[str, list[str]]:
        model = await self.office.get(self.office.planner, TAKEN, m=self.model_id)
        return {
            node["developerName"]: sorted(row["account"]["name"] for row in node["assignments"]["nodes"])
            for node in model["territories"]["nodes"]
        }


@pytest.fixture
async def draft(database: Database) -> Draft:
    office = await open_office(database)
    type_id = await make_type(office.world, office.admin)
    model_id = await make_model(office.world, office.planner)
    world = await make_territory(office.world, office.planner, model_id, type_id, "World")
    west = await make_territory(office.world, office.planner, model_id, type_id, "West", world)
    return Draft(
        office, encode_id("TerritoryModel", model_id), encode_id("Territory", world), encode_id("Territory", west)
    )


@pytest.mark.parametrize(
    ("logic", "position"),
    [("(1 AND 2", 9), ("1 AND", 6), ("1 & 2", 3), ("1 AND 3", 7), ("1 OR OR 2", 6)],
)
async def test_broken_filter_logic_points_at_the_character(draft: Draft, logic: str, position: int) -> None:
    error = await draft.error([INDUSTRY, {**PROSPECT, "number": 2}], logic)
    assert (error["code"], error["field"]) == ("BAD_FILTER_LOGIC", ["filterLogic"])
    assert str(position) in error["message"]


async def test_filter_logic_uses_every_criterion(draft: Draft) -> None:
    assert (await draft.error([INDUSTRY, {**PROSPECT, "number": 2}], "1"))["code"] == "BAD_FILTER_LOGIC"


@pytest.mark.parametrize(
    "criteria",
    [
        [],
        [criterion(1, "shoe_size", "EQUALS", "42")],
        [criterion(1, "custom.Nowhere", "EQUALS", "x")],
        [criterion(1, "annual_revenue", "GREATER", "a lot")],
        [criterion(1, "annual_revenue", "GREATER", "1", "2")],
        [criterion(1, "annual_revenue", "STARTS_WITH", "1")],
        [criterion(1, "industry", "EQUALS")],
        [criterion(2, "industry", "EQUALS", "x")],
        [INDUSTRY, INDUSTRY],
    ],
    ids=[
        "none",
        "unknown",
        "no custom field",
        "no number",
        "list in order",
        "wrong operator",
        "no value",
        "gap",
        "twice",
    ],
)
async def test_impossible_criteria_are_refused(draft: Draft, criteria: list[dict[str, Any]]) -> None:
    error = await draft.error(criteria)
    assert error["code"] == "INVALID"
    assert error["field"][0] == "criteria"


async def test_an_update_cannot_break_a_rule(draft: Draft) -> None:
    rule = await draft.rule("Both", INDUSTRY, {**PROSPECT, "number": 2}, logic="1 OR 2")
    code = await draft.office.refused(draft.office.planner, UPDATE, id=rule["id"], v=rule["version"], l="1 OR 7")
    assert code == "BAD_FILTER_LOGIC"
    query = "query($id: ID!) { assignmentRule(id: $id) { filterLogic version } }"
    stored = await draft.office.get(draft.office.planner, query, id=rule["id"])
    assert stored == {"filterLogic": "1 OR 2", "version": rule["version"]}


async def test_parent_and_child_rules_share_accounts_as_the_domain_says(draft: Draft) -> None:
    database = draft.office.world.database
    await make_account(database, "Farm", industry="Agriculture", type="Customer")
    await make_account(database, "Prospect", industry="Mining", type="Prospect")
    await make_account(database, "Both", industry="agriculture", type="prospect")
    parent = await draft.rule("Agriculture", INDUSTRY)
    child = await draft.rule("Prospects", PROSPECT)
    await draft.office.do(draft.office.planner, LINK, r=parent["id"], t=draft.world, d=True)
    await draft.office.do(draft.office.planner, LINK, r=child["id"], t=draft.west)
    assert await draft.taken() == {"World": ["Farm"], "West": ["Both"]}


async def test_a_rule_is_linked_within_its_model_only(draft: Draft) -> None:
    office = draft.office
    other = await make_model(office.world, office.planner, "Other")
    foreign = await make_territory(
        office.world, office.planner, other, await make_type(office.world, office.admin, "Other", 99), "Foreign"
    )
    rule = await draft.rule("Agriculture", INDUSTRY)
    code = await office.refused(office.planner, LINK, r=rule["id"], t=encode_id("Territory", foreign))
    assert code == "NOT_FOUND"


async def test_viewers_neither_see_nor_write_rules_of_drafts(draft: Draft) -> None:
    rule = await draft.rule("Agriculture", INDUSTRY)
    office = draft.office
    assert (
        await office.get(office.viewer, "query($id: ID!) { assignmentRule(id: $id) { name } }", id=rule["id"]) is None
    )
    assert await office.refused(office.viewer, UPDATE, id=rule["id"], v=rule["version"], l=None) == "NOT_FOUND"
