"""From a draft with rules to an active model whose accounts and opportunities follow, as a person would do it."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.servers import Client, serving
from tests.factories.world import make_account, make_opportunity, make_user

from etm_graph.core.access import Role
from etm_graph.db.sessions import Database

TYPE = """mutation { territoryTypeCreate(input: {developerName: "Geo", name: "Geography", priority: 10}) {
  territoryType { id } userErrors { code message } } }"""
FIELD = """mutation { customFieldCreate(input: {developerName: "Segment", label: "Segment", dataType: PICKLIST,
  picklistValues: ["SMB", "ENTERPRISE"]}) { customField { id } userErrors { code message } } }"""
MODEL = """mutation { territoryModelCreate(input: {developerName: "FY27", name: "FY27"}) {
  territoryModel { id } userErrors { code message } } }"""
TERRITORY = """mutation($m: ID!, $p: ID, $t: ID!, $n: String!) {
  territoryCreate(input: {modelId: $m, parentId: $p, typeId: $t, developerName: $n, name: $n}) {
    territory { id version } userErrors { code message } } }"""
RULE = """mutation($m: ID!, $n: String!, $c: [RuleCriterionInput!]!, $l: String) {
  assignmentRuleCreate(input: {modelId: $m, developerName: $n, name: $n, criteria: $c, filterLogic: $l}) {
    rule { id } userErrors { code message field } } }"""
LINK = """mutation($r: ID!, $t: ID!) { assignmentRuleLink(input: {ruleId: $r, territoryId: $t}) {
  rule { id } userErrors { code message } } }"""
PREVIEW = """query($m: ID!) { territoryModel(id: $m) { state structureHead
  preview { accountCount assignedCount unassignedCount }
  territories { nodes { developerName sums { accountCount pipeline }
    assignments { totalCount nodes { byRule manual account { name } rules { developerName } } } } } } }"""
ACTIVATE = """mutation($m: ID!, $h: BigInt!, $a: ID, $c: Boolean!) { territoryModelActivate(
  input: {id: $m, expectedStructureHead: $h, expectedActiveModelId: $a, archiveCurrent: $c}) {
    job { id state } userErrors { code message } } }"""
FORECAST = """query($m: ID!) { territoryModel(id: $m) { forecast(periods: ["FY2026-Q3"]) {
  cells { territory { developerName } own { pipeline } rolledUp { pipeline } opportunityCount }
  unassigned { own { pipeline } } } } }"""
CLONE = """mutation($m: ID!) { territoryModelClone(input: {id: $m, developerName: "Next", name: "Next"}) {
  territoryModel { id structureHead territoryCount clonedFrom { developerName } } userErrors { code message } } }"""


async def settle(client: Client, model_id: str, state: str) -> None:
    """Wait until a model is in a state."""
    for _ in range(100):
        model = (await client.data("query($m: ID!) { territoryModel(id: $m) { state } }", m=model_id))["territoryModel"]
        if model["state"] == state:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"still {model['state']}")


def criterion(number: int, field: str, operator: str, *values: str) -> dict[str, Any]:
    return {"number": number, "field": field, "operator": operator, "values": list(values)}


async def people(database: Database) -> None:
    for role in (Role.ADMIN, Role.PLANNER, Role.VIEWER):
        await make_user(database, role.value, role)


async def structure(admin: Client, planner: Client) -> tuple[str, dict[str, str]]:
    """A draft with a root and two territories, each with a rule."""
    type_id = (await admin.do(TYPE))["territoryType"]["id"]
    await admin.do(FIELD)
    model_id = (await planner.do(MODEL))["territoryModel"]["id"]
    root = (await planner.do(TERRITORY, m=model_id, p=None, t=type_id, n="World"))["territory"]["id"]
    nodes = {"World": root}
    rules = {
        "Colorado": ([criterion(1, "billing_postal_code", "EQUALS", "80000..81999")], None),
        "Enterprise": (
            [
                criterion(1, "custom.Segment", "EQUALS", "ENTERPRISE"),
                criterion(2, "annual_revenue", "GREATER", "1000000"),
                criterion(3, "industry", "STARTS_WITH", "51"),
            ],
            "(1 AND 2) OR 3",
        ),
    }
    for name, (criteria, logic) in rules.items():
        nodes[name] = (await planner.do(TERRITORY, m=model_id, p=root, t=type_id, n=name))["territory"]["id"]
        rule = (await planner.do(RULE, m=model_id, n=f"Rule_{name}", c=criteria, l=logic))["rule"]["id"]
        await planner.do(LINK, r=rule, t=nodes[name])
    return model_id, nodes


@pytest.mark.parametrize("processes", [1, 2])
async def test_rules_preview_activation_and_what_follows(
    database: Database, database_url: str, tmp_path: Path, processes: int
) -> None:
    await people(database)
    denver = await make_account(database, "Denver Foods", billing_postal_code="80202")
    await make_account(database, "Boston Soft", billing_postal_code="02110", industry="5112")
    await make_account(database, "Nobody", billing_postal_code="10001")
    deal = await make_opportunity(database, denver, amount=5000)
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(serving(database_url, tmp_path)) for _ in range(processes)]
        admin, planner, viewer = (
            Client(servers[0], "admin"),
            Client(servers[0], "planner"),
            Client(servers[-1], "viewer"),
        )
        for client in (admin, planner, viewer):
            stack.push_async_callback(client.close)
        model_id, nodes = await structure(admin, planner)

        draft = (await planner.data(PREVIEW, m=model_id))["territoryModel"]
        assert draft["preview"] == {"accountCount": 3, "assignedCount": 2, "unassignedCount": 1}
        found = {node["developerName"]: node for node in draft["territories"]["nodes"]}
        assert found["Colorado"]["sums"] == {"accountCount": 1, "pipeline": 5000.0}
        assert found["Colorado"]["assignments"]["nodes"] == [
            {"byRule": True, "manual": False, "account": {"name": "Denver Foods"},
             "rules": [{"developerName": "Rule_Colorado"}]}
        ]  # fmt: skip
        assert found["Enterprise"]["assignments"]["nodes"][0]["account"] == {"name": "Boston Soft"}
        assert (await viewer.data(PREVIEW, m=model_id))["territoryModel"] is None

        refused = await planner.ask(ACTIVATE, m=model_id, h=draft["structureHead"], a=None, c=False)
        assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        stale = (await admin.data(ACTIVATE, m=model_id, h=1, a=None, c=False))["territoryModelActivate"]
        assert stale["userErrors"][0]["code"] == "CONFLICT"
        await admin.do(ACTIVATE, m=model_id, h=draft["structureHead"], a=None, c=False)
        again = await admin.data(ACTIVATE, m=model_id, h=draft["structureHead"], a=None, c=False)
        assert again["territoryModelActivate"]["userErrors"][0]["code"] == "WRONG_STATE"
        await settle(admin, model_id, "ACTIVE")

        active = (await viewer.data(PREVIEW, m=model_id))["territoryModel"]
        found = {node["developerName"]: node for node in active["territories"]["nodes"]}
        assert found["Colorado"]["sums"] == {"accountCount": 1, "pipeline": None}
        alignment = "query($o: ID!) { opportunity(id: $o) { alignment { reason territory { developerName } } account { id version } } }"
        from etm_graph.graphql.ids import encode_id

        opportunity = (await planner.data(alignment, o=encode_id("Opportunity", deal)))["opportunity"]
        assert opportunity["alignment"] == {"reason": "ONLY_TERRITORY", "territory": {"developerName": "Colorado"}}

        account = opportunity["account"]
        move = """mutation($a: ID!, $v: BigInt!) { accountUpdate(input: {id: $a, expectedVersion: $v,
          billingPostalCode: "02110", industry: "511"}) { account { territories { developerName } } userErrors { code message } } }"""
        moved = await admin.do(move, a=account["id"], v=account["version"])
        assert moved["account"]["territories"] == [{"developerName": "Enterprise"}]
        opportunity = (await planner.data(alignment, o=encode_id("Opportunity", deal)))["opportunity"]
        assert opportunity["alignment"]["territory"] == {"developerName": "Enterprise"}

        forecast = (await admin.data(FORECAST, m=model_id))["territoryModel"]["forecast"]
        cells = {cell["territory"]["developerName"]: cell for cell in forecast["cells"]}
        assert cells["Enterprise"]["own"] == {"pipeline": "5000.00"}
        assert (cells["World"]["own"], cells["World"]["rolledUp"]) == ({"pipeline": "0.00"}, {"pipeline": "5000.00"})

        clone = (await planner.do(CLONE, m=model_id))["territoryModel"]
        assert (clone["territoryCount"], clone["clonedFrom"]["developerName"]) == (3, "FY27")
        preview = (await planner.data(PREVIEW, m=clone["id"]))["territoryModel"]
        assert preview["preview"] == {"accountCount": 3, "assignedCount": 2, "unassignedCount": 1}
        missing = await admin.data(ACTIVATE, m=clone["id"], h=preview["structureHead"], a=None, c=True)
        assert missing["territoryModelActivate"]["userErrors"][0]["code"] == "CONFLICT"
        await admin.do(ACTIVATE, m=clone["id"], h=preview["structureHead"], a=model_id, c=True)
        await settle(admin, clone["id"], "ACTIVE")
        await settle(admin, model_id, "ARCHIVED")
