"""What readers see of an activation: all of the old model or all of the new one; and that a restore brings everything back."""

import asyncio

import pytest
from sqlalchemy import text
from tests.factories.asking import Asking, make_asking
from tests.factories.world import make_account, make_model, make_opportunity, make_territory, make_type, make_user

from etm_graph.core.access import Role
from etm_graph.core.criteria import Criterion, Operator
from etm_graph.db.sessions import Database
from etm_graph.features.activation import service
from etm_graph.features.activation.service import Expected
from etm_graph.features.alignment import queries as alignment
from etm_graph.features.models.queries import active_model_id
from etm_graph.features.rules import service as rules
from etm_graph.identity.principal import Principal
from etm_graph.jobs.worker import Worker

ACCOUNTS = 300
FORECAST = """{ activeTerritoryModel { developerName forecast(periods: ["FY2026-Q3"]) {
  cells { period territory { name } opportunityCount own { openPipeline } rolledUp { openPipeline bestCaseForecast closed } }
  unassigned { opportunityCount rolledUp { openPipeline } } } } }"""


async def draft(asking: Asking, admin: Principal, name: str, type_id: int, states: tuple[str, str]) -> int:
    """A draft whose two territories take accounts of one state each."""
    model = await make_model(asking.world, admin, name)
    for territory, state in zip(("One", "Two"), states, strict=True):
        node = await make_territory(asking.world, admin, model, type_id, f"{name}_{territory}")
        async with asking.world.writer.unit_of_work(admin) as work:
            criteria = [Criterion(1, "billing_state", Operator.EQUALS, (state,))]
            rule = await rules.create_rule(work, model, f"R_{territory}", territory, criteria)
            await rules.link_rule(work, rule, node, applies_to_descendants=False)
    return model


async def activate(asking: Asking, admin: Principal, model: int, active: int | None) -> None:
    async with asking.world.writer.unit_of_work(admin) as work:
        head = (await work.lock_stream(model)).structure_head
        await service.request_activation(work, model, Expected(head, active, archive_current=True))


async def work(asking: Asking) -> None:
    while await asking.services.get(Worker).run_one():
        pass


async def build(database: Database) -> tuple[Asking, Principal, int, int, list[int]]:
    asking = make_asking(database)
    admin = await make_user(database, "admin", Role.ADMIN, Role.PLANNER)
    type_id = await make_type(asking.world, admin)
    accounts = [
        await make_account(database, f"A{number}", billing_state="East" if number % 2 else "West")
        for number in range(ACCOUNTS // 10)
    ]
    async with database.write() as session:
        await session.execute(
            text(
                "INSERT INTO account (name, currency, custom, excluded_from_realignment, version, billing_state) "
                f"SELECT 'B' || n, 'USD', '{{}}', false, 0, 'East' FROM generate_series(1, {ACCOUNTS}) n"
            )
        )
    for account in accounts:
        await make_opportunity(database, account)
    old = await draft(asking, admin, "Old", type_id, ("East", "West"))
    new = await draft(asking, admin, "New", type_id, ("West", "East"))
    await activate(asking, admin, old, None)
    await work(asking)
    return asking, admin, old, new, accounts


async def test_who_reads_all_the_time_never_sees_a_mix(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etm_graph.features.alignment.service.staging.STEP_ACCOUNTS", (10, 20))
    asking, admin, old, new, _ = await build(database)
    seen: list[tuple[int | None, int, int]] = []
    over = asyncio.Event()

    async def read() -> None:
        while not over.is_set():
            async with database.read() as session:
                active = await active_model_id(session)
                pairs = await alignment.standing_assignments(session, active or 0)
                aligned = await session.scalar(
                    text(f"SELECT count(*) FROM opportunity_alignment WHERE model_id = {active or 0}")
                )
            seen.append((active, pairs.height, int(aligned)))

    reader = asyncio.create_task(read())
    await activate(asking, admin, new, old)
    await work(asking)
    over.set()
    await reader
    whole = ACCOUNTS + ACCOUNTS // 10
    assert set(seen) <= {(old, whole, ACCOUNTS // 10), (new, whole, ACCOUNTS // 10)}
    assert [model for model, _, _ in seen] == sorted((model for model, _, _ in seen), key=lambda model: model != old)
    assert len(seen) > 5
    async with database.read() as session:
        assert await active_model_id(session) == new


async def test_archive_and_restore_without_changes_in_the_crm_give_the_same_forecasts(database: Database) -> None:
    asking, admin, old, new, _ = await build(database)
    before = (await asking.ask(admin, FORECAST))["data"]
    assert before["activeTerritoryModel"]["developerName"] == "Old"
    await activate(asking, admin, new, old)
    await work(asking)
    assert (await asking.ask(admin, FORECAST))["data"]["activeTerritoryModel"]["developerName"] == "New"
    async with asking.world.writer.unit_of_work(admin) as unit:
        await service.request_restore(unit, old, new, archive_current=True)
    assert (await asking.ask(admin, FORECAST))["data"] == before
    await work(asking)
    assert (await asking.ask(admin, FORECAST))["data"] == before
    async with asking.world.writer.unit_of_work(admin) as unit:
        await service.request_archive(unit, old)
    await work(asking)
    async with asking.world.writer.unit_of_work(admin) as unit:
        await service.request_restore(unit, old, None, archive_current=False)
    await work(asking)
    assert (await asking.ask(admin, FORECAST))["data"] == before
