"""Loading an export of a CRM: the file is checked as a whole first, then loaded in batches.

A good row is created or updated by its external id; one that holds nothing new is left alone, so that an import can be
repeated. Each batch is one change of the crm stream, and territories follow in its transaction.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from etm_graph.access.viewer import Viewer
from etm_graph.core.access import Act
from etm_graph.db.sessions import ReadSession
from etm_graph.events.unit_of_work import UnitOfWork, Writer
from etm_graph.features.crm import queries as crm
from etm_graph.features.exchange.service.mapping import Bound, FileMapping, bind
from etm_graph.features.exchange.service.plans import ACCOUNTS, OPPORTUNITIES, USERS, Known, Plan, to_row
from etm_graph.features.exchange.service.reading import RawRow, RowError, Table
from etm_graph.features.exchange.service.references import load_people, unlinked
from etm_graph.features.exchange.service.rows import Record, custom_specs, parse_row
from etm_graph.identity.principal import Principal

BATCH = 5_000
"""Rows that are loaded by one change."""

Progress = Callable[[str, int, int | None], None]
"""Is told the phase (check, load), how many rows are done, and of how many, None while that is unknown."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    rows: of the file, without header and blank lines. errors: by line; a row may have several.
    ignored: columns of the file that fill no field. loaded: False when nothing was, because of the errors.
    """

    rows: int
    created: int
    updated: int
    unchanged: int
    errors: tuple[RowError, ...]
    ignored: tuple[str, ...]
    loaded: bool

    @property
    def bad_rows(self) -> int:
        """How many rows have errors."""
        return len({error.line for error in self.errors})


def _quiet(phase: str, done: int, total: int | None) -> None:
    """Report nothing."""


@dataclass(slots=True)
class _Import:
    """One import on its way. lines: where each good key stands. links: what is above it, None for nothing."""

    writer: Writer
    principal: Principal
    plan: Plan
    table: Table
    bound: list[Bound]
    mapping: FileMapping
    known: Known
    progress: Progress
    rows: int = 0
    errors: list[RowError] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    links: dict[str, str | None] = field(default_factory=dict)
    created: set[int] = field(default_factory=set)
    updated: set[int] = field(default_factory=set)
    waiting: list[tuple[str, str]] = field(default_factory=list)

    def chunks(self) -> Iterator[tuple[list[Record], list[RowError], int]]:
        """Parsed rows, at most BATCH at a time, with the errors among them and how many rows they were."""
        records: list[Record] = []
        errors: list[RowError] = []
        count = 0
        for row in self.table:
            parsed = parse_row(row, self.bound, self.mapping.habits) if isinstance(row, RawRow) else [row]
            if isinstance(parsed, Record):
                records.append(parsed)
            else:
                errors += parsed
            count += 1
            if count == BATCH:
                yield records, errors, count
                records, errors, count = [], [], 0
        yield records, errors, count

    async def check(self, session: ReadSession) -> None:
        """Find everything that is wrong with the file; write nothing."""
        for records, errors, count in self.chunks():
            self.rows += count
            self.errors += errors
            self._note(records, await self.plan.complete(session, records, self.known))
            self.progress("check", self.rows, None)
        await self._check_links(session)
        self.errors.sort(key=lambda error: (error.line, error.column or ""))

    def _note(self, records: list[Record], errors: list[RowError]) -> None:
        self.errors += errors
        bad = {error.line for error in errors}
        for record in records:
            key = str(record.values[self.plan.key])
            if record.line in bad:
                continue
            if key in self.lines:
                self.errors.append(record.error(self.plan.key, f"{key!r} is on line {self.lines[key]} already"))
                continue
            self.lines[key] = record.line
            if self.plan.above in record.values:
                self.links[key] = record.values[self.plan.above]

    async def _check_links(self, session: ReadSession) -> None:
        wanted = sorted({above for above in self.links.values() if above is not None})
        if not wanted:
            return
        known: set[str] = set()
        for start in range(0, len(wanted), BATCH):
            known |= await self.plan.known_keys(session, wanted[start : start + BATCH])
        column = next(item.column for item in self.bound if item.spec.name == self.plan.above)
        for key, reason in unlinked(self.links, await self.plan.stored_above(session), frozenset(known)).items():
            self.errors.append(RowError(self.lines.pop(key), column, reason))

    async def load(self, *, whole: bool) -> None:
        """Load the good rows. whole: in one transaction, otherwise in one for each batch."""
        done = 0
        async with AsyncExitStack() as stack:
            shared = await stack.enter_async_context(self._unit_of_work()) if whole else None
            for records, _, _ in self.chunks():
                good = [record for record in records if self.lines.get(record.values[self.plan.key]) == record.line]
                async with self._turn(shared) as work:
                    await self._load_batch(work, good)
                done += len(good)
                self.progress("load", done, len(self.lines))
            for start in range(0, len(self.waiting), BATCH):
                async with self._turn(shared) as work:
                    self.updated.update(await self.plan.link(work, self.waiting[start : start + BATCH]))

    def _unit_of_work(self) -> AbstractAsyncContextManager[UnitOfWork]:
        return self.writer.unit_of_work(self.principal, message=f"Import of {self.plan.what}")

    @asynccontextmanager
    async def _turn(self, shared: UnitOfWork | None) -> AsyncIterator[UnitOfWork]:
        if shared is not None:
            yield shared
            return
        async with self._unit_of_work() as work:
            yield work

    async def _load_batch(self, work: UnitOfWork, records: list[Record]) -> None:
        """Load what is still good: somebody may have deleted an account since the check."""
        errors = await self.plan.complete(work.session, records, self.known)
        self.errors += errors
        bad = {error.line for error in errors}
        loaded = await self.plan.load(work, [to_row(self.plan, item) for item in records if item.line not in bad])
        self.created.update(loaded.created)
        self.updated.update(loaded.updated)
        self.waiting += loaded.waiting

    def report(self, *, loaded: bool) -> ImportReport:
        """What was done."""
        used = {item.column for item in self.bound}
        updated = len(self.updated - self.created)
        return ImportReport(
            rows=self.rows,
            created=len(self.created),
            updated=updated,
            unchanged=len(self.lines) - len(self.created) - updated if loaded else 0,
            errors=tuple(self.errors),
            ignored=tuple(column for column in self.table.columns if column and column not in used),
            loaded=loaded,
        )


async def _run(
    plan: Plan,
    writer: Writer,
    principal: Principal,
    path: Path,
    mapping: FileMapping,
    *,
    atomic: bool,
    people: Path | None,
    progress: Progress,
) -> ImportReport:
    viewer = Viewer(writer.access, principal, datetime.now(UTC))
    for act in (Act.CREATE, Act.UPDATE):
        viewer.require(act, plan.kind)
    table = Table(path, encoding=mapping.encoding, separator=mapping.separator)
    async with writer.database.read() as session:
        corporate, currencies = await crm.currencies(session)
        custom = custom_specs(await crm.list_custom_fields(session), corporate) if plan is ACCOUNTS else {}
        bound = bind(table.columns, plan.specs, custom, mapping)
        plan.check_columns(bound)
        known = Known(await load_people(session, people), corporate, currencies)
        running = _Import(writer, principal, plan, table, bound, mapping, known, progress)
        await running.check(session)
    if atomic and running.errors:
        return running.report(loaded=False)
    if running.lines:
        await running.load(whole=atomic or len(running.lines) <= BATCH)
    return running.report(loaded=True)


async def import_accounts(
    writer: Writer,
    principal: Principal,
    path: Path,
    mapping: FileMapping,
    *,
    atomic: bool = False,
    people: Path | None = None,
    progress: Progress = _quiet,
) -> ImportReport:
    """Create and update accounts from a CSV file, by external id.

    atomic: load nothing when anything is wrong, and everything in one transaction. Otherwise good rows are loaded.
    people: an export of users with Id and Username, for owners that are given by the CRM's ids.
    Raises `Invalid` for a file or mapping that cannot be used at all, and `Forbidden`.
    """
    return await _run(ACCOUNTS, writer, principal, path, mapping, atomic=atomic, people=people, progress=progress)


async def import_opportunities(
    writer: Writer,
    principal: Principal,
    path: Path,
    mapping: FileMapping,
    *,
    atomic: bool = False,
    people: Path | None = None,
    progress: Progress = _quiet,
) -> ImportReport:
    """Create and update opportunities from a CSV file, by external id; their accounts must be there."""
    return await _run(OPPORTUNITIES, writer, principal, path, mapping, atomic=atomic, people=people, progress=progress)


async def import_users(
    writer: Writer,
    principal: Principal,
    path: Path,
    mapping: FileMapping,
    *,
    atomic: bool = False,
    progress: Progress = _quiet,
) -> ImportReport:
    """Create and update users from a CSV file, by user name; they have no roles yet. Otherwise as accounts."""
    return await _run(USERS, writer, principal, path, mapping, atomic=atomic, people=None, progress=progress)
