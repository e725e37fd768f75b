"""API keys for tools: `etm_<environment>_<8-character id>_<43-character secret>`, shown once, kept as a hash.

The secret has 256 random bits, so one round of SHA-256 is enough and a slow hash would only invite a flood. The hash is
of the whole key, so that no part of it can be exchanged.
"""

import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import insert, select, update

from etm_graph.core.access import Grant, Role
from etm_graph.core.errors import NotFound
from etm_graph.db.sessions import ReadSession, WriteSession
from etm_graph.identity.tables import api_key

PREFIX = "etm_"
LIFE_DEFAULT = timedelta(days=90)
USE_NOTED_EVERY = timedelta(minutes=1)
OVERLAP_DEFAULT = timedelta(days=1)
"""How long the old key of a rotation still works."""

_ENVIRONMENT = re.compile(r"[a-z][a-z0-9]{0,15}")
_FORM = re.compile(r"etm_[a-z][a-z0-9]{0,15}_([a-z2-7]{8})_[A-Za-z0-9_-]{43}", re.ASCII)
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


@dataclass(frozen=True, slots=True)
class LiveKey:
    """What a valid key says: its public id, whose it is, when it ends, what it is held to (None: all of the user's)."""

    key_id: str
    user_id: int
    expires_at: datetime
    scopes: tuple[Grant, ...] | None = None


def _hash(key: str) -> bytes:
    return sha256(key.encode()).digest()


_NOBODY = _hash("nobody")


async def create_api_key(
    session: WriteSession,
    user_id: int,
    name: str,
    *,
    now: datetime,
    created_by: int | None = None,
    life: timedelta = LIFE_DEFAULT,
    environment: str = "live",
    scopes: Sequence[Grant] | None = None,
) -> str:
    """Make a key for a user; it is returned here and never again.

    environment: lower-case letters and digits, for people and scanners to tell keys apart. scopes: what the key is held
    to, of the rights that its user has whenever it is used; None for all of them. Raises `ValueError` for any
    other text and for a life that is over at once.
    """
    if _ENVIRONMENT.fullmatch(environment) is None or life <= timedelta(0):
        raise ValueError("a key has an environment of up to 16 lower-case letters and digits, and a life")
    key_id = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    key = f"{PREFIX}{environment}_{key_id}_{secrets.token_urlsafe(32)}"
    await session.execute(
        insert(api_key).values(
            id=key_id,
            secret_hash=_hash(key),
            name=name,
            user_id=user_id,
            created_by=created_by,
            created_at=now,
            expires_at=now + life,
            scopes=_stored(scopes),
        )
    )
    return key


def scopes_of(stored: list[dict[str, Any]] | None) -> tuple[Grant, ...] | None:
    """What a key is held to, as it is stored."""
    if stored is None:
        return None
    return tuple(Grant(Role(scope["role"]), scope["model_id"], scope["path"]) for scope in stored)


def _stored(scopes: Sequence[Grant] | None) -> list[dict[str, Any]] | None:
    if scopes is None:
        return None
    return [{"role": scope.role.value, "model_id": scope.model_id, "path": scope.path} for scope in scopes]


async def note_use(session: WriteSession, key_id: str, now: datetime) -> None:
    """Note that a key was used; to the minute, so that a busy key writes little."""
    columns = api_key.c
    stale = columns.last_used_at.is_(None) | (columns.last_used_at < now - USE_NOTED_EVERY)
    await session.execute(update(api_key).where(columns.id == key_id, stale).values(last_used_at=now))


async def verify_api_key(session: ReadSession, key: str, now: datetime) -> LiveKey | None:
    """Recognise a valid key; None for any other, after the same work."""
    form = _FORM.fullmatch(key)
    if form is None:
        return None
    row = await session.row(select(api_key).where(api_key.c.id == form[1]))
    genuine = hmac.compare_digest(_hash(key), _NOBODY if row is None else bytes(row.secret_hash))
    if row is None or not genuine or row.revoked_at is not None or row.expires_at <= now:
        return None
    return LiveKey(row.id, int(row.user_id), row.expires_at, scopes_of(row.scopes))


async def is_key_live(session: ReadSession, key_id: str, now: datetime) -> bool:
    """Whether a key that was presented before is neither revoked nor over."""
    columns = api_key.c
    live = select(columns.id).where(columns.id == key_id, columns.revoked_at.is_(None), columns.expires_at > now)
    return await session.row(live) is not None


async def rotate_api_key(
    session: WriteSession,
    key_id: str,
    *,
    now: datetime,
    created_by: int | None = None,
    life: timedelta = LIFE_DEFAULT,
    overlap: timedelta = OVERLAP_DEFAULT,
    environment: str = "live",
) -> str:
    """Make a successor of a live key, returned here and never again; the old one works for `overlap` longer at most.

    Raises `NotFound` when there is no such live key.
    """
    columns = api_key.c
    live = (columns.id == key_id, columns.revoked_at.is_(None), columns.expires_at > now)
    wanted = select(columns.user_id, columns.name, columns.expires_at, columns.scopes)
    old = await session.row(wanted.where(*live).with_for_update())
    if old is None:
        raise NotFound("There is no such API key that still works; create a new one.")
    ends = min(old.expires_at, now + overlap)
    await session.execute(update(api_key).where(columns.id == key_id).values(expires_at=ends))
    return await create_api_key(
        session,
        old.user_id,
        old.name,
        now=now,
        created_by=created_by,
        life=life,
        environment=environment,
        scopes=scopes_of(old.scopes),
    )


async def revoke_api_key(session: WriteSession, key_id: str, now: datetime) -> bool:
    """End a key at once; False when there is none."""
    ended = await session.execute(
        update(api_key).where(api_key.c.id == key_id, api_key.c.revoked_at.is_(None)).values(revoked_at=now)
    )
    return ended.rowcount == 1
