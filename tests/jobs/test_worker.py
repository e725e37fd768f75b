"""The worker: every job is run to its end once, by whichever process lives."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import Row, text
from sqlalchemy.exc import OperationalError

from etm_graph.core.access import Act
from etm_graph.core.errors import Busy, Invalid
from etm_graph.db.sessions import Database
from etm_graph.jobs import worker as workers
from etm_graph.jobs.queue import Job, cancel, enqueue, read_jobs
from etm_graph.jobs.worker import Ending, JobKind, Progress, Worker


async def put(database: Database) -> int:
    async with database.write() as session:
        return await enqueue(session, "a", {}, now=datetime.now(UTC)) or 0


async def stored(database: Database, number: int) -> Row:
    async with database.read() as session:
        return (await read_jobs(session, [number]))[number]


def make(
    database: Database,
    run: Callable[[Job, Progress], Awaitable[None]],
    endings: list[Ending] | None = None,
    lease_s: float = 10,
) -> Worker:
    async def given_up(_: Job, ending: Ending) -> None:
        (endings if endings is not None else []).append(ending)

    return Worker(database, {"a": JobKind(run, Act.RUN, given_up)}, lease_s=lease_s)


async def test_several_workers_share_jobs_and_each_is_run_once(database: Database) -> None:
    runs: Counter[int] = Counter()

    async def run(job: Job, _: Progress) -> None:
        runs[job.id] += 1
        await asyncio.sleep(0.005)

    numbers = [await put(database) for _ in range(12)]
    several = [make(database, run) for _ in range(3)]
    for worker in several:
        await worker.start()
    async with asyncio.timeout(30):
        while sum(runs.values()) < len(numbers):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    for worker in several:
        await worker.stop()
    assert runs == Counter(numbers)


async def test_a_failure_is_put_back_and_told(database: Database) -> None:
    async def run(_: Job, progress: Progress) -> None:
        progress.report("trying", 1, 2)
        raise Invalid("It does not fit.")

    endings: list[Ending] = []
    number = await put(database)
    assert await make(database, run, endings).run_one()
    row = await stored(database, number)
    assert (row.state, row.error, row.attempts) == ("FAILED", "It does not fit.", 1)
    assert endings == [Ending("It does not fit.", cancelled=False)]


async def test_a_fault_is_not_shown_to_people(database: Database) -> None:
    async def run(_: Job, __: Progress) -> None:
        raise RuntimeError("secret")

    number = await put(database)
    await make(database, run).run_one()
    assert (await stored(database, number)).error == "Something went wrong on our side."


@pytest.mark.parametrize("error", [Busy("locked"), ConnectionResetError(), None])
async def test_a_passing_failure_is_tried_again(database: Database, error: Exception | None) -> None:
    seen = []

    async def run(job: Job, _: Progress) -> None:
        seen.append(job.attempts)
        if job.attempts == 1:
            raise error or OperationalError("", {}, ConnectionError(), connection_invalidated=True)

    number = await put(database)
    worker = make(database, run)
    await worker.run_one()
    assert (await stored(database, number)).state == "QUEUED"
    async with database.write() as session:
        await session.execute(text("UPDATE job SET run_after = now()"))
    await worker.run_one()
    assert (await stored(database, number)).state == "SUCCEEDED"
    assert seen == [1, 2]


async def test_a_job_that_every_worker_dies_of_fails_in_the_end(database: Database) -> None:
    async def run(_: Job, __: Progress) -> None:
        raise AssertionError

    endings: list[Ending] = []
    number = await put(database)
    async with database.write() as session:
        await session.execute(text(f"UPDATE job SET attempts = {workers.ATTEMPTS_MAX}"))
    await make(database, run, endings).run_one()
    row = await stored(database, number)
    assert (row.state, row.attempts) == ("FAILED", workers.ATTEMPTS_MAX + 1)
    assert "never ended" in row.error
    assert len(endings) == 1


async def test_a_waiting_job_that_is_cancelled_never_runs(database: Database) -> None:
    async def run(_: Job, __: Progress) -> None:
        raise AssertionError

    endings: list[Ending] = []
    number = await put(database)
    async with database.write() as session:
        await cancel(session, number, by=1)
    await make(database, run, endings).run_one()
    assert (await stored(database, number)).state == "CANCELLED"
    assert endings == [Ending("Cancelled.", cancelled=True)]


async def test_a_running_job_stops_at_its_next_report(database: Database) -> None:
    steps = []

    async def run(job: Job, progress: Progress) -> None:
        async with database.write() as session:
            await cancel(session, job.id, by=1)
        for step in range(1_000):
            progress.report("on", step)
            steps.append(step)
            await asyncio.sleep(0.01)

    number = await put(database)
    await make(database, run, lease_s=0.3).run_one()
    assert (await stored(database, number)).state == "CANCELLED"
    assert 0 < len(steps) < 1_000


async def test_a_stopped_worker_leaves_its_job_to_another_at_once(database: Database) -> None:
    begun = asyncio.Event()

    async def hang(_: Job, __: Progress) -> None:
        begun.set()
        await asyncio.sleep(60)

    async def run(_: Job, __: Progress) -> None:
        pass

    number = await put(database)
    first = make(database, hang, lease_s=60)
    await first.start()
    await asyncio.wait_for(begun.wait(), 10)
    await first.stop()
    assert await make(database, run).run_one()
    row = await stored(database, number)
    assert (row.state, row.attempts) == ("SUCCEEDED", 2)


async def test_a_worker_that_fell_silent_does_nothing_more(database: Database) -> None:
    wrote, begun, taken = [], asyncio.Event(), asyncio.Event()

    async def slow(_: Job, progress: Progress) -> None:
        begun.set()
        await taken.wait()
        async with database.write() as session:
            await progress.hold(session)
            wrote.append("too late")

    async def quick(_: Job, __: Progress) -> None:
        wrote.append("heir")

    number = await put(database)
    silent = asyncio.create_task(make(database, slow, lease_s=60).run_one())
    await asyncio.wait_for(begun.wait(), 10)
    heir = make(database, quick)
    while not await heir.run_one():
        async with database.write() as session:
            await session.execute(text("UPDATE job SET lease_until = now() - interval '1 second'"))
    taken.set()
    await silent
    row = await stored(database, number)
    assert (row.state, row.attempts) == ("SUCCEEDED", 2)
    assert wrote == ["heir"]
