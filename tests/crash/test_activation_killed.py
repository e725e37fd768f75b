"""kill -9 while a model is being activated or run: nothing is lost, and another process finishes."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import pytest
from rich.console import Console
from sqlalchemy import text
from tests.e2e.servers import SECRET, Client, Server, serving

from etm_graph.db.sessions import Database
from etm_graph.demo.records import Sizes
from etm_graph.serving import load_demo_company
from etm_graph.settings import Settings

MODELS = "{ territoryModels { nodes { id developerName state structureHead } } }"
ACTIVATE = """mutation($m: ID!, $h: BigInt!, $a: ID) { territoryModelActivate(
  input: {id: $m, expectedStructureHead: $h, expectedActiveModelId: $a, archiveCurrent: true}) {
    job { id } userErrors { code message } } }"""
RUN = "mutation($m: ID!) { territoryModelRun(input: {id: $m}) { job { id } userErrors { code message } } }"
PREVIEW = "query($m: ID!) { territoryModel(id: $m) { preview { assignmentCount } } }"


async def models(client: Client) -> dict[str, dict[str, str]]:
    found = (await client.data(MODELS))["territoryModels"]["nodes"]
    return {model["developerName"]: model for model in found}


async def until_active(client: Client, name: str) -> None:
    for _ in range(600):
        if (await models(client))[name]["state"] == "ACTIVE":
            return
        await asyncio.sleep(0.1)
    raise AssertionError(await models(client))


async def standing(database: Database, name: str) -> int:
    query = """SELECT count(*) FROM account_assignment a JOIN territory_model m ON m.id = a.model_id
               WHERE m.developer_name = :name AND a.until IS NULL"""
    async with database.read() as session:
        return int(await session.scalar(text(query).bindparams(name=name)))


async def demo_server(stack: AsyncExitStack, url: str, folder: Path) -> Server:
    settings = Settings(data_dir=folder, dev_secret=SECRET)
    assert await load_demo_company(settings, url, Console(quiet=True), Sizes(3_000, 6_000))
    return await stack.enter_async_context(serving(url, folder, ETM_JOB_LEASE_S="1"))


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.15, 0.3, 0.6])
async def test_an_activation_survives_the_death_of_its_process(
    database: Database, database_url: str, tmp_path: Path, delay: float
) -> None:
    async with AsyncExitStack() as stack:
        first = await demo_server(stack, database_url, tmp_path)
        admin = Client(first, "admin")
        stack.push_async_callback(admin.close)
        before = await models(admin)
        plan, active = before["FY2027_plan"], before["FY2026"]
        expected = (await admin.data(PREVIEW, m=plan["id"]))["territoryModel"]["preview"]["assignmentCount"]
        await admin.do(ACTIVATE, m=plan["id"], h=plan["structureHead"], a=active["id"])
        await asyncio.sleep(delay + Random(delay).uniform(0, 0.05))
        first.kill()
        async with database.read() as session:
            states = await session.rows(text("SELECT developer_name, state FROM territory_model"))
        found = {row.developer_name: row.state for row in states}
        assert (found["FY2027_plan"], found["FY2026"]) in {("ACTIVATING", "ACTIVE"), ("ACTIVE", "ARCHIVED")}
        second = await stack.enter_async_context(serving(database_url, tmp_path, ETM_JOB_LEASE_S="1"))
        admin = Client(second, "admin")
        stack.push_async_callback(admin.close)
        await until_active(admin, "FY2027_plan")
        after = await models(admin)
        assert after["FY2026"]["state"] == "ARCHIVED"
        assert await standing(database, "FY2027_plan") == expected


async def test_a_run_of_the_active_model_survives_the_death_of_its_process(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        first = await demo_server(stack, database_url, tmp_path)
        admin = Client(first, "admin")
        stack.push_async_callback(admin.close)
        expected = await standing(database, "FY2026")
        active = (await models(admin))["FY2026"]
        await admin.do(RUN, m=active["id"])
        await asyncio.sleep(0.1)
        first.kill()
        assert await standing(database, "FY2026") == expected
        second = await stack.enter_async_context(serving(database_url, tmp_path, ETM_JOB_LEASE_S="1"))
        admin = Client(second, "admin")
        stack.push_async_callback(admin.close)
        await admin.do(RUN, m=active["id"])
        for _ in range(600):
            async with database.read() as session:
                open_jobs = await session.scalar(text("SELECT count(*) FROM job WHERE state IN ('QUEUED', 'RUNNING')"))
            if open_jobs == 0:
                break
            await asyncio.sleep(0.1)
        assert open_jobs == 0
        assert (await models(admin))["FY2026"]["state"] == "ACTIVE"
        assert await standing(database, "FY2026") == expected
