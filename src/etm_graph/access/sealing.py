"""The audit's hash chain: one sealer links what was written, in a transaction of its own, seconds later.

Entries are written without any lock in common; a trigger notes each as pending. The sealer (one at a time over all
processes, by an advisory lock) gives pending entries consecutive positions and each a hash of the entry and of the hash
before. Whoever changes, removes, slips in or reorders an entry later breaks the chain from there on; whoever cuts the
end off is found out by a head (position and hash) that was kept elsewhere: every seal is logged with it.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import Row, delete, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from etm_graph.access.tables import audit_entry, audit_link, audit_pending
from etm_graph.db.sessions import Database, ReadSession, WriteSession

SEAL_EVERY_S = 2.0
"""Seconds between two seals: an entry is sealed within 5."""

SEALED_AT_ONCE = 5_000
"""Most entries that one transaction seals."""

UNSEALED_MAX = timedelta(minutes=1)
"""An entry that is unsealed for longer is a finding: no sealer ran, or it was slipped in."""

GENESIS = bytes(32)
_LOCK = 7_226_115

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain; position 0 before the first entry."""

    position: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.position}:{self.hash.hex()}"


def parse_head(text: str) -> Head:
    """Read what `str(head)` wrote; raises `ValueError`."""
    position, _, digest = text.partition(":")
    return Head(int(position), bytes.fromhex(digest))


def _plain(value: object) -> object:
    return value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else str(value)


def entry_json(row: Row[Any]) -> bytes:
    """Everything that an entry says, always in the same bytes."""
    values = {column.name: getattr(row, column.name) for column in audit_entry.c}
    return orjson.dumps(values, default=_plain, option=orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME)


def link(previous: bytes, row: Row[Any]) -> bytes:
    """The hash of an entry after another's hash."""
    return sha256(previous + entry_json(row)).digest()


async def read_head(session: ReadSession) -> Head:
    """The end of the chain."""
    columns = audit_link.c
    row = await session.row(select(columns.position, columns.hash).order_by(columns.position.desc()).limit(1))
    return Head(0, GENESIS) if row is None else Head(row.position, bytes(row.hash))


async def seal(session: WriteSession, most: int = SEALED_AT_ONCE) -> tuple[Head, int] | None:
    """Link pending entries; the new head and how many were linked, None when another sealer is at it."""
    if not await session.scalar(select(func.pg_try_advisory_xact_lock(_LOCK))):
        return None
    oldest = select(audit_pending.c.entry_id).order_by(audit_pending.c.entry_id).limit(most)
    taken = await session.execute(
        delete(audit_pending)
        .where(audit_pending.c.entry_id.in_(oldest.scalar_subquery()))
        .returning(audit_pending.c.entry_id)
    )
    ids = sorted(row.entry_id for row in taken.all())
    head = await read_head(session)
    if not ids:
        return head, 0
    rows = await session.rows(select(audit_entry).where(audit_entry.c.id.in_(ids)).order_by(audit_entry.c.id))
    links = []
    for row in rows:
        head = Head(head.position + 1, link(head.hash, row))
        links.append({"position": head.position, "entry_id": row.id, "hash": head.hash})
    if links:
        await session.execute(insert(audit_link), links)
    return head, len(links)


class Sealer:
    """Seals every few seconds; in every process, one of which has its turn."""

    def __init__(self, database: Database, *, every_s: float = SEAL_EVERY_S) -> None:
        self._database = database
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None
        self.position = 0
        """Where the chain ended when this process last sealed."""

    async def start(self) -> None:
        """Begin to seal."""
        self._task = asyncio.create_task(self._run(), name="audit sealer")

    async def stop(self) -> None:
        """Seal no longer; what is pending is sealed by the next process."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                more = await self._seal_once()
            except (OSError, SQLAlchemyError):
                logger.warning("the audit could not be sealed, the next turn tries again", exc_info=True)
                more = False
            if not more:
                await asyncio.sleep(self._every_s)

    async def _seal_once(self) -> bool:
        async with self._database.write() as session:
            sealed = await seal(session)
        if sealed is None:
            return False
        head, count = sealed
        self.position = head.position
        if count:
            logger.info("audit sealed up to %s", head)
        return count == SEALED_AT_ONCE


@dataclass(slots=True)
class Report:
    """What a verification found. problems: one line each, empty when the chain is whole."""

    head: Head
    entries: int = 0
    problems: list[str] = field(default_factory=list)


PROBLEMS_MAX = 20
_BATCH = 2_000


async def verify(session: ReadSession, now: datetime, kept: Head | None = None) -> Report:
    """Check every link against its entry, and that every entry has one.

    kept: a head that was written down elsewhere; the chain must still have that hash at that position.
    """
    report = Report(Head(0, GENESIS))
    while rows := await _links_after(session, report.head.position):
        for row in rows:
            _check(report, row)
            if kept is not None and row.position == kept.position and bytes(row.hash) != kept.hash:
                report.problems.append(f"position {kept.position} has another hash than the kept head")
        if len(report.problems) >= PROBLEMS_MAX:
            return report
    if kept is not None and kept.position > report.head.position:
        report.problems.append(f"the chain ends at {report.head.position}, before the kept head {kept.position}")
    report.problems += await _unsealed(session, now)
    return report


async def _links_after(session: ReadSession, position: int) -> Sequence[Row[Any]]:
    columns = audit_link.c
    return await session.rows(
        select(columns.position, columns.entry_id, columns.hash, *audit_entry.c)
        .outerjoin(audit_entry, audit_entry.c.id == columns.entry_id)
        .where(columns.position > position)
        .order_by(columns.position)
        .limit(_BATCH)
    )


def _check(report: Report, row: Row[Any]) -> None:
    if row.position != report.head.position + 1:
        report.problems.append(f"links {report.head.position + 1} to {row.position - 1} are gone")
    if row.id is None:
        report.problems.append(f"entry {row.entry_id} (position {row.position}) is gone")
    elif bytes(row.hash) != link(report.head.hash, row):
        report.problems.append(f"entry {row.entry_id} (position {row.position}) is not what was sealed")
    report.head = Head(row.position, bytes(row.hash))
    report.entries += 1


async def _unsealed(session: ReadSession, now: datetime) -> list[str]:
    late = (
        select(audit_entry.c.id)
        .outerjoin(audit_link, audit_link.c.entry_id == audit_entry.c.id)
        .where(audit_link.c.entry_id.is_(None), audit_entry.c.at < now - UNSEALED_MAX)
        .order_by(audit_entry.c.id)
        .limit(PROBLEMS_MAX)
    )
    return [f"entry {row.id} is not sealed" for row in await session.rows(late)]
