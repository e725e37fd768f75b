"""Copies of models: whole, as of one moment, in the state that everybody expects."""

import pytest
from sqlalchemy import text
from tests.factories.world import World, make_account, make_model, make_territory, make_type, make_user, make_world

from etm_graph.core.access import Role
from etm_graph.core.anchors import Anchor, AnchorKind
from etm_graph.core.errors import Forbidden
from etm_graph.db.sessions import Database
from etm_graph.features.alignment.service import assign_account, exclude_account
from etm_graph.features.models import service as models
from etm_graph.features.scenarios import service
from etm_graph.features.scenarios.service import CloneOptions
from etm_graph.features.territories.service import add_member, update_territory
from etm_graph.features.threads.service import add_comment, create_thread, resolve_thread
from etm_graph.identity.principal import Principal
from etm_graph.jobs.queue import cancel, read_jobs
from etm_graph.jobs.worker import Worker
from etm_graph.wiring import ANCHORS, make_worker

COUNTS = """SELECT (SELECT count(*) FROM territory WHERE model_id = m.id) AS territories,
  (SELECT count(*) FROM territory_membership WHERE model_id = m.id) AS members,
  (SELECT count(*) FROM territory WHERE model_id = m.id AND forecast_manager_id IS NOT NULL) AS managers,
  (SELECT count(*) FROM account_assignment WHERE model_id = m.id) AS manual,
  (SELECT count(*) FROM assignment_exclusion WHERE model_id = m.id) AS excluded,
  (SELECT count(*) FROM thread WHERE model_id = m.id) AS threads,
  (SELECT count(*) FROM comment WHERE model_id = m.id) AS comments, m.state, m.base_structure_head AS base
  FROM territory_model m WHERE m.developer_name = '{}'"""


async def counts(database: Database, name: str) -> dict[str, object]:
    async with database.read() as session:
        row = await session.row(text(COUNTS.format(name)))
    return {} if row is None else dict(row._mapping)


async def build(database: Database) -> tuple[World, Principal, int, Worker]:
    world = make_world(database)
    planner = await make_user(database, "planner", Role.ADMIN, Role.PLANNER)
    type_id = await make_type(world, planner)
    model = await make_model(world, planner, "Source")
    root = await make_territory(world, planner, model, type_id, "Root")
    leaf = await make_territory(world, planner, model, type_id, "Leaf", root)
    one, two = await make_account(database, "One"), await make_account(database, "Two")
    async with world.writer.unit_of_work(planner) as work:
        await add_member(work, leaf, planner.user_id, {})
        await update_territory(work, leaf, 3, {"forecast_manager_id": planner.user_id})
        await assign_account(work, world.engine, leaf, one)
        await exclude_account(work, world.engine, leaf, two)
    async with world.writer.unit_of_work(planner) as work:
        open_one = await create_thread(work, ANCHORS, Anchor(AnchorKind.TERRITORY, leaf), "Size", "Too big?")
        await add_comment(work, open_one, "No.")
        await create_thread(work, ANCHORS, Anchor(AnchorKind.CHANGE, 1), None, "Why?", model_id=model)
        closed = await create_thread(work, ANCHORS, Anchor(AnchorKind.MODEL, model), None, "Done?")
        await resolve_thread(work, closed)
    return world, planner, model, make_worker(database, world.writer, world.engine, lease_s=10)


async def request(world: World, planner: Principal, model: int, name: str, options: CloneOptions | None = None) -> int:
    async with world.writer.unit_of_work(planner) as work:
        return await service.request_clone(work, model, name, name, None, options or CloneOptions())


async def test_a_clone_is_a_job_and_takes_all_but_threads_unless_asked(database: Database) -> None:
    world, planner, model, worker = await build(database)
    await request(world, planner, model, "Plain")
    assert (await counts(database, "Plain"))["state"] == "CLONING"
    await worker.run_one()
    async with database.read() as session:
        head = await session.scalar(text(f"SELECT structure_head FROM stream WHERE id = {model}"))
    assert await counts(database, "Plain") == {
        "territories": 2, "members": 1, "managers": 1, "manual": 1, "excluded": 1, "threads": 0, "comments": 0,
        "state": "PLANNING", "base": head,
    }  # fmt: skip


async def test_options_say_what_comes_along(database: Database) -> None:
    world, planner, model, worker = await build(database)
    await request(world, planner, model, "Bare", CloneOptions(False, False, False, False))
    await request(world, planner, model, "Full", CloneOptions(True, True, True, True))
    await worker.run_one()
    await worker.run_one()
    bare, full = await counts(database, "Bare"), await counts(database, "Full")
    assert list(bare.values())[:7] == [2, 0, 0, 0, 0, 0, 0]
    assert list(full.values())[:7] == [2, 1, 1, 1, 1, 2, 3]
    async with database.read() as session:
        rows = await session.rows(
            text(
                "SELECT t.anchor_kind, coalesce(n.developer_name, m.developer_name) FROM thread t "
                "JOIN territory_model m ON m.id = t.model_id "
                "LEFT JOIN territory n ON n.id = t.anchor_id AND t.anchor_kind = 'TERRITORY' AND n.model_id = m.id "
                "WHERE m.developer_name = 'Full' ORDER BY t.id"
            )
        )
    assert [tuple(row) for row in rows] == [("TERRITORY", "Leaf"), ("MODEL", "Full")]


async def test_a_cancelled_clone_says_so_and_can_be_retried(database: Database) -> None:
    world, planner, model, worker = await build(database)
    number = await request(world, planner, model, "Copy")
    async with database.write() as session:
        await cancel(session, number, by=planner.user_id)
    await worker.run_one()
    assert (await counts(database, "Copy"))["state"] == "CLONING_FAILED"
    async with world.writer.unit_of_work(planner) as work:
        again = await models.retry_job(work, worker.kinds, number)
    await worker.run_one()
    async with database.read() as session:
        jobs = await read_jobs(session, [number, again])
    assert (jobs[number].state, jobs[again].state) == ("CANCELLED", "SUCCEEDED")
    assert (await counts(database, "Copy"))["territories"] == 2


async def test_a_model_in_transition_cannot_be_copied(database: Database) -> None:
    world, planner, model, _ = await build(database)
    await request(world, planner, model, "Copy")
    async with database.read() as session:
        copy = await session.scalar(text("SELECT id FROM territory_model WHERE developer_name = 'Copy'"))
    with pytest.raises(Forbidden):
        await request(world, planner, copy, "Copy2")
