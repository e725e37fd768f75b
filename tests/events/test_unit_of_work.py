"""Units of work: numbers, atomicity, reactions, the lock."""

import asyncio

import pytest
from sqlalchemy import select, text
from tests.factories.world import ACCESS, make_model, make_territory, make_type, make_user, make_world

from etm_graph.core.access import Role
from etm_graph.core.errors import Busy, Invalid, NotFound
from etm_graph.core.names import check_name
from etm_graph.db.sessions import Database, open_database
from etm_graph.events.tables import change, stream
from etm_graph.events.unit_of_work import Writer
from etm_graph.features.territories.service import create_territory

WRITERS, EDITS = 16, 5


async def test_numbers_are_consecutive_under_concurrent_writers(database_url: str) -> None:
    database = open_database(database_url, pool=WRITERS)
    world = make_world(database)
    planner = await make_user(database, "planner", Role.PLANNER, Role.ADMIN)
    type_id, model_id = await make_type(world, planner), await make_model(world, planner)

    async def write(writer: int) -> None:
        for number in range(EDITS):
            await make_territory(world, planner, model_id, type_id, f"T{writer}_{number}")

    await asyncio.gather(*(write(writer) for writer in range(WRITERS)))
    async with database.read() as session:
        rows = await session.rows(select(change.c.seq).where(change.c.stream_id == model_id).order_by(change.c.seq))
        head = await session.scalar(select(stream.c.head).where(stream.c.id == model_id))
    assert [row.seq for row in rows] == list(range(1, WRITERS * EDITS + 2))
    assert head == WRITERS * EDITS + 1
    heads = [moved[model_id] for moved in world.moved if model_id in moved]
    assert sorted(heads) == list(range(1, WRITERS * EDITS + 2))
    await database.close()


async def test_a_failing_use_case_leaves_no_trace(database: Database) -> None:
    world = make_world(database)
    planner = await make_user(database, "planner", Role.PLANNER, Role.ADMIN)
    type_id, model_id = await make_type(world, planner), await make_model(world, planner)
    with pytest.raises(Invalid):
        async with world.writer.unit_of_work(planner) as work:
            await create_territory(work, model_id, None, "A", "A", type_id)
            check_name("")
    async with database.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM territory")) == 0
        assert await session.scalar(select(stream.c.head).where(stream.c.id == model_id)) == 1


async def test_a_reaction_runs_in_the_transaction_and_aborts_it(database: Database) -> None:
    planner = await make_user(database, "planner", Role.PLANNER, Role.ADMIN)
    world = make_world(database)
    type_id, model_id = await make_type(world, planner), await make_model(world, planner)

    async def refuse(work: object, happening: str) -> None:
        raise Invalid(happening)

    writer = Writer(database, ACCESS, {str: [refuse]}, lambda heads: None)
    with pytest.raises(Invalid, match="something"):
        async with writer.unit_of_work(planner) as work:
            await create_territory(work, model_id, None, "A", "A", type_id)
            await work.announce("something")
    async with database.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM territory")) == 0


async def test_who_waits_too_long_for_the_turn_is_told_so(database_url: str, database: Database) -> None:
    planner = await make_user(database, "planner", Role.PLANNER, Role.ADMIN)
    model_id = await make_model(make_world(database), planner)
    impatient = open_database(database_url, lock_timeout_ms=50)
    async with make_world(database).writer.unit_of_work(planner) as holder:
        await holder.lock_stream(model_id)
        with pytest.raises(Busy):
            async with make_world(impatient).writer.unit_of_work(planner) as work:
                await work.lock_stream(model_id)
    await impatient.close()


async def test_an_unknown_stream_is_not_found(database: Database) -> None:
    planner = await make_user(database, "planner", Role.PLANNER)
    with pytest.raises(NotFound):
        async with make_world(database).writer.unit_of_work(planner) as work:
            await work.lock_stream(99)
