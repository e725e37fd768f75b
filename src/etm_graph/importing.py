"""Importing files on the command line: progress while it runs, every bad row afterwards."""

import csv
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from etm_graph.app import Process
from etm_graph.features.exchange import service
from etm_graph.identity.principal import SYSTEM

SHOWN_MAX = 50
"""Bad rows that are printed; all of them go into the file that `--errors` names."""


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What to import. kind: accounts, opportunities or users. errors: where all bad rows are written to as CSV."""

    kind: str
    path: Path
    mapping: Path | None
    people: Path | None
    atomic: bool
    errors: Path | None


async def run_import(process: Process, request: ImportRequest, console: Console) -> service.ImportReport:
    """Import a file as the system. Raises `Invalid` for a file or mapping that cannot be used at all."""
    mapping = service.load_mapping(request.mapping)
    with Bars(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    ) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(phase: str, done: int, total: int | None) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(phase, total=total)
            bars.update(tasks[phase], completed=done, total=total)

        begin: dict[str, Callable[[], Awaitable[service.ImportReport]]] = {
            "accounts": lambda: service.import_accounts(
                process.writer,
                SYSTEM,
                request.path,
                mapping,
                atomic=request.atomic,
                people=request.people,
                progress=progress,
            ),
            "opportunities": lambda: service.import_opportunities(
                process.writer,
                SYSTEM,
                request.path,
                mapping,
                atomic=request.atomic,
                people=request.people,
                progress=progress,
            ),
            "users": lambda: service.import_users(
                process.writer, SYSTEM, request.path, mapping, atomic=request.atomic, progress=progress
            ),
        }
        return await begin[request.kind]()


def print_report(report: service.ImportReport, request: ImportRequest, console: Console) -> None:
    """Say what was done and what is wrong, row by row."""
    if report.errors:
        table = Table("line", "column", "what is wrong", title=f"{report.bad_rows} of {report.rows} rows are bad")
        for error in report.errors[:SHOWN_MAX]:
            table.add_row(str(error.line), error.column or "", error.reason)
        console.print(table)
        if len(report.errors) > SHOWN_MAX:
            console.print(f"… and {len(report.errors) - SHOWN_MAX} more; --errors FILE.csv writes them all.")
    if request.errors is not None:
        _write_errors(request.errors, report.errors)
    if report.ignored:
        console.print(f"Columns that fill no field: {', '.join(report.ignored)}")
    done = f"{report.created} created, {report.updated} updated, {report.unchanged} unchanged"
    console.print(done if report.loaded else "Nothing was loaded.")


def _write_errors(path: Path, errors: Sequence[service.RowError]) -> None:
    """Write every error as a row of CSV: line, column, reason."""
    with path.open("w", encoding="utf-8", newline="") as target:
        rows = csv.writer(target)
        rows.writerow(["line", "column", "reason"])
        rows.writerows((error.line, error.column, error.reason) for error in errors)
