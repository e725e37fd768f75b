"""What a draft does to accounts, opportunities, money and people: through GraphQL, for whoever asks."""

from typing import Any

import pytest
from sqlalchemy import update
from tests.factories.world import make_account, make_user, make_world
from tests.features.comparisons.company import Company, make_company

from etm_graph.core.access import Grant, Role
from etm_graph.db.sessions import Database
from etm_graph.features.alignment.service import assign_account
from etm_graph.features.alignment.tables import opportunity_alignment
from etm_graph.features.comparisons.service import Impacts
from etm_graph.features.crm.tables import account, opportunity
from etm_graph.features.territories import service as territories
from etm_graph.graphql.ids import encode_id
from etm_graph.wiring import extras, make_worker

CHANGE = "{ before after gained lost }"
TOTALS = """query($b: ComparandInput!, $o: ComparandInput!, $f: ImpactFilterInput) { compare(base: $b, other: $o) {
  impact(filter: $f) { totals {
    accountsBefore accountsAfter accountsGained accountsLost accountsMoved assignmentsBefore assignmentsAfter
    territoriesChanged opportunitiesMoved revenue { gained lost moved } pipeline { before after moved } } } } }"""
PLACES = f"""query($b: ComparandInput!, $o: ComparandInput!, $f: ImpactFilterInput, $c: Boolean! = true, $n: Int, $a: String) {{
  compare(base: $b, other: $o) {{ impact(filter: $f) {{ territories(onlyChanged: $c, first: $n, after: $a) {{
    totalCount pageInfo {{ hasNextPage endCursor }}
    nodes {{ developerName path accounts {CHANGE} opportunities {CHANGE} revenue {CHANGE} pipeline {CHANGE}
      baseTerritory {{ id }} otherTerritory {{ id }} }} }} }} }} }}"""
USERS = f"""query($b: ComparandInput!, $o: ComparandInput!, $f: ImpactFilterInput) {{
  compare(base: $b, other: $o) {{ impact(filter: $f) {{ users {{
    nodes {{ userName user {{ name }} accounts {CHANGE} opportunities {CHANGE} revenue {CHANGE} pipeline {CHANGE} }} }} }} }} }}"""
ACCOUNTS = """query($b: ComparandInput!, $o: ComparandInput!, $f: ImpactFilterInput, $k: [ImpactKind!], $n: Int, $a: String) {
  compare(base: $b, other: $o) { impact(filter: $f) { accounts(kinds: $k, first: $n, after: $a) {
    totalCount pageInfo { hasNextPage endCursor }
    nodes { kind before after account { name } baseTerritories { path } otherTerritories { path } } } } } }"""
DEALS = """query($b: ComparandInput!, $o: ComparandInput!, $f: ImpactFilterInput, $x: Boolean! = false) {
  compare(base: $b, other: $o) { impact(filter: $f) { opportunities(onlyOpen: $x) { nodes {
    before after isOpen amount opportunity { account { name } } baseTerritory { path } otherTerritory { path } } } } } }"""
NULL = {"before": None, "after": None, "gained": None, "lost": None}


@pytest.fixture
async def company(database: Database) -> Company:
    return await make_company(database)


def counts(before: float, after: float, gained: float, lost: float) -> dict[str, float]:
    return {"before": before, "after": after, "gained": gained, "lost": lost}


async def places(company: Company, *given: Any, **variables: Any) -> dict[str, Any]:
    found = (await company.get(PLACES, *given, **variables))["impact"]["territories"]
    return {node["developerName"]: node for node in found["nodes"]}


async def accounts(company: Company, *given: Any, **variables: Any) -> list[tuple[str, str, str, str]]:
    found = (await company.get(ACCOUNTS, *given, **variables))["impact"]["accounts"]["nodes"]
    return [(node["account"]["name"], node["kind"], "".join(node["before"]), "".join(node["after"])) for node in found]


async def deals(company: Company, *given: Any, **variables: Any) -> list[tuple[str, str | None, str | None]]:
    found = (await company.get(DEALS, *given, **variables))["impact"]["opportunities"]["nodes"]
    return [(node["opportunity"]["account"]["name"], node["before"], node["after"]) for node in found]


async def test_totals_say_what_comes_goes_and_moves(company: Company) -> None:
    found = (await company.get(TOTALS))["impact"]["totals"]
    assert found == {
        "accountsBefore": 2,
        "accountsAfter": 2,
        "accountsGained": 1,
        "accountsLost": 1,
        "accountsMoved": 1,
        "assignmentsBefore": 2,
        "assignmentsAfter": 2,
        "territoriesChanged": 2,
        "opportunitiesMoved": 3,
        "revenue": {"gained": 400, "lost": 200, "moved": 100},
        "pipeline": {"before": 30, "after": 50, "moved": 70},
    }


