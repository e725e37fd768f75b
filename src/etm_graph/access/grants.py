"""Grants in the database."""

from datetime import datetime

from sqlalchemy import delete, insert, select

from etm_graph.access.tables import role_grant
from etm_graph.core.access import ORGANISATION_PATH, Grant, Role
from etm_graph.db.sessions import ReadSession, WriteSession


async def load_grants(session: ReadSession, user_id: int) -> tuple[Grant, ...]:
    """A user's grants, also expired ones: decisions look at the time themselves."""
    columns = role_grant.c
    rows = await session.rows(
        select(columns.role, columns.model_id, columns.path, columns.expires_at)
        .where(columns.user_id == user_id)
        .order_by(columns.id)
    )
    return tuple(Grant(Role(row.role), row.model_id, row.path, row.expires_at) for row in rows)


async def add_grant(
    session: WriteSession,
    user_id: int,
    role: Role,
    *,
    now: datetime,
    granted_by: int | None,
    model_id: int | None = None,
    path: str = ORGANISATION_PATH,
    expires_at: datetime | None = None,
) -> int:
    """Give a role; returns the grant's id."""
    values = {
        "user_id": user_id,
        "role": role.value,
        "model_id": model_id,
        "path": path,
        "granted_by": granted_by,
        "granted_at": now,
        "expires_at": expires_at,
    }
    return int(await session.scalar(insert(role_grant).values(**values).returning(role_grant.c.id)))


async def revoke_grant(session: WriteSession, grant_id: int) -> bool:
    """Take a role back; False when there was no such grant."""
    gone = await session.execute(delete(role_grant).where(role_grant.c.id == grant_id))
    return gone.rowcount == 1
