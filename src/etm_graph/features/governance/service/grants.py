"""Giving roles and taking them back.

An administrator of the whole organisation gives any role anywhere. Whoever else may grant does so within the own grants,
for no longer than they last, and only roles that allow nothing which the own ones do not: delegated administration.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, or_, select

from etm_graph.access.delegation import exceeding, roles_behind
from etm_graph.access.grants import add_grant, revoke_grant
from etm_graph.access.tables import role_grant
from etm_graph.core.access import ORGANISATION_PATH, Act, Grant, Kind, Role
from etm_graph.core.changes import ACCESS_STREAM, ChangeDraft, ChangeKind, EntityType
from etm_graph.core.errors import Forbidden, InUse, NotFound, Taken
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm.queries import users_by_id
from etm_graph.features.governance.queries import grants_by_id
from etm_graph.features.models.queries import models_by_id
from etm_graph.features.territories.queries import territories_by_id


@dataclass(frozen=True, slots=True)
class GrantScope:
    """Where a role counts: a territory and what is below it, a model, a path in every model, or, with none, everywhere."""

    territory_id: int | None = None
    model_id: int | None = None
    path: str = ORGANISATION_PATH


async def _place(work: UnitOfWork, scope: GrantScope) -> tuple[int | None, str]:
    """The model, None for every one, and the path of a scope. Raises `NotFound` for what the giver may not read."""
    if scope.territory_id is not None:
        territory = (await territories_by_id(work.session, work.viewer, [scope.territory_id])).get(scope.territory_id)
        if territory is None:
            raise NotFound("There is no such territory.", field=["scope", "territoryId"])
        return territory.model_id, territory.path
    if scope.model_id is not None and scope.model_id not in await models_by_id(
        work.session, work.viewer, [scope.model_id]
    ):
        raise NotFound("There is no such model.", field=["scope", "modelId"])
    return scope.model_id, scope.path


def _require_may_give(work: UnitOfWork, wanted: Grant) -> None:
    """Pass when the principal may give, or take back, such a grant; raise `Forbidden` otherwise."""
    if work.viewer.may(Act.GRANT, Kind.ORGANISATION):
        work.viewer.require(Act.GRANT, Kind.ORGANISATION)
        return
    work.viewer.require(Act.GRANT, Kind.POLICY, model_id=wanted.model_id, path=wanted.path)
    own = roles_behind(work.principal.grants, wanted, work.now)
    beyond = exceeding(work.access.snapshot, wanted.role, own)
    if beyond is not None:
        kind, state, act = beyond
        raise Forbidden(
            f"You may give no more than you have there yourself, and for no longer: {wanted.role.value} may "
            f"{act.value} {kind.value} ({state.value}). Ask an administrator.",
            details={"act": act.value, "kind": kind.value, "state": state.value},
        )


def _key(user_name: str, role: str, model_id: int | None, path: str) -> str:
    return f"{user_name}/{role}/{'*' if model_id is None else model_id}{path}"


async def grant_role(
    work: UnitOfWork, user_id: int, role: Role, scope: GrantScope, expires_at: datetime | None = None
) -> int:
    """Give a user a role; returns the grant's id.

    Raises `Forbidden` for more than the principal may give, `NotFound`, `Invalid`, `Taken` when the user has it already.
    """
    await work.lock_stream(ACCESS_STREAM)
    model_id, path = await _place(work, scope)
    _require_may_give(work, Grant(role, model_id, path, expires_at))
    user = (await users_by_id(work.session, [user_id])).get(user_id)
    if user is None:
        raise NotFound("There is no such user.", field=["userId"])
    columns = role_grant.c
    same = (
        columns.user_id == user_id,
        columns.role == role.value,
        columns.model_id.is_not_distinct_from(model_id),
        columns.path == path,
        or_(columns.expires_at.is_(None), columns.expires_at > work.now),
    )
    if await work.session.scalar(select(columns.id).where(*same)) is not None:
        raise Taken(f"{user.name} is {role.value} there already; revoke that first to change its end.", field=["role"])
    grant_id = await add_grant(
        work.session,
        user_id,
        role,
        now=work.now,
        granted_by=work.principal.user_id or None,
        model_id=model_id,
        path=path,
        expires_at=expires_at,
    )
    after = {
        "user_id": user_id,
        "role": role.value,
        "model_id": model_id,
        "path": path,
        "expires_at": None if expires_at is None else expires_at.isoformat(),
    }
    key = _key(user.user_name, role.value, model_id, path)
    work.record(ACCESS_STREAM, ChangeDraft(EntityType.GRANT, ChangeKind.CREATED, grant_id, key, after=after))
    return grant_id


async def revoke_role(work: UnitOfWork, grant_id: int) -> int:
    """Take a grant back, at once in every process; returns its id.

    Raises `NotFound`, `Forbidden`, and `InUse` when nobody would be left to administer the organisation.
    """
    await work.lock_stream(ACCESS_STREAM)
    row = (await grants_by_id(work.session, work.viewer, [grant_id])).get(grant_id)
    if row is None:
        raise NotFound("There is no such grant.", field=["id"])
    _require_may_give(work, Grant(Role(row.role), row.model_id, row.path, row.expires_at))
    await _require_an_administrator_left(work, row)
    await revoke_grant(work.session, grant_id)
    user = (await users_by_id(work.session, [row.user_id]))[row.user_id]
    key = _key(user.user_name, row.role, row.model_id, row.path)
    before = {"user_id": row.user_id, "role": row.role, "model_id": row.model_id, "path": row.path}
    work.record(ACCESS_STREAM, ChangeDraft(EntityType.GRANT, ChangeKind.DELETED, grant_id, key, before=before))
    return grant_id


async def _require_an_administrator_left(work: UnitOfWork, row: Row[Any]) -> None:
    columns = role_grant.c
    whole = (columns.role == Role.ADMIN.value, columns.model_id.is_(None), columns.path == ORGANISATION_PATH)
    if row.role != Role.ADMIN.value or row.model_id is not None or row.path != ORGANISATION_PATH:
        return
    lasting = (columns.expires_at.is_(None), columns.id != row.id)
    if row.expires_at is None and not await work.session.scalar(select(func.count()).where(*whole, *lasting)):
        raise InUse("It is the last administrator of the organisation; name another one first.", field=["id"])


async def note_users(work: UnitOfWork, user_ids: Sequence[int]) -> None:
    """Let every process look again who is suspended or gone: users were changed in this transaction."""
    await work.lock_stream(ACCESS_STREAM)
    draft = ChangeDraft(EntityType.USER, ChangeKind.UPDATED, 0, "users", after={"users": list(user_ids)})
    work.record(ACCESS_STREAM, draft)
