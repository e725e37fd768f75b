"""Making API keys for tools, rotating them, ending them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, select

from etm_graph.access.decisions import is_live
from etm_graph.access.grants import check_path
from etm_graph.core.access import Act, Grant, Kind
from etm_graph.core.changes import ACCESS_STREAM, ChangeDraft, ChangeKind, EntityType
from etm_graph.core.errors import Forbidden, Invalid, NotFound
from etm_graph.core.names import check_name
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm.queries import users_by_id
from etm_graph.features.models.queries import models_by_id
from etm_graph.identity.api_keys import create_api_key, revoke_api_key, rotate_api_key
from etm_graph.identity.principal import AuthMethod
from etm_graph.identity.tables import api_key

DAYS_MAX = 365
OVERLAP_HOURS_MAX = 24 * 30
SCOPES_MAX = 50


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made: its public id, and the secret, which is shown now and never again."""

    key_id: str
    secret: str


def _require_may(work: UnitOfWork, act: Act, owner_id: int) -> None:
    """Pass when the principal may do this to a key of that user; raise `Forbidden` otherwise.

    Wherever a role is granted, it allows the own keys: a key has no more rights than its user. Keys of others take a
    grant on the whole organisation.
    """
    if work.principal.method is AuthMethod.API_KEY:
        raise Forbidden("A key makes and ends no keys; sign in as a person.")
    own = owner_id == work.principal.user_id
    for grant in work.principal.grants if own else ():
        if is_live(grant, work.now) and work.viewer.may(
            act, Kind.POLICY, model_id=grant.model_id, path=grant.path, own=own
        ):
            work.viewer.require(act, Kind.POLICY, model_id=grant.model_id, path=grant.path, own=own)
            return
    work.viewer.require(act, Kind.POLICY, own=own)


async def _check_scopes(work: UnitOfWork, scopes: Sequence[Grant]) -> None:
    if not 0 < len(scopes) <= SCOPES_MAX:
        raise Invalid(f"A key is held to 1 to {SCOPES_MAX} scopes, or to none by leaving them out.", field=["scopes"])
    models = {scope.model_id for scope in scopes if scope.model_id is not None}
    if models - set(await models_by_id(work.session, work.viewer, models)):
        raise NotFound("There is no such model.", field=["scopes"])
    for scope in scopes:
        check_path(scope.path)


async def make_key(
    work: UnitOfWork,
    owner_id: int,
    name: str,
    *,
    days: int,
    environment: str,
    scopes: Sequence[Grant] | None = None,
) -> NewKey:
    """Make a key of a user for a tool. Raises `Forbidden`, `NotFound`, `Invalid`."""
    await work.lock_stream(ACCESS_STREAM)
    _require_may(work, Act.CREATE, owner_id)
    owner = (await users_by_id(work.session, [owner_id])).get(owner_id)
    if owner is None:
        raise NotFound("There is no such user.", field=["userId"])
    if not 0 < days <= DAYS_MAX:
        raise Invalid(f"A key is good for 1 to {DAYS_MAX} days.", field=["days"])
    if scopes is not None:
        await _check_scopes(work, scopes)
    secret = await create_api_key(
        work.session,
        owner_id,
        check_name(name),
        now=work.now,
        created_by=work.principal.user_id or None,
        life=timedelta(days=days),
        environment=environment,
        scopes=scopes,
    )
    return _record(work, secret, ChangeKind.CREATED, owner_id)


def _record(work: UnitOfWork, secret: str, kind: ChangeKind, owner_id: int) -> NewKey:
    key_id = public_id(secret)
    draft = ChangeDraft(EntityType.API_KEY, kind, 0, key_id, after={"user_id": owner_id})
    work.record(ACCESS_STREAM, draft)
    return NewKey(key_id, secret)


def public_id(secret: str) -> str:
    """The part of a key that may be known."""
    return secret.split("_", 3)[2]


async def _find(work: UnitOfWork, key_id: str) -> Row[Any]:
    await work.lock_stream(ACCESS_STREAM)
    columns = api_key.c
    row = await work.session.row(select(columns.id, columns.user_id).where(columns.id == key_id))
    readable = row is not None and (row.user_id == work.principal.user_id or work.viewer.may(Act.READ, Kind.POLICY))
    if row is None or not readable:
        raise NotFound("There is no such API key.", field=["publicId"])
    return row


async def rotate_key(work: UnitOfWork, key_id: str, *, overlap_hours: int, environment: str) -> NewKey:
    """Make the successor of a live key; both work for `overlap_hours`. Raises `NotFound`, `Forbidden`, `Invalid`."""
    row = await _find(work, key_id)
    _require_may(work, Act.UPDATE, row.user_id)
    if not 0 <= overlap_hours <= OVERLAP_HOURS_MAX:
        raise Invalid(f"Both keys work for 0 to {OVERLAP_HOURS_MAX} hours.", field=["overlapHours"])
    secret = await rotate_api_key(
        work.session,
        key_id,
        now=work.now,
        created_by=work.principal.user_id or None,
        overlap=timedelta(hours=overlap_hours),
        environment=environment,
    )
    return _record(work, secret, ChangeKind.CREATED, row.user_id)


async def end_key(work: UnitOfWork, key_id: str) -> str:
    """End a key at once in every process; returns its public id. Raises `NotFound`, `Forbidden`."""
    row = await _find(work, key_id)
    _require_may(work, Act.DELETE, row.user_id)
    if await revoke_api_key(work.session, key_id, work.now):
        draft = ChangeDraft(EntityType.API_KEY, ChangeKind.DELETED, 0, key_id, before={"user_id": row.user_id})
        work.record(ACCESS_STREAM, draft)
    return key_id
