"""Balance through GraphQL against plain Python; moves into a draft."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any

import pytest
from tests.factories.world import make_user
from tests.features.reports.company import PATHS, Company, make_company

from etm_graph.core.access import Role
from etm_graph.db.sessions import Database
from etm_graph.graphql.ids import encode_id

MEASURES = "count maxDeviation variation gini maxMin within10 within15 within20"
BALANCE = f"""query($m: ID, $t: ID) {{ balance(modelId: $m, territoryId: $t) {{ potential {{ {MEASURES} }}
  quota {{ gini }} byPerson {{ count }} territories {{ path accounts revenue pipeline index deviation }}
  people {{ user {{ userName }} index }} }} }}"""


def four(value: Fraction) -> str:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return str(exact.quantize(Decimal("0.0001"), ROUND_HALF_EVEN))


def plain(company: Company, names: list[str]) -> dict[str, Fraction]:
    """The even index: a third each of accounts, revenue and pipeline, relative to the mean of these territories."""
    loads: dict[str, list[Fraction]] = {}
    for name in names:
        own = [account for account in company.accounts if name in account.places]
        deals = [d for d in company.deals if company.territory(d) == name and d.category in {"PIPELINE", "COMMIT"}]
        loads[name] = [
            Fraction(len(own)),
            sum((Fraction(account.revenue) for account in own), Fraction(0)),
            sum((Fraction(deal.amount) for deal in deals), Fraction(0)),
        ]
    means = [sum(load[column] for load in loads.values()) / len(names) for column in range(3)]
    return {
        name: sum((load[column] / means[column] for column in range(3)), Fraction(0)) / 3
        for name, load in loads.items()
    }


def working(company: Company) -> list[str]:
    leaves = ["E1", "E2", "West"]
    return [n for n in PATHS if n in leaves or any(n in account.places for account in company.accounts)]


@pytest.mark.parametrize("who", ["admin", "boss"])
async def test_balance_is_what_plain_arithmetic_gives(database: Database, who: str) -> None:
    company = await make_company(database)
    caller = getattr(company, who)
    names = [name for name in working(company) if company.sees(caller, name)]
    expected = plain(company, names)
    found = await company.asking.get(caller, BALANCE)
    assert [(t["path"], t["index"]) for t in found["territories"]] == sorted(
        (PATHS[name], four(value)) for name, value in expected.items()
    )
    values = list(expected.values())
    count = len(values)
    assert found["potential"]["count"] == count
    assert found["potential"]["maxDeviation"] == four(max(abs(value - 1) for value in values))
    gini = sum((abs(a - b) for a in values for b in values), Fraction(0)) / (2 * count * count)
    assert found["potential"]["gini"] == four(gini)
    ann = expected.get("E1", Fraction(0)) + expected.get("E2", Fraction(0)) / 2
    people = {item["user"]["userName"]: item["index"] for item in found["people"]}
    assert people["ann"] == four(ann)


async def test_balance_takes_the_right_to_see_money(database: Database) -> None:
    company = await make_company(database)
    viewer = await make_user(database, "viewer", Role.VIEWER)
    assert await company.asking.code(viewer, BALANCE) == "FORBIDDEN"


SUGGEST = """query($m: ID) { balanceSuggestions(modelId: $m, most: 5) { maxDeviation account { id } source { id }
  target { id } } }"""
APPLY = """mutation($m: ID!, $v: [BalanceMoveInput!]!) { balanceApply(input: {modelId: $m, moves: $v, message: "Even"}) {
  before { maxDeviation } after { maxDeviation } change { message changeSet } userErrors { code message } } }"""


async def test_suggested_moves_go_into_a_draft_as_one_change_set_and_do_what_they_said(database: Database) -> None:
    company = await make_company(database, state="PLANNING")
    moves = await company.asking.get(company.admin, SUGGEST, m=company.model)
    assert moves
    given = [
        {"accountId": m["account"]["id"], "sourceId": m["source"]["id"], "targetId": m["target"]["id"]} for m in moves
    ]
    before = (await company.asking.get(company.admin, BALANCE, m=company.model))["potential"]
    found = await company.asking.get(company.admin, APPLY, m=company.model, v=given)
    assert found["userErrors"] == []
    assert found["before"]["maxDeviation"] == before["maxDeviation"]
    after = (await company.asking.get(company.admin, BALANCE, m=company.model))["potential"]
    assert found["after"]["maxDeviation"] == after["maxDeviation"] == moves[-1]["maxDeviation"]
    assert found["change"]["message"] == "Even"
    assert await company.asking.code(company.admin, APPLY, m=company.model, v=given) == "NOT_FOUND"
    assert await company.asking.code(company.admin, APPLY, m=company.model, v=[given[0], given[0]]) == "INVALID"


async def test_moves_into_the_active_model_are_refused(database: Database) -> None:
    company = await make_company(database)
    (move, *_) = await company.asking.get(company.admin, SUGGEST)
    given = {"accountId": move["account"]["id"], "sourceId": move["source"]["id"], "targetId": move["target"]["id"]}
    assert await company.asking.code(company.admin, APPLY, m=company.model, v=[given]) == "WRONG_STATE"


async def test_history_tells_who_was_assigned_then(database: Database) -> None:
    company = await make_company(database)
    query: Any = f"query($at: [DateTime!]!) {{ balanceHistory(moments: $at) {{ measures {{ {MEASURES} }} }} }}"
    at = [datetime(2020, 1, 1, tzinfo=UTC).isoformat(), datetime.now(UTC).isoformat()]
    before, now = await company.asking.get(company.admin, query, at=at)
    assert before["measures"]["maxDeviation"] == "0.0000"
    assert Decimal(now["measures"]["maxDeviation"]) > 0
    assert encode_id("TerritoryModel", company.model_key) == company.model
