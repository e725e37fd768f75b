"""All assignments of a draft from its rules, at 20,000 accounts."""

from time import perf_counter

import polars as pl

from benchmarks.harness import ACCOUNTS, Company, Result, timed
from etm_graph.app import make_process
from etm_graph.core.assignment import assign
from etm_graph.features.alignment.service import Engine
from etm_graph.features.crm.queries import account_fields
from etm_graph.features.rules.queries import load_rule_set

SAMPLE, DRAFT = 200, 3


async def measure(company: Company) -> Result:
    process = make_process(company.settings(), company.url, "b" * 48)
    engine = process.services.get(Engine)
    async with process.database.read() as session:
        frame = (await engine.snapshot(session)).frame
        value = await timed(lambda: engine.derive(session, DRAFT, frame))
        fields = await account_fields(session)
        rule_set = await load_rule_set(session, DRAFT, fields)
    rows = frame.head(SAMPLE).to_dicts()
    objects = {
        row["id"]: {**row, "location": None if row["latitude"] is None else (row["latitude"], row["longitude"])}
        for row in rows
    }
    began = perf_counter()
    assign(rule_set, objects)
    reference = (perf_counter() - began) * 1000 * ACCOUNTS / SAMPLE

    async def scan() -> None:
        frame.select(pl.col("name:prepared").str.contains("zz", literal=True).sum())

    limit = await timed(scan)
    await process.database.close()
    return Result(
        "preview-full",
        value,
        "ms",
        "lower",
        f"{ACCOUNTS} accounts, {len(rule_set.nodes)} territories, {len(rule_set.rules)} rules",
        {f"the reference, account by account (from {SAMPLE})": round(reference)},
        {"one scan of one text column": limit},
    )
