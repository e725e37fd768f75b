"""Edits per second on one hot draft, through the use case: lock, access, version, entity, change, audit, head."""

import asyncio
from time import perf_counter

import asyncpg
from sqlalchemy import text

from benchmarks.harness import Company, Result
from etm_graph.app import make_process
from etm_graph.features.territories.service import update_territory
from etm_graph.identity.principal import SYSTEM

SECONDS, WRITERS = 5.0, 8


async def _edits(company: Company) -> float:
    process = make_process(company.settings(), company.url, "b" * 48)
    async with process.database.read() as session:
        rows = await session.rows(
            text(
                "SELECT t.id FROM territory t JOIN territory_model m ON m.id = t.model_id "
                f"WHERE m.developer_name = 'FY2027_plan' ORDER BY t.id LIMIT {WRITERS}"
            )
        )
    done, end = 0, perf_counter() + SECONDS

    async def write(territory_id: int) -> None:
        nonlocal done
        number = 0
        async with process.database.read() as session:
            version = int(await session.scalar(text(f"SELECT version FROM territory WHERE id = {territory_id}")))
        while perf_counter() < end:
            number += 1
            async with process.writer.unit_of_work(SYSTEM) as work:
                await update_territory(work, territory_id, version, {"name": f"N {number}"})
                version = max(seq for _, seq in work.touched)
            done += 1

    await asyncio.gather(*(write(row.id) for row in rows))
    await process.database.close()
    return round(done / SECONDS, 1)


async def _bare(company: Company, statement: str) -> float:
    """The same number of writers with one statement a transaction."""
    pool = await asyncpg.create_pool(company.url, min_size=WRITERS, max_size=WRITERS)
    await pool.execute("CREATE TABLE IF NOT EXISTS bare (id bigserial, body jsonb)")
    await pool.execute("CREATE TABLE IF NOT EXISTS counter (n bigint)")
    await pool.execute("INSERT INTO counter SELECT 0 WHERE NOT EXISTS (SELECT FROM counter)")
    done, end = 0, perf_counter() + SECONDS

    async def write() -> None:
        nonlocal done
        while perf_counter() < end:
            await pool.execute(statement)
            done += 1

    await asyncio.gather(*(write() for _ in range(WRITERS)))
    await pool.close()
    return round(done / SECONDS, 1)


async def measure(company: Company) -> Result:
    return Result(
        "edit-rate",
        await _edits(company),
        "edits/s",
        "higher",
        f"one draft of 311 territories, {WRITERS} writers, {SECONDS:g} s",
        {"bare insert of a row, no lock, no checks": await _bare(company, "INSERT INTO bare (body) VALUES ('{}')")},
        {"one counter row, one statement": await _bare(company, "UPDATE counter SET n = n + 1")},
    )
