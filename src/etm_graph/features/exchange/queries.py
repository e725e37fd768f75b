"""Reading exports."""

import hmac
from collections.abc import AsyncIterator, Collection
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, select

from etm_graph.db.sessions import Database, ReadSession
from etm_graph.features.exchange.tables import export_file, export_piece


async def exports_by_job(session: ReadSession, ids: Collection[int]) -> dict[int, Row[Any]]:
    """Exports by the number of their job."""
    rows = await session.rows(select(export_file).where(export_file.c.job_id.in_(ids)))
    return {row.job_id: row for row in rows}


def signature_of(secret: bytes, job_id: int, expires: int) -> str:
    """What makes a link good: only who knows the export's secret can make it, for this file and this end."""
    return hmac.new(secret, f"{job_id}:{expires}".encode(), sha256).hexdigest()


def link_of(row: Row[Any]) -> str:
    """The path of a finished export, good until it expires."""
    expires = int(row.expires_at.timestamp())
    return f"/exports/{row.job_id}/{expires}/{signature_of(row.secret, row.job_id, expires)}"


async def find_download(
    session: ReadSession, job_id: int, expires: int, signature: str, now: datetime
) -> Row[Any] | None:
    """The export that a link is of; None for a link that is altered, has expired, or leads to nothing."""
    row = (await exports_by_job(session, [job_id])).get(job_id)
    if row is None or not row.size:
        return None
    genuine = hmac.compare_digest(signature_of(row.secret, job_id, expires), signature)
    return row if genuine and now.timestamp() < expires else None


async def pieces(database: Database, job_id: int) -> AsyncIterator[bytes]:
    """The pieces of an export, one short read each."""
    place = 0
    while True:
        statement = select(export_piece.c.content).where(export_piece.c.job_id == job_id, export_piece.c.place == place)
        async with database.read() as session:
            content = await session.scalar(statement)
        if content is None:
            return
        yield bytes(content)
        place += 1