async def test_territories_gain_and_lose_accounts_revenue_opportunities_and_pipeline(company: Company) -> None:
    found = await places(company)
    assert list(found) == ["East", "West"]
    assert found["West"] == {
        "developerName": "West",
        "path": "/World/West/",
        "accounts": counts(1, 1, 1, 1),
        "opportunities": counts(1, 1, 1, 1),
        "revenue": counts(100, 400, 400, 100),
        "pipeline": counts(10, 40, 40, 10),
        "baseTerritory": {"id": encode_id("Territory", company.keys[company.active, "West"])},
        "otherTerritory": {"id": encode_id("Territory", company.keys[company.draft, "West"])},
    }
    assert found["East"]["revenue"] == counts(200, 100, 100, 200)
    page = (await company.get(PLACES, n=1))["impact"]["territories"]
    assert (page["totalCount"], page["pageInfo"]["hasNextPage"]) == (2, True)
    rest = (await company.get(PLACES, n=1, a=page["pageInfo"]["endCursor"]))["impact"]["territories"]
    assert [node["developerName"] for node in rest["nodes"]] == ["West"]


async def test_accounts_are_listed_with_where_they_were_and_will_be(company: Company) -> None:
    assert await accounts(company) == [
        ("CA", "MOVED", "West", "East"),
        ("NY", "LOST", "East", ""),
        ("TX", "GAINED", "", "West"),
    ]
    assert await accounts(company, k=["LOST", "GAINED"]) == [("NY", "LOST", "East", ""), ("TX", "GAINED", "", "West")]
    first = (await company.get(ACCOUNTS, n=2))["impact"]["accounts"]
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (3, True)
    assert first["nodes"][0]["baseTerritories"] == [{"path": "/World/West/"}]
    assert first["nodes"][1]["otherTerritories"] == []
    assert [row[0] for row in await accounts(company, n=2, a=first["pageInfo"]["endCursor"])] == ["TX"]


async def test_opportunities_change_hands_with_their_accounts(company: Company) -> None:
    assert await deals(company) == [("CA", "West", "East"), ("NY", "East", None), ("TX", None, "West")]
    async with company.world.database.write() as session:
        await session.execute(
            update(opportunity)
            .where(opportunity.c.id == company.deals["TX"])
            .values(forecast_category="CLOSED", excluded_from_territory_assignment=True)
        )
    again = await make_company_again(company)
    assert await deals(again) == [("CA", "West", "East"), ("NY", "East", None)]


async def make_company_again(company: Company) -> Company:
    """The same with nothing remembered: rows were changed behind the log's back."""
    world = make_world(company.world.database)
    worker = make_worker(company.world.database, world.writer, world.engine, lease_s=10)
    company.services.extras.update(extras(world.engine, worker))
    return company


async def test_what_somebody_aligned_by_hand_stays_where_it_is(company: Company) -> None:
    async with company.world.database.write() as session:
        await session.execute(
            update(opportunity_alignment)
            .where(opportunity_alignment.c.opportunity_id == company.deals["CA"])
            .values(cause="MANUAL")
        )
    assert await deals(await make_company_again(company)) == [("NY", "East", None), ("TX", None, "West")]


async def test_users_gain_and_lose_access_by_membership(company: Company) -> None:
    found = (await company.get(USERS))["impact"]["users"]["nodes"]
    assert [(node["userName"], node["user"], node["accounts"]) for node in found] == [
        ("ann", {"name": "Ann"}, counts(1, 1, 1, 1)),
        ("bob", {"name": "Bob"}, counts(1, 1, 1, 1)),
    ]
    assert found[0]["pipeline"] == counts(10, 40, 40, 10)
    async with company.world.writer.unit_of_work(company.planner) as work:
        await territories.add_member(work, company.keys[company.draft, "East"], company.ann.user_id, {})
    both = (await company.get(USERS))["impact"]["users"]["nodes"]
    assert both[0]["accounts"] == counts(1, 2, 1, 0)  # CA moves along with her


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"territory": "West"}, [("CA", "LOST", "West", ""), ("TX", "GAINED", "", "West")]),
        ({"user": "bob"}, [("CA", "GAINED", "", "East"), ("NY", "LOST", "East", "")]),
        ({"account": "NY"}, [("NY", "LOST", "East", "")]),
        ({"territory": "West", "user": "bob"}, []),
    ],
)
async def test_impacts_are_of_a_subtree_a_user_or_an_account(
    company: Company, condition: dict[str, str], expected: list[tuple[str, str, str, str]]
) -> None:
    ids = {
        "territory": lambda name: ("territoryId", encode_id("Territory", company.keys[company.draft, name])),
        "user": lambda name: ("userId", encode_id("User", getattr(company, name).user_id)),
        "account": lambda name: ("accountId", encode_id("Account", company.accounts[name])),
    }
    wanted = dict(ids[key](name) for key, name in condition.items())
    assert await accounts(company, f=wanted) == expected
    totals = (await company.get(TOTALS, f=wanted))["impact"]["totals"]
    assert totals["accountsGained"] + totals["accountsLost"] + totals["accountsMoved"] == len(expected)
    assert [row[0] for row in await deals(company, f=wanted)] == [row[0] for row in expected]


