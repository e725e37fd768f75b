"""The audit on the command line: verified, and exported for whoever keeps it elsewhere."""

from datetime import UTC, datetime
from typing import IO

from sqlalchemy import select

from etm_graph.access.sealing import Head, Report, entry_json, seal, verify
from etm_graph.access.tables import audit_entry, audit_link
from etm_graph.db.sessions import open_database

_BATCH = 2_000


async def verify_audit(url: str, kept: Head | None) -> Report:
    """Seal what is pending, unless another process is at it, and check the whole chain."""
    database = open_database(url, pool=1, statement_timeout_ms=0)
    try:
        async with database.write() as session:
            await seal(session)
        async with database.read() as session:
            return await verify(session, datetime.now(UTC), kept)
    finally:
        await database.close()


async def export_audit(url: str, output: IO[bytes]) -> int:
    """Write every entry as a line of JSON with its position and hash, oldest first; returns how many."""
    database = open_database(url, pool=1, statement_timeout_ms=0)
    written, last = 0, 0
    try:
        async with database.read() as session:
            while True:
                rows = await session.rows(
                    select(audit_entry, audit_link.c.position, audit_link.c.hash)
                    .outerjoin(audit_link, audit_link.c.entry_id == audit_entry.c.id)
                    .where(audit_entry.c.id > last)
                    .order_by(audit_entry.c.id)
                    .limit(_BATCH)
                )
                for row in rows:
                    sealed = b"null" if row.position is None else f'"{Head(row.position, bytes(row.hash))}"'.encode()
                    output.write(entry_json(row)[:-1] + b',"seal":' + sealed + b"}\n")
                if not rows:
                    return written
                written, last = written + len(rows), rows[-1].id
    finally:
        await database.close()
