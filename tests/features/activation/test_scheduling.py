"""Activation at a time: once, whoever works, with the checks and the rights of that moment."""

import asyncio
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from tests.factories.office import Office, open_office
from tests.factories.world import make_model, make_territory, make_type

from etm_graph.db.sessions import Database
from etm_graph.graphql.ids import encode_id
from etm_graph.wiring import make_worker

SCHEDULE = """mutation($m: ID!, $at: String!, $h: BigInt) { territoryModelSchedule(input: {id: $m, at: $at,
  expectedStructureHead: $h}) { job { state runAfter } territoryModel { state scheduledActivation { runAfter } }
  userErrors { code field } } }"""
UNSCHEDULE = """mutation($m: ID!) { territoryModelUnschedule(input: {id: $m}) {
  territoryModel { scheduledActivation { id } } userErrors { code } } }"""
MODEL = "query($m: ID!) { territoryModel(id: $m) { state stateReason scheduledActivation { id } } }"


async def build(database: Database) -> tuple[Office, int, str]:
    office = await open_office(database)
    async with database.write() as session:
        await session.execute(text("DELETE FROM organisation"))
        await session.execute(
            text(
                "INSERT INTO organisation (id, name, corporate_currency, fiscal_year_start_month, time_zone) "
                "VALUES (1, 'Org', 'USD', 1, 'America/Denver')"
            )
        )
    model = await make_model(office.world, office.admin, "Draft")
    type_id = await make_type(office.world, office.admin)
    await make_territory(office.world, office.admin, model, type_id, "Root")
    return office, model, encode_id("TerritoryModel", model)


async def due_now(database: Database) -> None:
    """As if the process had been down at that moment and the time had passed since."""
    async with database.write() as session:
        await session.execute(text("UPDATE job SET run_after = now() - interval '1 day' WHERE state = 'QUEUED'"))


async def work(office: Office, workers: int = 1) -> None:
    several = [
        make_worker(office.database, office.world.writer, office.world.engine, lease_s=10) for _ in range(workers)
    ]
    while any(await asyncio.gather(*(worker.run_one() for worker in several))):
        pass


async def test_a_schedule_is_in_the_organisations_time_zone_and_waits(database: Database) -> None:
    office, _, key = await build(database)
    made = await office.do(office.admin, SCHEDULE, m=key, at="2099-01-01T00:00")
    assert made["job"] == {"state": "QUEUED", "runAfter": "2099-01-01T07:00:00+00:00"}
    assert made["territoryModel"]["scheduledActivation"] == {"runAfter": "2099-01-01T07:00:00+00:00"}
    again = await office.do(office.admin, SCHEDULE, m=key, at="2099-06-01T00:00")
    assert again["territoryModel"]["scheduledActivation"] == {"runAfter": "2099-06-01T06:00:00+00:00"}
    await work(office)
    assert (await office.get(office.admin, MODEL, m=key))["state"] == "PLANNING"
    assert (await office.do(office.admin, UNSCHEDULE, m=key))["territoryModel"] == {"scheduledActivation": None}
    assert await office.refused(office.admin, UNSCHEDULE, m=key) == "WRONG_STATE"


async def test_what_is_past_or_not_permitted_is_refused(database: Database) -> None:
    office, _, key = await build(database)
    past = (datetime.now(UTC) - timedelta(days=2)).replace(tzinfo=None).isoformat()
    assert await office.refused(office.admin, SCHEDULE, m=key, at=past) == "INVALID"
    assert await office.refused(office.planner, SCHEDULE, m=key, at="2099-01-01T00:00") == "FORBIDDEN"


async def test_at_its_time_it_is_activated_once_by_several_workers(database: Database) -> None:
    office, _, key = await build(database)
    await office.do(office.admin, SCHEDULE, m=key, at="2099-01-01T00:00")
    await due_now(database)
    await work(office, workers=3)
    await work(office, workers=3)
    found = await office.get(office.admin, MODEL, m=key)
    assert found == {"state": "ACTIVE", "stateReason": None, "scheduledActivation": None}
    async with database.read() as session:
        jobs = await session.rows(text("SELECT kind, state FROM job ORDER BY id"))
    assert [tuple(row) for row in jobs] == [("activate-scheduled", "SUCCEEDED"), ("activate", "SUCCEEDED")]


async def test_a_scheduler_who_lost_the_right_activates_nothing_and_the_draft_says_why(database: Database) -> None:
    office, _, key = await build(database)
    await office.do(office.admin, SCHEDULE, m=key, at="2099-01-01T00:00")
    async with database.write() as session:
        await session.execute(text(f"UPDATE app_user SET suspended = true WHERE id = {office.admin.user_id}"))
    await due_now(database)
    await work(office)
    found = await office.get(office.planner, MODEL, m=key)
    assert found["state"] == "PLANNING"
    assert found["stateReason"].startswith("The scheduled activation did not begin:")


async def test_a_structure_that_changed_since_it_was_pinned_stays_a_draft(database: Database) -> None:
    office, model, key = await build(database)
    async with database.read() as session:
        head = await session.scalar(text(f"SELECT structure_head FROM stream WHERE id = {model}"))
    await office.do(office.admin, SCHEDULE, m=key, at="2099-01-01T00:00", h=head)
    await make_territory(office.world, office.admin, model, 1, "Late")
    await due_now(database)
    await work(office)
    found = await office.get(office.admin, MODEL, m=key)
    assert found["state"] == "PLANNING"
    assert "The structure is at change" in found["stateReason"]
