"""kill -9 of a worker at random moments of a clone, an activation, a run and an archiving: the job ends, once, as undisturbed.

ETM_SOAK_ROUNDS says how many rounds of four kills; `make soak` does thirteen.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from rich.console import Console
from sqlalchemy import text
from tests.e2e.servers import SECRET, environment

from etm_graph.app import Process, make_process
from etm_graph.db.sessions import Database
from etm_graph.demo.records import Sizes
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.activation import service as activation
from etm_graph.features.activation.service import Expected
from etm_graph.features.alignment.service import Engine
from etm_graph.features.scenarios import service as scenarios
from etm_graph.features.scenarios.service import CloneOptions
from etm_graph.identity.principal import SYSTEM, Principal
from etm_graph.serving import load_demo_company
from etm_graph.settings import Settings

ROUNDS = int(os.environ.get("ETM_SOAK_ROUNDS", "1"))
HELD = """SELECT a.id, t.developer_name, x.manual, x.by_rule FROM account_assignment x JOIN account a ON a.id = x.account_id
  JOIN territory t ON t.id = x.territory_id WHERE x.model_id = {m} {more} ORDER BY 1, 2"""
STRUCTURE = """SELECT (SELECT string_agg(path || type_id || coalesce(forecast_manager_id, 0), ',' ORDER BY path)
  FROM territory WHERE model_id = {m}), (SELECT count(*) FROM rule_link WHERE model_id = {m}),
  (SELECT count(*) FROM assignment_rule WHERE model_id = {m}), (SELECT count(*) FROM territory_membership WHERE model_id = {m}),
  (SELECT count(*) FROM account_assignment WHERE model_id = {m} AND manual AND until IS NULL),
  (SELECT count(*) FROM assignment_exclusion WHERE model_id = {m})"""


@dataclass
class Plant:
    """A database in which real workers are killed."""

    process: Process
    url: str
    folder: Path
    random: Random
    admin: Principal
    survivor: subprocess.Popen[bytes] | None = None

    def worker(self) -> subprocess.Popen[bytes]:
        with (self.folder / "worker.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "etm_graph", "worker"],
                env=environment(self.url, self.folder, ETM_JOB_LEASE_S="1"),
                stdout=log,
                stderr=log,
            )

    async def rows(self, statement: str) -> list[tuple[object, ...]]:
        async with self.process.database.read() as session:
            return [tuple(row) for row in await session.rows(text(statement))]

    async def killed(self, use_case: Callable[[UnitOfWork], Awaitable[int]]) -> int | None:
        """Ask for a job, kill the worker somewhere in it, let another go on; the job's model."""
        first = self.survivor or self.worker()
        try:
            async with self.process.writer.unit_of_work(self.admin) as work:
                job = await use_case(work)
            await self._until(f"SELECT 1 FROM job WHERE id = {job} AND state <> 'QUEUED'")
            await asyncio.sleep(self.random.uniform(0, 0.4))
        finally:
            first.kill()
            first.wait()
        self.survivor = self.worker()
        await self._until(f"SELECT 1 FROM job WHERE id = {job} AND state NOT IN ('QUEUED', 'RUNNING')")
        ((state, attempts, model),) = await self.rows(f"SELECT state, attempts, model_id FROM job WHERE id = {job}")
        assert (state, int(str(attempts)) <= 2) == ("SUCCEEDED", True)
        ends = await self.rows(f"SELECT count(*) FROM job_event WHERE job_id = {job} AND state = 'SUCCEEDED'")
        assert ends == [(1,)]
        return None if model is None else int(str(model))

    async def _until(self, statement: str) -> None:
        async with asyncio.timeout(90):
            while not await self.rows(statement):  # noqa: ASYNC110 - another process's doing
                await asyncio.sleep(0.02)


@asynccontextmanager
async def planted(url: str, folder: Path) -> AsyncIterator[Plant]:
    settings = Settings(data_dir=folder, dev_secret=SECRET)
    assert await load_demo_company(settings, url, Console(quiet=True), Sizes(3_000, 6_000))
    process = make_process(settings, url, SECRET)
    async with process.database.read() as session:
        admin = await session.scalar(text("SELECT id FROM app_user WHERE user_name = 'admin'"))
    plant = Plant(process, url, folder, Random(ROUNDS), replace(SYSTEM, user_id=int(admin)))
    try:
        yield plant
    finally:
        if plant.survivor is not None:
            plant.survivor.kill()
            plant.survivor.wait()
        await process.database.close()


async def test_whatever_moment_a_worker_dies_at_the_data_is_that_of_an_undisturbed_job(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    async with planted(database_url, tmp_path) as plant:
        ((source, active),) = await plant.rows(
            "SELECT (SELECT id FROM territory_model WHERE developer_name = 'FY2026'), "
            "(SELECT id FROM territory_model WHERE state = 'ACTIVE')"
        )
        engine = plant.process.services.get(Engine)
        for number in range(ROUNDS):
            name = f"Soak_{number}"
            model = await plant.killed(
                lambda work, name=name: scenarios.request_clone(work, source, name, name, None, CloneOptions())  # type: ignore[misc]
            )
            assert await plant.rows(STRUCTURE.format(m=model)) == await plant.rows(STRUCTURE.format(m=source))
            async with plant.process.database.read() as session:
                derived = await engine.derive(session, int(model or 0))
                names = dict(
                    tuple(row)
                    for row in await session.rows(
                        text(f"SELECT id, developer_name FROM territory WHERE model_id = {model}")
                    )
                )
                head = await session.scalar(text(f"SELECT structure_head FROM stream WHERE id = {model}"))
            expected = sorted(
                (account, names[territory], manual, by_rule)
                for account, territory, manual, by_rule in derived.pairs.select(
                    "object_id", "territory_id", "manual", "by_rule"
                ).iter_rows()
            )
            await plant.killed(
                lambda work, m=model, h=head, a=active: activation.request_activation(  # type: ignore[misc]
                    work, m, Expected(h, a, archive_current=True)
                )
            )
            held = HELD.format(m=model, more="AND x.until IS NULL")
            assert await plant.rows(held) == expected
            assert await plant.rows(HELD.format(m=model, more="")) == expected, "rows of an earlier attempt were left"
            await plant.killed(lambda work, m=model: activation.request_run(work, m))  # type: ignore[misc]
            assert await plant.rows(HELD.format(m=model, more="")) == expected
            await plant.killed(lambda work, m=model: activation.request_archive(work, m))  # type: ignore[misc]
            assert await plant.rows(f"SELECT state FROM territory_model WHERE id = {model}") == [("ARCHIVED",)]
            assert await plant.rows(HELD.format(m=model, more="")) == expected
            active = None
