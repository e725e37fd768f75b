"""Why is this account here: through GraphQL, for drafts, the active model, and what people decided."""

from typing import Any

import pytest
from sqlalchemy import select, update
from tests.factories.world import make_user, make_world
from tests.features.comparisons.company import Company, make_company

from etm_graph.core.access import Grant, Role
from etm_graph.core.criteria import Criterion, Operator
from etm_graph.core.lifecycle import ModelState
from etm_graph.db.sessions import Database
from etm_graph.features.alignment import service as alignment
from etm_graph.features.alignment.service.explaining import explain_assignment
from etm_graph.features.alignment.tables import opportunity_alignment
from etm_graph.features.crm import service as crm
from etm_graph.features.crm.tables import account, opportunity
from etm_graph.features.models.tables import territory_model
from etm_graph.features.rules import service as rules
from etm_graph.features.territories import service as territories
from etm_graph.features.territories.queries import all_nodes
from etm_graph.graphql.ids import encode_id

PAIR = """query($a: ID!, $t: ID!) { explainAssignment(accountId: $a, territoryId: $t) {
  isAssigned manual byRule reason text rulesMatch hasRules isExcluded exclusionNote isFrozen takenBy { developerName }
  account { name } territory { developerName }
  rules { isInherited matches rule { developerName filterLogic }
    criteria { number field operator values value matches } } } }"""
DEAL = """query($o: ID!, $m: ID) { explainOpportunityTerritory(opportunityId: $o, modelId: $m) {
  cause reason hiddenCandidateCount territory { developerName } opportunity { name }
  candidates { typePriority depth standing territory { developerName } } } }"""


@pytest.fixture
async def company(database: Database) -> Company:
    return await make_company(database)


async def explain(company: Company, name: str, place: str, model: int | None = None, **given: Any) -> Any:
    key = company.keys[model or company.draft, place]
    return await company.get(
        PAIR, a=encode_id("Account", company.accounts[name]), t=encode_id("Territory", key), **given
    )


async def deal(company: Company, name: str, model: int | None = None, **given: Any) -> Any:
    wanted = None if model is None else encode_id("TerritoryModel", model)
    return await company.get(DEAL, o=encode_id("Opportunity", company.deals[name]), m=wanted, **given)


async def test_every_criterion_is_told_with_the_accounts_value(company: Company) -> None:
    found = await explain(company, "CA", "East")
    assert (found["isAssigned"], found["byRule"], found["manual"], found["reason"]) == (True, True, False, "BY_RULE")
    assert found["rules"] == [
        {
            "isInherited": False,
            "matches": True,
            "rule": {"developerName": "East", "filterLogic": None},
            "criteria": [
                {
                    "number": 1,
                    "field": "billing_state",
                    "operator": "EQUALS",
                    "values": ["ny", "ca"],
                    "value": "CA",
                    "matches": True,
                }
            ],
        }
    ]
    assert (found["account"], found["territory"]) == ({"name": "CA"}, {"developerName": "East"})


async def test_no_match_no_rules_exclusion_and_hand_are_told_apart(company: Company) -> None:
    async with company.world.writer.unit_of_work(company.planner) as work:
        engine = company.world.engine
        await alignment.assign_account(work, engine, company.keys[company.draft, "West"], company.accounts["NY"])
        await alignment.assign_account(work, engine, company.keys[company.draft, "West"], company.accounts["TX"])
    reasons = {
        (name, place): (await explain(company, name, place))["reason"]
        for name in ("CA", "NY", "TX")
        for place in ("World", "West", "East")
    }
    assert reasons == {
        ("CA", "World"): "NO_RULES",
        ("CA", "West"): "NO_MATCH",
        ("CA", "East"): "BY_RULE",
        ("NY", "World"): "NO_RULES",
        ("NY", "West"): "BY_HAND",
        ("NY", "East"): "EXCLUDED",
        ("TX", "World"): "NO_RULES",
        ("TX", "West"): "BY_HAND_AND_RULE",
        ("TX", "East"): "NO_MATCH",
    }
    excluded = await explain(company, "NY", "East")
    assert (excluded["isExcluded"], excluded["exclusionNote"], excluded["rulesMatch"]) == (True, None, True)


async def test_the_descendant_that_takes_it_is_named_and_inherited_rules_are_told(company: Company) -> None:
    async with company.world.writer.unit_of_work(company.planner) as work:
        criteria = (Criterion(1, "annual_revenue", Operator.GREATER, ("50",)),)
        rule = await rules.create_rule(work, company.draft, "Big", "Big", criteria)
        await rules.link_rule(work, rule, company.keys[company.draft, "World"], applies_to_descendants=True)
    above = await explain(company, "CA", "World")
    assert (above["reason"], above["isAssigned"], above["takenBy"]) == (
        "TAKEN_BELOW",
        False,
        [{"developerName": "East"}],
    )
    below = await explain(company, "CA", "East")
    assert [(rule["isInherited"], rule["rule"]["developerName"]) for rule in below["rules"]] == [
        (False, "East"),
        (True, "Big"),
    ]
    assert below["rules"][1]["criteria"][0]["value"] == "100"
    auditor = await make_user(company.world.database, "auditor", Role.AUDITOR)
    hidden = await explain(company, "CA", "East", who=auditor)
    assert (hidden["rules"][1]["criteria"][0]["value"], hidden["rules"][1]["criteria"][0]["matches"]) == (None, True)


