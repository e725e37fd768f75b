"""Runs write the difference to what rules make, and edits are followed in their own transaction."""

import random
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update
from tests.factories.world import make_account, make_user
from tests.features.comparisons.company import Company, make_company, states

from etm_graph.core.access import Role
from etm_graph.core.criteria import Criterion, Operator
from etm_graph.db.sessions import Database
from etm_graph.features.alignment import service as alignment
from etm_graph.features.alignment.queries import standing_assignments
from etm_graph.features.alignment.service import RunScope, writing
from etm_graph.features.alignment.tables import account_assignment, opportunity_alignment
from etm_graph.features.crm import service as crm
from etm_graph.features.crm.tables import account, opportunity
from etm_graph.features.models.tables import territory_model
from etm_graph.features.rules import service as rules
from etm_graph.features.territories.tables import territory
from etm_graph.identity.principal import SYSTEM

STATES = ("CA", "NY", "TX", None)


@pytest.fixture
async def company(database: Database) -> Company:
    """Its planner may edit the active model, too."""
    company = await make_company(database)
    company.planner = await make_user(database, "chief", Role.ADMIN)
    return company


async def run(company: Company, scope: RunScope | None = None, steps: list[Any] | None = None) -> int:
    async with company.world.writer.unit_of_work(SYSTEM) as work:
        told = (lambda *step: None) if steps is None else (lambda *step: steps.append(step))
        return await alignment.run_model(work, company.world.engine, company.active, scope or RunScope(), told)


async def stored(company: Company) -> set[tuple[Any, ...]]:
    async with company.world.database.read() as session:
        frame = await standing_assignments(session, company.active)
        return set(frame.drop("row_id").iter_rows())


async def derived(company: Company) -> set[tuple[Any, ...]]:
    async with company.world.database.read() as session:
        found = await company.world.engine.derive(session, company.active)
        return {(*row[:4], " ".join(map(str, row[4]))) for row in found.pairs.iter_rows()}


async def aligned(company: Company) -> dict[int, tuple[int | None, str, str]]:
    columns = opportunity_alignment.c
    async with company.world.database.read() as session:
        rows = await session.rows(select(opportunity_alignment).where(columns.model_id == company.active))
    return {row.opportunity_id: (row.territory_id, row.cause, row.reason) for row in rows}


async def set_rule_of_active(company: Company, name: str, *values: str) -> None:
    """As a draft's edit would, behind the back of runs."""
    from etm_graph.features.rules.tables import assignment_rule

    async with company.world.database.write() as session:
        listed = [{"number": 1, "field": "billing_state", "operator": "EQUALS", "values": list(values)}]
        where = assignment_rule.c.id == company.rules[company.active, name]
        row = await session.row(select(func.max(assignment_rule.c.version) + 1))
        await session.execute(update(assignment_rule).where(where).values(criteria=listed, version=row[0]))
    company.world.engine.forget()


async def version_of(company: Company, account_id: int) -> int:
    async with company.world.database.read() as session:
        return int(await session.scalar(select(account.c.version).where(account.c.id == account_id)))


@pytest.mark.parametrize("seed", range(4))
async def test_after_every_edit_the_rows_are_those_of_a_run_from_scratch(company: Company, seed: int) -> None:
    chance = random.Random(seed)
    west, east = company.keys[company.active, "West"], company.keys[company.active, "East"]
    ids = list(company.accounts.values())
    engine = company.world.engine
    for _ in range(8):
        async with company.world.writer.unit_of_work(company.planner) as work:
            chosen, place = chance.choice(ids), chance.choice((west, east))
            edit = chance.choice(("state", "hand", "unhand", "exclude", "include", "create", "revenue"))
            try:
                if edit == "state":
                    wanted = {"billing_state": chance.choice(STATES)}
                    await crm.update_account(work, chosen, await version_of(company, chosen), wanted)
                elif edit == "revenue":
                    await crm.update_account(work, chosen, await version_of(company, chosen), {"employees": 5})
                elif edit == "create":
                    ids.append(await crm.create_account(work, {"name": "New", "billing_state": chance.choice(STATES)}))
                else:
                    act = {
                        "hand": alignment.assign_account,
                        "unhand": alignment.unassign_account,
                        "exclude": alignment.exclude_account,
                        "include": alignment.include_account,
                    }[edit]
                    await act(work, engine, place, chosen)
            except Exception as refused:
                if getattr(refused, "code", "") not in {"TAKEN", "NOT_FOUND"}:
                    raise
        assert await stored(company) == await derived(company)
    assert await run(company) == 0


async def test_a_run_without_a_difference_changes_nothing_and_tells_its_steps(company: Company) -> None:
    steps: list[Any] = []
    before = await stored(company)
    assert await run(company, steps=steps) == 0
    assert await stored(company) == before
    assert [step[0] for step in steps] == [
        "computing assignments",
        "comparing with what stands",
        "writing 0 assignments",
        "aligning opportunities",
        "done",
    ]


async def test_many_new_rows_are_loaded_in_bulk_and_are_the_same(company: Company, monkeypatch) -> None:
    before = await stored(company)
    async with company.world.database.write() as session:
        await session.execute(delete(account_assignment).where(account_assignment.c.model_id == company.active))
    monkeypatch.setattr(writing, "COPY_ROWS_MIN", 1)
    assert await run(company) == 2
    assert await stored(company) == before


async def test_a_run_ends_rows_and_keeps_their_history(company: Company) -> None:
    await set_rule_of_active(company, "West", "TX")
    assert await run(company) == 4  # CA ends, TX begins, and the opportunities of both follow
    columns = account_assignment.c
    async with company.world.database.read() as session:
        rows = await session.rows(
            select(columns.account_id, columns.until.is_not(None).label("over")).where(
                columns.model_id == company.active, columns.territory_id == company.keys[company.active, "West"]
            )
        )
    assert {tuple(row) for row in rows} == {(company.accounts["CA"], True), (company.accounts["TX"], False)}


