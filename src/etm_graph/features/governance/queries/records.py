"""Reading grants, API keys and the audit."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, literal, or_, select, true

from etm_graph.access.tables import audit_entry, audit_link, role_grant
from etm_graph.access.viewer import Viewer
from etm_graph.core.access import Act, Kind, Role
from etm_graph.db.paging import Order, Page, apply_page
from etm_graph.db.sessions import ReadSession
from etm_graph.identity.tables import api_key

GRANTS = Order("grants", (role_grant.c.id,))
_EVERY_MODEL = 0
"""Stands for "every model" where grants are compared with ids, which begin at 1."""


@dataclass(frozen=True, slots=True)
class GrantFilter:
    """Which grants; all conditions that are given must hold. live: not expired."""

    user_id: int | None = None
    role: Role | None = None
    model_id: int | None = None
    live: bool | None = None


def _readable(viewer: Viewer) -> ColumnElement[bool]:
    """One's own grants, those that one could give, and all for those who may read the policy."""
    if viewer.may(Act.READ, Kind.POLICY):
        return true()
    given = viewer.sees(
        Kind.POLICY,
        Act.GRANT,
        state=literal(""),
        model_id=func.coalesce(role_grant.c.model_id, _EVERY_MODEL),
        path=role_grant.c.path,
    )
    return or_(role_grant.c.user_id == viewer.principal.user_id, given)


def _visible(viewer: Viewer) -> Select[Any]:
    return select(role_grant).where(_readable(viewer))


def _conditions(viewer: Viewer, wanted: GrantFilter) -> list[ColumnElement[bool]]:
    columns = role_grant.c
    conditions: list[ColumnElement[bool]] = []
    if wanted.user_id is not None:
        conditions.append(columns.user_id == wanted.user_id)
    if wanted.role is not None:
        conditions.append(columns.role == wanted.role.value)
    if wanted.model_id is not None:
        conditions.append(columns.model_id == wanted.model_id)
    if wanted.live is not None:
        live = or_(columns.expires_at.is_(None), columns.expires_at > viewer.now)
        conditions.append(live if wanted.live else ~live)
    return conditions


async def list_grants(session: ReadSession, viewer: Viewer, wanted: GrantFilter, page: Page) -> Sequence[Row[Any]]:
    """A page of the grants that the viewer may read, oldest first."""
    base = _visible(viewer).where(*_conditions(viewer, wanted))
    return await session.rows(apply_page(base, GRANTS, page))


async def count_grants(session: ReadSession, viewer: Viewer, wanted: GrantFilter) -> int:
    """How many grants there are that the viewer may read."""
    base = _visible(viewer).where(*_conditions(viewer, wanted))
    return int(await session.scalar(base.with_only_columns(func.count()).select_from(role_grant)))


async def grants_by_id(session: ReadSession, viewer: Viewer, ids: Collection[int]) -> dict[int, Row[Any]]:
    """Grants by id."""
    return {row.id: row for row in await session.rows(_visible(viewer).where(role_grant.c.id.in_(ids)))}


KEYS = Order("api keys", (api_key.c.id,))


def _visible_keys(viewer: Viewer, owner_id: int | None) -> Select[Any]:
    """One's own keys, and all for those who may read the policy; never what proves them."""
    columns = [column for column in api_key.c if column.name != "secret_hash"]
    every = viewer.may(Act.READ, Kind.POLICY)
    mine = true() if every else api_key.c.user_id == viewer.principal.user_id
    wanted = true() if owner_id is None else api_key.c.user_id == owner_id
    return select(*columns).where(mine, wanted)


async def list_keys(session: ReadSession, viewer: Viewer, owner_id: int | None, page: Page) -> Sequence[Row[Any]]:
    """A page of the keys that the viewer may read, of one user when `owner_id` is given."""
    return await session.rows(apply_page(_visible_keys(viewer, owner_id), KEYS, page))


async def count_keys(session: ReadSession, viewer: Viewer, owner_id: int | None) -> int:
    """How many keys there are that the viewer may read."""
    counted = _visible_keys(viewer, owner_id).with_only_columns(func.count()).select_from(api_key)
    return int(await session.scalar(counted))


async def key_by_id(session: ReadSession, viewer: Viewer, key_id: str) -> Row[Any] | None:
    """The key with that public id, when the viewer may read it."""
    return await session.row(_visible_keys(viewer, None).where(api_key.c.id == key_id))


NEWEST = Order("audit", (audit_entry.c.id,), descending=True)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries of the audit; all conditions that are given must hold. since is included, until is not."""

    user_id: int | None = None
    act: Act | None = None
    kind: Kind | None = None
    model_id: int | None = None
    allowed: bool | None = None
    since: datetime | None = None
    until: datetime | None = None


def _audited(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    columns = audit_entry.c
    given: list[tuple[object, Callable[[Any], ColumnElement[bool]]]] = [
        (wanted.user_id, lambda value: columns.user_id == value),
        (wanted.act, lambda value: columns.act == value.value),
        (wanted.kind, lambda value: columns.details["kind"].astext == value.value),
        (wanted.model_id, lambda value: columns.details["model"].astext == str(value)),
        (wanted.allowed, columns.allowed.is_),
        (wanted.since, lambda value: columns.at >= value),
        (wanted.until, lambda value: columns.at < value),
    ]
    return [condition(value) for value, condition in given if value is not None]


_sealed = audit_entry.outerjoin(audit_link, audit_link.c.entry_id == audit_entry.c.id)


async def list_audit(session: ReadSession, viewer: Viewer, wanted: AuditFilter, page: Page) -> Sequence[Row[Any]]:
    """A page of the audit, newest first. Raises `Forbidden`."""
    viewer.require(Act.READ, Kind.AUDIT)
    base = select(audit_entry, audit_link.c.position, audit_link.c.hash).select_from(_sealed)
    return await session.rows(apply_page(base.where(*_audited(wanted)), NEWEST, page))


async def count_audit(session: ReadSession, viewer: Viewer, wanted: AuditFilter) -> int:
    """How many entries there are. Raises `Forbidden`."""
    viewer.require(Act.READ, Kind.AUDIT)
    return int(await session.scalar(select(func.count()).select_from(audit_entry).where(*_audited(wanted))))


async def audit_after(session: ReadSession, wanted: AuditFilter, after: int, most: int) -> Sequence[Row[Any]]:
    """Entries after a number, oldest first, whoever asks."""
    number = audit_entry.c.id
    return await session.rows(select(audit_entry).where(number > after, *_audited(wanted)).order_by(number).limit(most))
