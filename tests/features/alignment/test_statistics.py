"""Rule statistics through GraphQL: hits, what does nothing, overlaps of siblings, what nothing takes."""

from typing import Any

import pytest
from tests.factories.world import make_account, make_user
from tests.features.comparisons.company import Company, make_company, states

from etm_graph.core.access import Grant, Role
from etm_graph.db.sessions import Database
from etm_graph.features.rules import service as rules
from etm_graph.features.territories import service as territories
from etm_graph.graphql.ids import encode_id

STATISTICS = """query($m: ID!, $n: Int, $a: String) { territoryModel(id: $m) { ruleStatistics(first: $n, after: $a) {
  totalCount pageInfo { hasNextPage endCursor }
  nodes { developerName hitCount assignedCount territoryCount rule { name } } } } }"""
FINDINGS = """query($m: ID!, $k: [FindingKind!], $n: Int, $a: String) { territoryModel(id: $m) {
  ruleFindings(kinds: $k, first: $n, after: $a) { totalCount pageInfo { hasNextPage endCursor }
    nodes { kind accountCount suggestion rule { developerName } territories { developerName } } } } }"""
UNASSIGNED = """query($m: ID!, $by: UnassignedBy! = STATE, $n: Int, $a: String) { territoryModel(id: $m) {
  unassignedAccounts(by: $by, first: $n, after: $a) { totalCount pageInfo { endCursor } nodes { value accountCount } } } }"""


@pytest.fixture
async def company(database: Database) -> Company:
    """With rules that do nothing: Dead matches nothing, Loose works nowhere, Shadow repeats what West has below the world."""
    made = await make_company(database)
    async with made.world.writer.unit_of_work(made.planner) as work:
        world = made.keys[made.draft, "World"]
        await territories.update_territory(work, world, 0, {"rule_combination": "ANY"})
        for name, values in (("Dead", ("ZZ",)), ("Loose", ("CA",)), ("Shadow", ("TX",))):
            rule = await rules.create_rule(work, made.draft, name, name, states(*values))
            if name != "Loose":
                await rules.link_rule(work, rule, world, applies_to_descendants=False)
    for number, (state, industry) in enumerate((("WA", "51"), ("WA", "52"), (None, "51"))):
        await make_account(database, f"Lone {number}", billing_state=state, industry=industry)
    return made


async def ask(company: Company, query: str, who: Any = None, **given: Any) -> Any:
    found = await company.get(query, who, m=encode_id("TerritoryModel", company.draft), **given)
    (value,) = found.values()
    return value


async def test_every_rule_tells_what_it_matches_and_what_it_causes(company: Company) -> None:
    found = await ask(company, STATISTICS)
    assert [tuple(node.values())[:4] for node in found["nodes"]] == [
        ("Dead", 0, 0, 1),
        ("East", 2, 1, 1),
        ("Loose", 1, 0, 0),
        ("Shadow", 1, 0, 1),
        ("West", 1, 1, 1),
    ]
    assert found["nodes"][1]["rule"] == {"name": "East"}
    page = await ask(company, STATISTICS, n=2)
    assert (page["totalCount"], page["pageInfo"]["hasNextPage"]) == (5, True)
    rest = await ask(company, STATISTICS, n=2, a=page["pageInfo"]["endCursor"])
    assert [node["developerName"] for node in rest["nodes"]] == ["Loose", "Shadow"]


async def test_findings_name_what_does_nothing_with_a_suggestion(company: Company) -> None:
    found = await ask(company, FINDINGS)
    assert [(node["kind"], node["rule"], node["accountCount"]) for node in found["nodes"]] == [
        ("DEAD_RULE", {"developerName": "Dead"}, 0),
        ("SHADOWED_RULE", {"developerName": "Shadow"}, 1),
        ("UNLINKED_RULE", {"developerName": "Loose"}, 1),
        ("UNASSIGNED_ACCOUNTS", None, 4),
    ]
    assert found["nodes"][1]["suggestion"].startswith(
        "Changes nothing: all that it matches is taken by territories below"
    )
    assert found["nodes"][3]["suggestion"].startswith("4 of 6 accounts are in no territory.")
    only = await ask(company, FINDINGS, k=["DEAD_RULE", "UNLINKED_RULE"], n=1)
    assert (only["totalCount"], only["pageInfo"]["hasNextPage"]) == (2, True)
    rest = await ask(company, FINDINGS, k=["DEAD_RULE", "UNLINKED_RULE"], a=only["pageInfo"]["endCursor"])
    assert [node["kind"] for node in rest["nodes"]] == ["UNLINKED_RULE"]


async def test_siblings_that_share_accounts_overlap(company: Company) -> None:
    await company.set_rule("West", "TX", "CA")
    (found,) = (await ask(company, FINDINGS, k=["SIBLING_OVERLAP"]))["nodes"]
    assert (found["accountCount"], {node["developerName"] for node in found["territories"]}) == (1, {"East", "West"})
    assert found["suggestion"].endswith("share 1 accounts. Narrow one's rules, or exclude accounts from one.")


async def test_accounts_that_nothing_takes_are_counted_by_state_and_industry(company: Company) -> None:
    by_state = await ask(company, UNASSIGNED)
    assert by_state["nodes"] == [
        {"value": "", "accountCount": 1},
        {"value": "NY", "accountCount": 1},
        {"value": "WA", "accountCount": 2},
    ]
    by_industry = await ask(company, UNASSIGNED, by="INDUSTRY")
    assert by_industry["nodes"] == [
        {"value": "", "accountCount": 1},
        {"value": "51", "accountCount": 2},
        {"value": "52", "accountCount": 1},
    ]
    page = await ask(company, UNASSIGNED, n=1)
    rest = await ask(company, UNASSIGNED, n=1, a=page["pageInfo"]["endCursor"])
    assert (page["totalCount"], rest["nodes"][0]["value"]) == (3, "NY")


async def test_statistics_are_for_those_who_may_read_the_whole_model(company: Company) -> None:
    west = await make_user(company.world.database, "west", grants=(Grant(Role.PLANNER, None, "/World/West/"),))
    for query in (STATISTICS, FINDINGS, UNASSIGNED):
        assert await ask(company, query, west) is None
    auditor = await make_user(company.world.database, "auditor", Role.AUDITOR)
    assert (await ask(company, STATISTICS, auditor))["totalCount"] == 5
    again = await ask(company, FINDINGS, company.planner, k=["DEAD_RULE"])
    await company.set_rule("West", "ZZ")
    later = await ask(company, FINDINGS, k=["DEAD_RULE"])
    assert (again["totalCount"], later["totalCount"]) == (1, 2)
