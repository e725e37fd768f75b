"""The queue: who gets which job when, and that nobody else does."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tests.factories.world import make_model, make_user, make_world

from etm_graph.core.access import Role
from etm_graph.core.errors import NotFound, WrongState
from etm_graph.db.sessions import Database
from etm_graph.jobs.queue import (
    Job,
    JobCancelled,
    JobState,
    LeaseLost,
    cancel,
    enqueue,
    finish,
    hold,
    postpone,
    read_events,
    read_jobs,
    renew,
)
from etm_graph.jobs.worker import Worker


async def put(database: Database, kind: str = "a", **more: Any) -> int | None:
    async with database.write() as session:
        return await enqueue(session, kind, {}, now=datetime.now(UTC), **more)


async def take(database: Database, lease_s: float = 10) -> Job | None:
    return await Worker(database, {}, lease_s=lease_s)._claim()


async def end(database: Database, claimed: Job, state: JobState = JobState.SUCCEEDED) -> bool:
    async with database.write() as session:
        return await finish(session, claimed, state)


async def test_the_longest_due_job_comes_first_and_none_before_its_time(database: Database) -> None:
    now = datetime.now(UTC)
    later = await put(database, run_after=now - timedelta(seconds=1))
    first = await put(database, run_after=now - timedelta(seconds=2))
    await put(database, run_after=now + timedelta(hours=1))

    claimed = [await take(database), await take(database), await take(database)]

    assert [job.id if job else None for job in claimed] == [first, later, None]


async def test_jobs_of_one_model_run_one_after_another(database: Database) -> None:
    world = make_world(database)
    planner = await make_user(database, "planner", Role.PLANNER)
    one, two = await make_model(world, planner, "One"), await make_model(world, planner, "Two")
    first, second = await put(database, model_id=one), await put(database, model_id=one)
    other = await put(database, model_id=two)

    claimed = [await take(database) for _ in range(3)]

    assert [job.id if job else None for job in claimed] == [first, other, None]
    assert claimed[0] is not None
    assert await end(database, claimed[0])
    following = await take(database)
    assert following is not None
    assert following.id == second


async def test_two_workers_that_claim_in_one_moment_get_different_jobs_or_none(database: Database) -> None:
    world = make_world(database)
    planner = await make_user(database, "planner", Role.PLANNER)
    model = await make_model(world, planner)
    await put(database, model_id=model)
    await put(database, model_id=model)
    free = await put(database)

    claimed = await asyncio.gather(*(take(database) for _ in range(5)))
    claimed += [await take(database)]

    got = [job.id for job in claimed if job is not None]
    assert len(got) == len(set(got)) == 2
    assert free in got


async def test_a_dead_workers_job_is_taken_over_once(database: Database) -> None:
    await put(database)
    dead = await take(database, lease_s=0)

    claimed = await asyncio.gather(*(take(database) for _ in range(4)))

    (heir,) = [job for job in claimed if job is not None]
    assert dead is not None
    assert (heir.id, heir.attempts) == (dead.id, 2)
    async with database.write() as session:
        with pytest.raises(LeaseLost):
            await hold(session, dead)
    assert not await end(database, dead)
    assert await end(database, heir)


async def test_nobody_takes_a_job_over_while_a_step_of_it_is_being_written(database: Database) -> None:
    await put(database)
    slow = await take(database, lease_s=0)
    assert slow is not None
    async with database.write() as session:
        await hold(session, slow)
        assert await take(database) is None
        async with database.write() as keeper:
            renewed = await renew(keeper, slow, 0, step="on", done=1, total=2, told=False)
        assert renewed.held
    assert await take(database) is not None


async def test_at_most_one_open_job_has_a_key(database: Database) -> None:
    first = await put(database, key="daily")
    assert await put(database, key="daily") is None
    claimed = await take(database)
    assert claimed is not None
    assert claimed.id == first
    assert await put(database, key="daily") is None
    await end(database, claimed)
    assert await put(database, key="daily") is not None


async def test_a_cancelled_job_is_told_so_in_its_next_step(database: Database) -> None:
    number = await put(database) or 0
    claimed = await take(database)
    assert claimed is not None
    async with database.write() as session:
        assert await cancel(session, number, by=7) is JobState.RUNNING
    async with database.write() as session:
        with pytest.raises(JobCancelled):
            await hold(session, claimed)
        await hold(session, claimed, cancellable=False)
    await end(database, claimed, JobState.CANCELLED)
    async with database.write() as session:
        with pytest.raises(WrongState):
            await cancel(session, number, by=7)
        with pytest.raises(NotFound):
            await cancel(session, number + 1, by=7)


async def test_every_write_of_a_job_is_an_event_with_the_next_number(database: Database) -> None:
    number = await put(database) or 0
    claimed = await take(database)
    assert claimed is not None
    async with database.write() as session:
        await renew(session, claimed, 10, step="half", done=1, total=2, told=False)
        await renew(session, claimed, 10, step="half", done=1, total=2, told=True)
        await postpone(session, claimed, 0, "later")
    again = await take(database)
    assert again is not None
    await end(database, again)

    async with database.read() as session:
        events = await read_events(session, number, 0)
        stored = (await read_jobs(session, [number]))[number]

    assert [(event.seq, event.state, event.step, event.done, event.attempts) for event in events] == [
        (1, "QUEUED", None, 0, 0),
        (2, "RUNNING", None, 0, 1),
        (3, "RUNNING", "half", 1, 1),
        (4, "QUEUED", "half", 1, 1),
        (5, "RUNNING", "half", 1, 2),
        (6, "SUCCEEDED", "half", 1, 2),
    ]
    assert stored.seq == 6
    assert stored.finished_at is not None


async def test_a_job_outlives_its_model(database: Database) -> None:
    world = make_world(database)
    planner = await make_user(database, "planner", Role.PLANNER)
    model = await make_model(world, planner)
    number = await put(database, model_id=model) or 0
    async with database.write() as session:
        await session.execute(text(f"DELETE FROM stream WHERE id = {model}"))
    async with database.read() as session:
        assert (await read_jobs(session, [number]))[number].model_id is None