async def test_who_may_see_a_subtree_only_is_told_of_nothing_else(company: Company) -> None:
    west = await make_user(company.world.database, "west", grants=(Grant(Role.PLANNER, None, "/World/West/"),))
    assert await accounts(company, west) == [("CA", "LOST", "West", ""), ("TX", "GAINED", "", "West")]
    assert list(await places(company, west)) == ["West"]
    assert await deals(company, west) == [("CA", "West", None), ("TX", None, "West")]
    totals = (await company.get(TOTALS, west))["impact"]["totals"]
    assert (totals["accountsBefore"], totals["accountsMoved"], totals["territoriesChanged"]) == (1, 0, 1)
    assert totals["revenue"] == {"gained": 400, "lost": 100, "moved": 0}
    users = (await company.get(USERS, west))["impact"]["users"]["nodes"]
    assert [(node["userName"], node["accounts"]) for node in users] == [("ann", counts(1, 1, 1, 1))]


async def test_amounts_are_for_those_who_may_see_money_of_both_sides(company: Company) -> None:
    auditor = await make_user(company.world.database, "auditor", Role.AUDITOR)
    found = await places(company, auditor)
    assert (found["West"]["accounts"], found["West"]["revenue"]) == (counts(1, 1, 1, 1), NULL)
    totals = (await company.get(TOTALS, auditor))["impact"]["totals"]
    assert totals["revenue"] == {"gained": None, "lost": None, "moved": None}
    assert totals["pipeline"] == {"before": None, "after": None, "moved": None}
    assert [node["amount"] for node in (await company.get(DEALS, auditor))["impact"]["opportunities"]["nodes"]] == [
        None,
        None,
        None,
    ]
    users = (await company.get(USERS, auditor))["impact"]["users"]["nodes"]
    assert (users[0]["accounts"], users[0]["revenue"]) == (counts(1, 1, 1, 1), NULL)


async def test_an_earlier_time_of_the_draft_is_evaluated_with_the_rules_that_it_had(company: Company) -> None:
    """Change 1 made the draft; 2 and 3 changed the rules, 4 excluded NY."""
    before = {"modelId": encode_id("TerritoryModel", company.draft)}
    assert await accounts(company, b={**before, "sequence": 3}) == [("NY", "LOST", "East", "")]
    assert await accounts(company, b={**before, "sequence": 1}) == await accounts(company)
    assert await accounts(company, b={**before, "sequence": 2}, o={**before, "sequence": 3}) == [
        ("CA", "GAINED", "", "East")
    ]
    assert await deals(company, b={**before, "sequence": 1}) == await deals(company)


async def test_frozen_accounts_and_those_by_hand_were_where_they_are(company: Company) -> None:
    async with company.world.database.write() as session:
        await session.execute(
            update(account).where(account.c.id == company.accounts["CA"]).values(excluded_from_realignment=True)
        )
    async with company.world.writer.unit_of_work(company.planner) as work:
        key = company.keys[company.draft, "World"]
        await assign_account(work, company.world.engine, key, company.accounts["TX"])
    again = await make_company_again(company)
    before = {"modelId": encode_id("TerritoryModel", company.draft), "sequence": 4}
    assert await accounts(again) == [("NY", "LOST", "East", ""), ("TX", "GAINED", "", "WestWorld")]
    assert await accounts(again, b=before) == [("TX", "MOVED", "West", "WestWorld")]


async def test_a_territory_that_is_new_or_gone_has_no_side(company: Company) -> None:
    async with company.world.writer.unit_of_work(company.planner) as work:
        _, row = await territories.locate(work, company.keys[company.draft, "East"])
        await territories.delete_territory(work, row.id, row.version)
    found = (await places(company))["East"]
    assert (found["otherTerritory"], found["accounts"], found["path"]) == (None, counts(1, 0, 0, 1), "/World/East/")


async def test_an_impact_is_computed_once_for_all_with_the_same_rights(company: Company) -> None:
    impacts = company.services.get(Impacts)
    await company.get(TOTALS)
    for name in ("second", "third"):
        who = await make_user(company.world.database, name, Role.PLANNER)
        await company.get(TOTALS, who)
        await company.get(ACCOUNTS, who)
    assert impacts.computed == 1
    await company.get(TOTALS, await make_user(company.world.database, "admin2", Role.ADMIN))
    assert impacts.computed == 2
    await company.set_rule("West", "CA")
    await company.get(TOTALS)
    assert impacts.computed == 3


async def test_an_impact_costs_the_same_statements_however_much_changes(company: Company) -> None:
    statements: list[str] = []
    company.world.database.on_statement(statements.append)
    found = []
    for _ in range(2):
        for name in ("A", "B", "C"):
            await make_account(company.world.database, name, billing_state="TX")
        await make_company_again(company)
        for _ in range(2):
            statements.clear()
            await company.get(ACCOUNTS)
            found.append(len(statements))
    cold, warm = found[:2]
    assert found == [cold, warm, cold, warm]
    # models, heads, eight of structures, three of the accounts' position; accounts, ids and territories of two sides
    assert warm == 18, statements
