"""Grants and the audit in the database."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from sqlalchemy import delete, insert, select

from etm_graph.access.tables import audit_entry, role_grant
from etm_graph.core.access import ORGANISATION_PATH, Act, Grant, Kind, Role
from etm_graph.core.errors import ErrorCode, Invalid
from etm_graph.db.sessions import ReadSession, WriteSession

_PATH = re.compile(r"/(?:[A-Za-z][A-Za-z0-9_]{0,79}/)*")


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act that changed something, or was refused.

    method: how the caller proved who it is. code: of the refusal. streams: the streams that the act wrote to.
    details: JSON values; what the act was done to goes here (kind, id, model, state, path). Never a token or a secret.
    """

    at: datetime
    user_id: int
    method: str
    act: Act
    kind: Kind
    allowed: bool
    roles: frozenset[Role]
    policy_version: str
    code: ErrorCode | None = None
    change_set: str | None = None
    streams: tuple[int, ...] = ()
    request_id: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)


async def load_grants(session: ReadSession, user_id: int) -> tuple[Grant, ...]:
    """Read a user's grants, also expired ones: decisions look at the time themselves."""
    columns = role_grant.c
    rows = await session.rows(
        select(columns.role, columns.model_id, columns.path, columns.expires_at)
        .where(columns.user_id == user_id)
        .order_by(columns.id)
    )
    return tuple(Grant(Role(row.role), row.model_id, row.path, row.expires_at) for row in rows)


def check_path(path: str) -> None:
    """Pass for the path of a territory, and for "/"; raise `Invalid` otherwise."""
    if _PATH.fullmatch(path) is None:
        raise Invalid("A grant's path is that of a territory, such as /EMEA/North/, or / for all.", field=["path"])


async def load_grants_of(session: ReadSession, user_ids: Collection[int]) -> dict[int, tuple[Grant, ...]]:
    """The grants of several users, also expired ones, by user; who has none is absent."""
    columns = role_grant.c
    rows = await session.rows(
        select(columns.user_id, columns.role, columns.model_id, columns.path, columns.expires_at)
        .where(columns.user_id.in_(user_ids))
        .order_by(columns.id)
    )
    found: dict[int, tuple[Grant, ...]] = {}
    for row in rows:
        grant = Grant(Role(row.role), row.model_id, row.path, row.expires_at)
        found[row.user_id] = (*found.get(row.user_id, ()), grant)
    return found


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
    """Give a role; returns the grant's id.

    Raises `Invalid` for a path that is no territory's and for an end that has passed. Whether the giver may is the
    caller's to decide first.
    """
    check_path(path)
    if expires_at is not None and expires_at <= now:
        raise Invalid("A grant must end in the future.", field=["expiresAt"])
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


async def write_audit(session: WriteSession, entries: Sequence[AuditEntry]) -> None:
    """Note acts in the transaction that does them; a refused act needs one of its own, for its own is rolled back."""
    if entries:
        await session.execute(insert(audit_entry), [_audit_values(entry) for entry in entries])


def _audit_values(entry: AuditEntry) -> dict[str, object]:
    values = asdict(entry)
    kind = values.pop("kind")
    return {
        **values,
        "act": entry.act.value,
        "code": None if entry.code is None else entry.code.value,
        "roles": sorted(role.value for role in entry.roles),
        "streams": list(entry.streams),
        "details": {"kind": kind.value, **entry.details},
    }
