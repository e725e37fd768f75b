"""The demo company: large enough to be believed, and the same every time."""

from collections import Counter
from datetime import date
from functools import cache
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import text

from etm_graph.core.access import Role
from etm_graph.db.sessions import open_database
from etm_graph.demo.people import REPS, make_people
from etm_graph.demo.records import ACCOUNT_COLUMNS, OPPORTUNITY_COLUMNS, Sizes, make_accounts, make_opportunities
from etm_graph.demo.reference import load_industries, load_places
from etm_graph.demo.staffing import home_regions, staff
from etm_graph.demo.structure import GLOBAL, REP, TYPES, ModelSpec, make_models
from etm_graph.serving import load_demo_company
from etm_graph.settings import Settings

SEED = 7


@cache
def models() -> dict[str, ModelSpec]:
    return {spec.developer_name: spec for spec in make_models(load_places())}


@cache
def accounts() -> list[dict[str, Any]]:
    sellers = {place.prefix: 1 for place in load_places()}
    rows = make_accounts(SEED, Sizes(), load_places(), load_industries(), sellers)
    return [dict(zip(ACCOUNT_COLUMNS, row, strict=True)) for row in rows]


@cache
def opportunities() -> list[dict[str, Any]]:
    rows = make_opportunities(SEED, Sizes(), [1] * Sizes().accounts)
    return [dict(zip(OPPORTUNITY_COLUMNS, row, strict=True)) for row in rows]


def quarter(day: date) -> tuple[int, int]:
    return day.year, (day.month - 1) // 3


def test_there_are_as_many_records_as_a_real_company_has() -> None:
    assert len(accounts()) == 20_000
    assert len(opportunities()) == 60_000
    assert {row["currency"] for row in opportunities()} == {"USD", "CAD", "EUR"}
    assert len({quarter(row["close_date"]) for row in opportunities()}) == 8


def test_places_and_industries_are_real() -> None:
    known = {(place.postal_code, place.state): (place.latitude, place.longitude) for place in load_places()}
    placed = [row for row in accounts() if row["billing_postal_code"]]
    assert len(placed) > 19_000
    assert all(
        known[row["billing_postal_code"], row["billing_state"]] == (row["latitude"], row["longitude"]) for row in placed
    )
    assert {row["industry"] for row in accounts()} <= load_industries().keys()


@pytest.mark.parametrize("name", ["FY2025", "FY2026", "FY2027_plan", "FY2027_alternative"])
def test_every_structure_has_three_hundred_territories_in_five_levels(name: str) -> None:
    spec = models()[name]
    assert len(spec.territories) >= 300
    assert {node.level for node in spec.territories.values()} == set(range(GLOBAL, REP + 1))


def test_one_model_is_archived_one_is_active_and_two_drafts_differ_from_it() -> None:
    assert Counter(spec.state for spec in models().values()) == {"ARCHIVED": 1, "ACTIVE": 1, "PLANNING": 2}
    active = models()["FY2026"]
    for name in ("FY2027_plan", "FY2027_alternative"):
        assert models()[name].territories != active.territories
        assert models()[name].rules != active.rules
    assert len(TYPES) == 5


def test_every_postal_code_rule_has_accounts_to_take() -> None:
    taken = Counter(models()["FY2026"].prefixes().get((row["billing_postal_code"] or "")[:3]) for row in accounts())
    reps = [name for name, node in models()["FY2026"].territories.items() if node.level == REP]
    assert all(taken[name] > 0 for name in reps)


def test_everybody_but_the_first_has_a_manager_and_reps_sell_near_theirs() -> None:
    active = models()["FY2026"]
    people = make_people(SEED, home_regions(active, staff(active, REPS)))
    assert len(people) == 120
    assert {person.role for person in people} == set(Role)
    assert [person.index for person in people if person.manager is None] == [0]
    reps = [person for person in people if person.role is Role.REP]
    homes = home_regions(active, staff(active, REPS))
    assert [people[rep.manager or 0].path for rep in reps] == [home.path for home in homes]


def test_neighbours_share_a_rep_and_every_rep_sells_somewhere() -> None:
    staffing = list(staff(models()["FY2026"], REPS).values())
    assert staffing == sorted(staffing)
    assert set(staffing) == set(range(REPS))


def test_the_same_seed_gives_the_same_company() -> None:
    again = make_accounts(
        SEED, Sizes(50, 50), load_places(), load_industries(), {place.prefix: 1 for place in load_places()}
    )
    first = [tuple(row[name] for name in ACCOUNT_COLUMNS) for row in accounts()[:50]]
    assert list(again) == first


async def test_a_loaded_company_is_assigned_and_talks(database_url: str) -> None:
    settings = Settings()
    sizes = Sizes(400, 900)
    assert await load_demo_company(settings, database_url, Console(quiet=True), sizes)
    assert not await load_demo_company(settings, database_url, Console(quiet=True), sizes)
    database = open_database(database_url, pool=2)
    async with database.read() as session:
        counted = await session.row(
            text(
                "SELECT (SELECT count(*) FROM account), (SELECT count(*) FROM opportunity), "
                "(SELECT count(*) FROM app_user), (SELECT count(DISTINCT model_id) FROM account_assignment), "
                "(SELECT count(*) > 8 FROM comment), "
                "(SELECT count(*) FROM opportunity o WHERE EXISTS "
                "(SELECT FROM opportunity_alignment a WHERE a.opportunity_id = o.id AND a.model_id = 2))"
            )
        )
    await database.close()
    assert counted is not None
    assert tuple(counted) == (400, 900, 120, 2, True, 900)
