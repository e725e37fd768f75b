"""A forecast tool with an API key: the typed client, the notebook, exports by signed links."""

import asyncio
import importlib.util
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import orjson
import polars as pl
from sqlalchemy import update
from tests.e2e.servers import Client, serving
from tests.factories.world import make_user
from tests.features.reports.company import Company, make_company

from etm_graph.core.access import Role
from etm_graph.db.sessions import Database
from etm_graph.features.exchange.tables import export_file
from etm_graph.identity.api_keys import create_api_key

EXAMPLES = Path(__file__).parents[2] / "examples"
PERIODS = ("FY2026-Q3", "FY2026-Q4")
START = """mutation($m: ID!, $f: ExportFormat!, $p: [String!]!, $r: ReportDefinitionInput) {
  bulkExport(input: {modelId: $m, format: $f, periods: $p, report: $r}) { job { id } userErrors { code } } }"""
JOB = "query($id: ID!) { job(id: $id) { state step done total file { name mediaType rows url expiresAt } } }"


def load_client() -> Any:
    spec = importlib.util.spec_from_file_location("forecast_client", EXAMPLES / "forecast_client.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["forecast_client"] = module
    spec.loader.exec_module(module)
    return module


async def key_of(database: Database, user_id: int) -> str:
    async with database.write() as session:
        return await create_api_key(
            session, user_id, "BI", now=datetime.now(UTC), life=timedelta(days=1), environment="dev"
        )


async def finished(client: Client, **given: Any) -> Any:
    started = await client.do(START, **given)
    for _ in range(200):
        job = (await client.data(JOB, id=started["job"]["id"]))["job"]
        if job["file"] is not None or job["state"] == "FAILED":
            return job
        await asyncio.sleep(0.1)
    raise AssertionError(job)


def pipeline(company: Company, prefix: str) -> Decimal:
    from tests.features.reports.company import PATHS

    inside = [
        deal.amount
        for deal in company.deals
        if deal.day.month in {7, 8, 9}
        and deal.category in {"PIPELINE", "COMMIT"}
        and (name := company.territory(deal)) is not None
        and PATHS[name].startswith(prefix)
    ]
    return sum(inside, Decimal("0.00"))


async def test_a_tool_reads_grids_and_exports_with_a_key_of_its_own(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    company = await make_company(database)
    tool = await make_user(database, "tool", Role.FORECAST_READER)
    key = await key_of(database, tool.user_id)
    async with serving(database_url, tmp_path) as server:
        url = server.url.removesuffix("/graphql")
        reader = load_client().ForecastClient(url, key)
        cells = await asyncio.to_thread(lambda: list(reader.grid(*PERIODS)))
        assert [(cell.path, cell.period) for cell in cells[:2]] == [("/World/", "FY2026-Q3"), ("/World/", "FY2026-Q4")]
        assert cells[0].open_pipeline == pipeline(company, "/World/")
        frame = pl.read_parquet(BytesIO(await asyncio.to_thread(reader.export, *PERIODS)))
        shown = {(cell.path, cell.period): cell.open_pipeline for cell in cells}
        exported = zip(frame["path"], frame["period"], frame["rolled_up_open_pipeline"], strict=True)
        assert {(path, period): amount for path, period, amount in exported} == shown
        reader.close()
        environment = {**os.environ, "ETM_URL": url, "ETM_KEY": key, "ETM_PERIODS": ",".join(PERIODS)}
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, str(EXAMPLES / "forecast_notebook.py")],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "East" in done.stdout


async def test_exports_hold_what_their_reader_may_see_and_links_cannot_be_altered_and_expire(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    company = await make_company(database)
    await make_user(database, "viewer", Role.VIEWER)
    async with serving(database_url, tmp_path) as server:
        boss, viewer = Client(server, "boss"), Client(server, "viewer")
        url = server.url.removesuffix("/graphql")
        given = {"m": company.model, "p": list(PERIODS)}
        jobs = {kind: await finished(boss, f=kind, **given) for kind in ("CSV", "JSONL", "PARQUET")}
        async with httpx.AsyncClient(base_url=url) as http:
            files = {kind: await http.get(job["file"]["url"]) for kind, job in jobs.items()}
            assert {kind: answer.headers["content-type"] for kind, answer in files.items()} == {
                "CSV": "text/csv; charset=utf-8",
                "JSONL": "application/jsonl",
                "PARQUET": "application/vnd.apache.parquet",
            }
            lines = [orjson.loads(line) for line in files["JSONL"].content.splitlines()]
            assert sorted({line["path"] for line in lines}) == ["/World/East/", "/World/East/E1/", "/World/East/E2/"]
            assert Decimal(lines[0]["rolled_up_open_pipeline"]) == pipeline(company, "/World/East/")
            assert jobs["CSV"]["file"]["rows"] == 6 == files["CSV"].text.count("\n") - 1
            assert pl.read_parquet(BytesIO(files["PARQUET"].content)).schema["quota"] == pl.Decimal(38, 2)
            good = jobs["CSV"]["file"]["url"]
            head, number, expires, signature = good.rsplit("/", 3)
            for bad in (
                f"{head}/{number}/{int(expires) + 1}/{signature}",
                f"{head}/{int(number) + 1}/{expires}/{signature}",
                f"{head}/{number}/{expires}/{'0' * 64}",
            ):
                assert (await http.get(bad)).status_code == 404
            async with database.write() as session:
                await session.execute(update(export_file).values(expires_at=datetime(2020, 1, 1, tzinfo=UTC)))
            job = (await boss.data(JOB, id=(await boss.do(START, f="CSV", **given))["job"]["id"]))["job"]
            assert job["total"] in {None, 3}
            assert (await http.get(good)).status_code == 404
        refused = await viewer.ask(START, f="CSV", **given)
        assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        report = {"subject": "BALANCE", "measures": ["accounts", "revenue"], "dimensions": ["territory"]}
        job = await finished(boss, m=company.model, f="CSV", p=[], r=report)
        assert job["file"]["name"] == "balance.csv"
        assert job["file"]["rows"] == 3
        for client in (boss, viewer):
            await client.close()