async def test_a_run_of_a_subtree_leaves_the_rest(company: Company) -> None:
    await set_rule_of_active(company, "West", "TX")
    await set_rule_of_active(company, "East", "CA")
    assert (
        await run(company, RunScope(territory_id=company.keys[company.active, "East"])) == 4
    )  # NY ends, CA begins and ties
    west, east = (company.keys[company.active, name] for name in ("West", "East"))
    assert {row[:2] for row in await stored(company)} == {
        (company.accounts["CA"], west),
        (company.accounts["CA"], east),
    }
    assert await run(company) > 0
    assert await stored(company) == await derived(company)


async def test_a_run_of_changed_accounts_computes_only_those(company: Company) -> None:
    await set_rule_of_active(company, "West", "TX")
    async with company.world.database.write() as session:
        await session.execute(update(account).where(account.c.id == company.accounts["TX"]).values(version=99))
    assert await run(company, RunScope(changed_since=98)) == 2
    west, east = (company.keys[company.active, name] for name in ("West", "East"))
    assert {row[:2] for row in await stored(company)} == {
        (company.accounts["CA"], west),
        (company.accounts["TX"], west),
        (company.accounts["NY"], east),
    }


async def test_a_frozen_account_keeps_what_rules_made_of_it(company: Company) -> None:
    async with company.world.writer.unit_of_work(company.planner) as work:
        wanted = {"excluded_from_realignment": True, "billing_state": "NY"}
        await crm.update_account(work, company.accounts["CA"], 0, wanted)
    before = await stored(company)
    await set_rule_of_active(company, "West", "TX")
    await run(company)
    west = company.keys[company.active, "West"]
    held = {row for row in await stored(company) if row[0] == company.accounts["CA"]}
    assert held == {row for row in before if row[0] == company.accounts["CA"]}
    assert {row[:2] for row in held} == {(company.accounts["CA"], west)}


async def test_an_excluded_opportunity_keeps_its_territory_and_follows_again_later(company: Company) -> None:
    deal, west, east = company.deals["CA"], *(company.keys[company.active, name] for name in ("West", "East"))
    for excluded, state, expected in (
        (True, "CA", (west, "KEPT", "EXCLUDED")),
        (True, "NY", (west, "KEPT", "EXCLUDED")),
        (False, "NY", (east, "POLICY", "ONLY_TERRITORY")),
    ):
        async with company.world.database.read() as session:
            seen = int(await session.scalar(select(opportunity.c.version).where(opportunity.c.id == deal)))
        async with company.world.writer.unit_of_work(company.planner) as work:
            await crm.update_opportunity(work, deal, seen, {"excluded_from_territory_assignment": excluded})
            version = await version_of(company, company.accounts["CA"])
            await crm.update_account(work, company.accounts["CA"], version, {"billing_state": state})
        assert (await aligned(company))[deal] == expected
    assert await run(company) == 0


async def test_aligning_again_changes_nothing(company: Company) -> None:
    before = await aligned(company)
    assert await run(company) == 0
    assert await aligned(company) == before


async def test_assignments_go_with_what_they_are_of(company: Company) -> None:
    async with company.world.database.write() as session:
        await session.execute(delete(opportunity).where(opportunity.c.id == company.deals["CA"]))
        await session.execute(delete(account).where(account.c.id == company.accounts["CA"]))
        await session.execute(delete(territory).where(territory.c.id == company.keys[company.active, "East"]))
        assert await session.scalar(select(func.count()).select_from(account_assignment)) == 0
        left = await session.rows(select(opportunity_alignment.c.territory_id).distinct())
        assert [row[0] for row in left] == [None]
        await session.execute(delete(territory_model).where(territory_model.c.id == company.active))
        rows = select(func.count()).select_from(opportunity_alignment)
        assert await session.scalar(rows.where(opportunity_alignment.c.model_id == company.active)) == 0


async def test_many_accounts_of_an_import_are_followed_as_one_is(company: Company, database: Database) -> None:
    created = [await make_account(database, f"A{n}", billing_state=STATES[n % 4]) for n in range(30)]
    async with company.world.writer.unit_of_work(SYSTEM) as work:
        await alignment.reassign_accounts(work, company.world.engine, created)
    west, east = (company.keys[company.active, name] for name in ("West", "East"))
    expected = {(number, west) for number in created[0::4]} | {(number, east) for number in created[1::4]}
    assert {row[:2] for row in await stored(company) if row[0] in created} == expected


async def test_a_rule_over_several_fields_follows_a_single_account(company: Company) -> None:
    criteria = [*states("CA"), Criterion(2, "employees", Operator.GREATER, ("10",))]
    async with company.world.database.write() as session:
        await session.execute(
            update(territory_model).where(territory_model.c.id == company.active).values(state="PLANNING")
        )
    async with company.world.writer.unit_of_work(company.planner) as work:
        rule = await rules.create_rule(work, company.active, "Large", "Large", criteria, "1 AND NOT 2")
        await rules.link_rule(work, rule, company.keys[company.active, "East"], applies_to_descendants=False)
    async with company.world.database.write() as session:
        await session.execute(
            update(territory_model).where(territory_model.c.id == company.active).values(state="ACTIVE")
        )
    async with company.world.writer.unit_of_work(company.planner) as work:
        version = await version_of(company, company.accounts["CA"])
        await crm.update_account(work, company.accounts["CA"], version, {"employees": 10})
    assert {row for row in await stored(company) if row[0] == company.accounts["CA"]} == {
        row for row in await derived(company) if row[0] == company.accounts["CA"]
    }
