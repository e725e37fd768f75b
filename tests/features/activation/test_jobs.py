"""Activation, archiving and runs as jobs: in short steps, stoppable, and without a trace when they do not get through."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from sqlalchemy import text, update
from tests.factories.world import (
    World,
    make_account,
    make_model,
    make_opportunity,
    make_territory,
    make_type,
    make_user,
    make_world,
)

from etm_graph.core.access import Role
from etm_graph.core.criteria import Criterion, Operator
from etm_graph.core.errors import Forbidden, WrongState
from etm_graph.core.lifecycle import ModelState
from etm_graph.db.sessions import Database, ReadSession
from etm_graph.features.activation import service
from etm_graph.features.activation.service import Expected
from etm_graph.features.alignment.service import assign_account
from etm_graph.features.alignment.service.staging import plan_model, still_planned
from etm_graph.features.crm.service import update_account
from etm_graph.features.models import service as models
from etm_graph.features.rules import service as rules
from etm_graph.identity.principal import Principal
from etm_graph.jobs.queue import cancel, read_jobs
from etm_graph.jobs.worker import Worker
from etm_graph.wiring import make_worker


@dataclass
class Plant:
    """Four accounts, and drafts with an east and a west that rules fill."""

    world: World
    admin: Principal
    worker: Worker
    type_id: int
    accounts: list[int]

    async def draft(self, name: str) -> int:
        model = await make_model(self.world, self.admin, name)
        root = await make_territory(self.world, self.admin, model, self.type_id, "Root")
        for side in ("East", "West"):
            node = await make_territory(self.world, self.admin, model, self.type_id, side, root)
            async with self.world.writer.unit_of_work(self.admin) as work:
                criteria = [Criterion(1, "billing_state", Operator.EQUALS, (side,))]
                rule = await rules.create_rule(work, model, f"R_{side}", side, criteria)
                await rules.link_rule(work, rule, node, applies_to_descendants=False)
        return model

    async def activate(self, model: int, active: int | None = None) -> int:
        async with self.world.writer.unit_of_work(self.admin) as work:
            head = (await work.lock_stream(model)).structure_head
            return await service.request_activation(work, model, Expected(head, active, archive_current=True))

    async def work(self) -> None:
        while await self.worker.run_one():
            pass

    async def state(self, model: int) -> str:
        async with self.world.database.read() as session:
            return str(await session.scalar(text(f"SELECT state FROM territory_model WHERE id = {model}")))

    async def held(self, model: int) -> list[tuple[str, str]]:
        """Standing assignments as (account, territory)."""
        async with self.world.database.read() as session:
            rows = await session.rows(
                text(
                    "SELECT a.name, t.developer_name FROM account_assignment x JOIN account a ON a.id = x.account_id "
                    f"JOIN territory t ON t.id = x.territory_id WHERE x.model_id = {model} AND x.until IS NULL ORDER BY 1, 2"
                )
            )
        return [(row[0], row[1]) for row in rows]

    async def aligned(self, model: int) -> int:
        async with self.world.database.read() as session:
            return int(
                await session.scalar(text(f"SELECT count(*) FROM opportunity_alignment WHERE model_id = {model}"))
            )

    async def job(self, number: int) -> tuple[str, str | None]:
        async with self.world.database.read() as session:
            row = (await read_jobs(session, [number]))[number]
        return row.state, row.error


@pytest.fixture
async def plant(database: Database) -> AsyncIterator[Plant]:
    world = make_world(database)
    admin = await make_user(database, "admin", Role.ADMIN, Role.PLANNER)
    accounts = [
        await make_account(database, name, billing_state=state)
        for name, state in (("Ann", "East"), ("Bob", "East"), ("Cid", "West"), ("Dan", "North"))
    ]
    for account in accounts:
        await make_opportunity(database, account)
    return Plant(
        world,
        admin,
        make_worker(database, world.writer, world.engine, lease_s=10),
        await make_type(world, admin),
        accounts,
    )


RULED = [("Ann", "East"), ("Bob", "East"), ("Cid", "West")]


async def test_an_activation_writes_what_the_draft_showed_and_archives_the_other(plant: Plant) -> None:
    old, new = await plant.draft("Old"), await plant.draft("New")
    await plant.activate(old)
    await plant.work()
    number = await plant.activate(new, old)
    await plant.work()
    assert await plant.job(number) == ("SUCCEEDED", None)
    assert (await plant.state(old), await plant.state(new)) == ("ARCHIVED", "ACTIVE")
    assert await plant.held(old) == await plant.held(new) == RULED
    assert await plant.aligned(new) == 4


async def test_a_cancelled_activation_leaves_a_draft_without_a_trace(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = await plant.draft("Draft")
    async with plant.world.database.read() as session:
        east = await session.scalar(text("SELECT id FROM territory WHERE developer_name = 'East'"))
    async with plant.world.writer.unit_of_work(plant.admin) as work:
        await assign_account(work, plant.world.engine, east, plant.accounts[0])
        await assign_account(work, plant.world.engine, east, plant.accounts[3])
    number = await plant.activate(draft)
    real = service.accounts_to_follow

    async def stop_then(session: ReadSession, seq: int) -> list[int]:
        async with plant.world.database.write() as write:
            await cancel(write, number, by=plant.admin.user_id)
        return await real(session, seq)

    monkeypatch.setattr(service, "accounts_to_follow", stop_then)
    await plant.work()
    assert await plant.job(number) == ("CANCELLED", None)
    assert await plant.state(draft) == "PLANNING"
    assert await plant.held(draft) == [("Ann", "East"), ("Dan", "East")]
    async with plant.world.database.read() as session:
        left = await session.rows(text("SELECT manual, by_rule, rule_ids FROM account_assignment"))
    assert [tuple(row) for row in left] == [(True, False, []), (True, False, [])]
    assert await plant.aligned(draft) == 0


async def test_a_failed_activation_says_why_and_can_be_retried(plant: Plant) -> None:
    old, new = await plant.draft("Old"), await plant.draft("New")
    number = await plant.activate(new)
    other = await plant.activate(old)
    await plant.work()
    states = {await plant.state(old), await plant.state(new)}
    assert states == {"ACTIVE", "ACTIVATING_FAILED"}
    assert {(await plant.job(number))[0], (await plant.job(other))[0]} == {"SUCCEEDED", "FAILED"}
    failed, failed_job, active = (new, number, old) if await plant.state(old) == "ACTIVE" else (old, other, new)
    assert await plant.held(failed) == []
    async with plant.world.writer.unit_of_work(plant.admin) as work:
        await service.request_archive(work, active)
    await plant.work()
    async with plant.world.writer.unit_of_work(plant.admin) as work:
        await models.retry_job(work, plant.worker.kinds, failed_job)
    await plant.work()
    assert (await plant.state(active), await plant.state(failed)) == ("ARCHIVED", "ACTIVE")
    assert await plant.held(failed) == RULED


async def test_a_failed_activation_can_be_abandoned(plant: Plant) -> None:
    old, new = await plant.draft("Old"), await plant.draft("New")
    await plant.activate(new)
    await plant.activate(old)
    await plant.work()
    failed = new if await plant.state(new) == "ACTIVATING_FAILED" else old
    async with plant.world.writer.unit_of_work(plant.admin) as work:
        await service.abandon_activation(work, failed)
    assert await plant.state(failed) == "PLANNING"
    async with plant.world.writer.unit_of_work(plant.admin) as work:
        with pytest.raises(WrongState):
            await service.abandon_activation(work, failed)


async def test_what_the_crm_did_while_assignments_were_written_is_in_force_with_the_switch(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = await plant.draft("Draft")
    await plant.activate(draft)
    real, moved = service.accounts_to_follow, []

    async def change_then(session: ReadSession, seq: int) -> list[int]:
        if not moved:
            moved.append(True)
            async with plant.world.writer.unit_of_work(plant.admin) as work:
                await update_account(work, plant.accounts[0], 0, {"billing_state": "West"})
        return await real(session, seq)

    monkeypatch.setattr(service, "accounts_to_follow", change_then)
    await plant.work()
    assert await plant.held(draft) == [("Ann", "West"), ("Bob", "East"), ("Cid", "West")]


async def test_many_changes_of_the_crm_take_another_round_beside_the_readers(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etm_graph.features.activation.service.switching.SWITCH_ACCOUNTS_MAX", 0)
    draft = await plant.draft("Draft")
    number = await plant.activate(draft)
    real, moved = service.accounts_to_follow, []

    async def change_then(session: ReadSession, seq: int) -> list[int]:
        if not moved:
            moved.append(True)
            async with plant.world.writer.unit_of_work(plant.admin) as work:
                await update_account(work, plant.accounts[0], 0, {"billing_state": "West"})
        async with plant.world.database.read() as fresh:
            return await real(fresh, seq)

    monkeypatch.setattr(service, "accounts_to_follow", change_then)
    await plant.work()
    assert await plant.job(number) == ("SUCCEEDED", None)
    assert await plant.held(draft) == [("Ann", "West"), ("Bob", "East"), ("Cid", "West")]


async def test_archiving_is_a_job_that_can_be_cancelled(plant: Plant) -> None:
    model = await plant.draft("Model")
    await plant.activate(model)
    await plant.work()
    async with plant.world.writer.unit_of_work(plant.admin) as work:
        number = await service.request_archive(work, model)
        await cancel(work.session, number, by=plant.admin.user_id)
    assert await plant.state(model) == "ARCHIVING"
    await plant.work()
    assert (await plant.job(number))[0] == "CANCELLED"
    assert await plant.state(model) == "ACTIVE"
    async with plant.world.writer.unit_of_work(plant.admin) as work:
        await service.request_archive(work, model)
    await plant.work()
    assert await plant.state(model) == "ARCHIVED"
    assert await plant.held(model) == RULED


async def test_a_restored_model_is_active_at_once_and_then_catches_up(plant: Plant) -> None:
    old, new = await plant.draft("Old"), await plant.draft("New")
    await plant.activate(old)
    await plant.work()
    await plant.activate(new, old)
    await plant.work()
    async with plant.world.writer.unit_of_work(plant.admin) as work:
        await update_account(work, plant.accounts[1], 0, {"billing_state": "West"})
    async with plant.world.writer.unit_of_work(plant.admin) as work:
        number = await service.request_restore(work, old, new, archive_current=True)
    assert (await plant.state(old), await plant.state(new)) == ("ACTIVE", "ARCHIVED")
    assert await plant.held(old) == RULED
    await plant.work()
    assert await plant.job(number) == ("SUCCEEDED", None)
    assert await plant.held(old) == [("Ann", "East"), ("Bob", "West"), ("Cid", "West")]


async def test_a_run_leaves_alone_what_was_evaluated_since_it_was_planned(plant: Plant) -> None:
    model = await plant.draft("Model")
    await plant.activate(model)
    await plant.work()
    async with plant.world.database.read() as session:
        plan = await plan_model(session, plant.world.engine, model)
    async with plant.world.writer.unit_of_work(plant.admin) as work:
        await update_account(work, plant.accounts[0], 0, {"billing_state": "West"})
    async with plant.world.database.read() as session:
        east = await session.scalar(text("SELECT id FROM territory WHERE developer_name = 'East'"))
    async with plant.world.writer.unit_of_work(plant.admin) as work:
        await assign_account(work, plant.world.engine, east, plant.accounts[3])
    async with plant.world.writer.unit_of_work(plant.admin) as work:
        await work.lock_stream(model)
        left = await still_planned(work.session, model, plan)
    assert left.accounts == plant.accounts[1:3]
    assert sorted(left.pairs["object_id"].to_list()) == plant.accounts[1:3]


async def test_a_run_repairs_what_is_not_as_the_rules_say(plant: Plant) -> None:
    model = await plant.draft("Model")
    await plant.activate(model)
    await plant.work()
    async with plant.world.database.write() as session:
        await session.execute(
            text("UPDATE account_assignment SET until = now() WHERE account_id = " + str(plant.accounts[0]))
        )
    async with plant.world.writer.unit_of_work(plant.admin) as work:
        number = await service.request_run(work, model)
    await plant.work()
    assert await plant.job(number) == ("SUCCEEDED", None)
    assert await plant.held(model) == RULED


async def test_only_who_may_do_it_may_stop_it(plant: Plant, database: Database) -> None:
    draft = await plant.draft("Draft")
    number = await plant.activate(draft)
    auditor = await make_user(database, "auditor", Role.AUDITOR)
    with pytest.raises(Forbidden):
        async with plant.world.writer.unit_of_work(auditor) as work:
            await models.cancel_job(work, plant.worker.kinds, number)
    colleague = await make_user(database, "colleague", Role.ADMIN)
    async with plant.world.writer.unit_of_work(colleague) as work:
        assert await models.cancel_job(work, plant.worker.kinds, number) == number
    await plant.work()
    assert await plant.state(draft) == ModelState.PLANNING.value


async def test_a_process_that_knows_nothing_of_a_failed_state_cannot_run_it(plant: Plant) -> None:
    draft = await plant.draft("Draft")
    number = await plant.activate(draft)
    async with plant.world.database.write() as session:
        from etm_graph.features.models.tables import territory_model

        await session.execute(update(territory_model).values(state="PLANNING"))
    await plant.work()
    state, error = await plant.job(number)
    assert state == "FAILED"
    assert "PLANNING by now" in (error or "")
    assert await plant.state(draft) == "PLANNING"