async def test_a_frozen_account_is_where_the_active_model_has_it(company: Company) -> None:
    async with company.world.database.write() as session:
        await session.execute(
            update(account).where(account.c.id == company.accounts["CA"]).values(excluded_from_realignment=True)
        )
    west, east = await explain(company, "CA", "West"), await explain(company, "CA", "East")
    assert (west["reason"], west["isAssigned"], west["isFrozen"]) == ("FROZEN_IN", True, True)
    assert (east["reason"], east["isAssigned"], east["rulesMatch"]) == ("FROZEN_OUT", False, True)


async def test_an_archived_model_is_as_it_was_left(company: Company) -> None:
    async with company.world.database.write() as session:
        where = territory_model.c.id == company.active
        await session.execute(update(territory_model).where(where).values(state="ARCHIVED"))
        await session.execute(
            update(account).where(account.c.id == company.accounts["CA"]).values(billing_state="WA", version=99)
        )
    found = await explain(company, "CA", "West", company.active)
    assert (found["reason"], found["isAssigned"], found["rulesMatch"]) == ("AS_STORED", True, False)


async def test_explanations_of_all_pairs_agree_with_the_engine(company: Company) -> None:
    async with company.world.writer.unit_of_work(company.planner) as work:
        criteria = (Criterion(1, "annual_revenue", Operator.GREATER, ("150",)),)
        rule = await rules.create_rule(work, company.draft, "Big", "Big", criteria)
        await rules.link_rule(work, rule, company.keys[company.draft, "World"], applies_to_descendants=False)
        inner = await territories.create_territory(
            work, company.draft, company.keys[company.draft, "West"], "Inner", "Inner", 1, {"inherit_only": True}
        )
        assert inner
        await alignment.assign_account(
            work, company.world.engine, company.keys[company.draft, "East"], company.accounts["TX"]
        )
    chief = await make_user(company.world.database, "chief", Role.ADMIN)
    async with company.world.writer.unit_of_work(chief) as work:
        await crm.update_account(work, company.accounts["NY"], 0, {"excluded_from_realignment": True})
    async with company.world.database.read() as session:
        models = await session.rows(select(territory_model).order_by(territory_model.c.id))
        told, found = set(), set()
        engine = make_world(company.world.database).engine  # which has not seen the account before it was frozen
        for model in models:
            pairs = (await engine.assignments(session, model.id, ModelState(model.state))).pairs
            found |= {(row[0], row[1], row[2], row[3]) for row in pairs.iter_rows()}
            for node in await all_nodes(session, model.id):
                for account_id in company.accounts.values():
                    pair = (await explain_assignment(session, engine, node.id, model, account_id)).pair
                    if pair.assigned:
                        told.add((account_id, node.id, pair.manual, pair.by_rule))
    assert told == found
    assert len(told) == 6


async def test_who_may_not_read_the_territory_or_the_rules_is_not_told(company: Company) -> None:
    west = await make_user(company.world.database, "west", grants=(Grant(Role.PLANNER, None, "/World/West/"),))
    query = {"a": encode_id("Account", company.accounts["CA"])}
    refused = await company.ask(PAIR, west, **query, t=encode_id("Territory", company.keys[company.draft, "East"]))
    assert refused["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    own = await explain(company, "TX", "West", who=west)
    assert (own["reason"], own["rules"][0]["rule"], own["rules"][0]["criteria"]) == ("BY_RULE", None, None)
    rep = await make_user(company.world.database, "rep", Role.REP)
    refused = await company.ask(PAIR, rep, **query, t=encode_id("Territory", company.keys[company.draft, "East"]))
    assert refused["errors"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_an_opportunity_is_explained_by_its_candidates(company: Company) -> None:
    async with company.world.writer.unit_of_work(company.planner) as work:
        for place in ("World", "West"):
            key = company.keys[company.draft, place]
            await alignment.assign_account(work, company.world.engine, key, company.accounts["CA"])
    found = await deal(company, "CA", company.draft)
    assert (found["cause"], found["reason"], found["territory"]) == ("POLICY", "TIE", None)
    assert [(one["territory"]["developerName"], one["standing"]) for one in found["candidates"]] == [
        ("East", "TIED"),
        ("West", "TIED"),
        ("World", "LESS_DEEP"),
    ]
    west = await make_user(company.world.database, "west", grants=(Grant(Role.PLANNER, None, "/World/West/"),))
    seen = await deal(company, "CA", company.draft, who=west)
    assert ([one["standing"] for one in seen["candidates"]], seen["hiddenCandidateCount"]) == (["TIED"], 2)


async def test_in_the_active_model_what_is_stored_counts(company: Company) -> None:
    found = await deal(company, "CA")
    assert (found["cause"], found["reason"], found["territory"]) == (
        "POLICY",
        "ONLY_TERRITORY",
        {"developerName": "West"},
    )
    assert (await deal(company, "TX"))["reason"] == "NO_TERRITORY"
    async with company.world.database.write() as session:
        where = opportunity_alignment.c.opportunity_id == company.deals["CA"]
        await session.execute(update(opportunity_alignment).where(where).values(cause="MANUAL"))
        where = opportunity.c.id == company.deals["NY"]
        await session.execute(update(opportunity).where(where).values(excluded_from_territory_assignment=True))
        where = opportunity_alignment.c.opportunity_id == company.deals["NY"]
        await session.execute(opportunity_alignment.delete().where(where))
    kept = await deal(company, "CA", company.draft)
    assert (kept["cause"], kept["territory"]) == ("MANUAL", {"developerName": "West"})
    assert [one["territory"]["developerName"] for one in kept["candidates"]] == ["East"]
    excluded = await deal(company, "NY", company.draft)
    assert (excluded["cause"], excluded["reason"], excluded["territory"]) == ("KEPT", "EXCLUDED", None)
