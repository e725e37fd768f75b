"""`python -m benchmarks [name]`: run all benchmarks or one, print a table, update latest.json."""

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks import (
    access,
    draft_impact,
    edit_rate,
    event_latency,
    fanout,
    forecast_grid,
    hierarchy,
    preview_edit,
    preview_full,
)
from benchmarks.harness import Company, Result, load_company, machine

LATEST = Path(__file__).parent / "latest.json"

BENCHMARKS: dict[str, Callable[[Company], Awaitable[Result]]] = {
    "edit-rate": edit_rate.measure,
    "hierarchy-flat": hierarchy.measure_flat,
    "hierarchy-nested": hierarchy.measure_nested,
    "preview-full": preview_full.measure,
    "preview-edit": preview_edit.measure,
    "draft-impact": draft_impact.measure,
    "event-latency": event_latency.measure,
    "fanout": fanout.measure,
    "access-decisions": access.measure_decisions,
    "access-list": access.measure_list,
    "access-recheck": access.measure_recheck,
    "forecast-grid": forecast_grid.measure_grid,
    "forecast-delta": forecast_grid.measure_delta,
}


def show(results: list[Result]) -> None:
    table = Table("name", "value", "unit", "better", "alternatives", "limit", "size")
    for result in results:
        others = "\n".join(f"{label}: {value:g}" for label, value in result.alternatives.items())
        limit = "\n".join(f"{label}: {value:g}" for label, value in result.limit.items())
        table.add_row(result.name, f"{result.value:g}", result.unit, result.better, others, limit, result.size)
    Console(width=180).print(table)


def save(results: list[Result]) -> None:
    kept = {entry["name"]: entry for entry in orjson.loads(LATEST.read_bytes())} if LATEST.exists() else {}
    kept |= {result.name: {**asdict(result), "machine": machine()} for result in results}
    LATEST.write_bytes(orjson.dumps([kept[name] for name in BENCHMARKS if name in kept], option=orjson.OPT_INDENT_2))


def run() -> None:
    wanted = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in wanted if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"no benchmark {unknown[0]}; there are: {', '.join(BENCHMARKS)}")
    with tempfile.TemporaryDirectory() as folder:
        company = load_company(Path(folder))
        results = [asyncio.run(BENCHMARKS[name](company)) for name in wanted]
    show(results)
    save(results)


run()
