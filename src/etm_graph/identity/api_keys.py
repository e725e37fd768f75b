"""API keys for tools: `etm_<8-character id>_<secret>`, shown once, kept as a hash.

The secret has 256 random bits, so one round of SHA-256 is enough and a slow hash would only invite a flood.
"""

import hmac
import re
import secrets
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import insert, select, update

from etm_graph.db.sessions import ReadSession, WriteSession
from etm_graph.identity.tables import api_key

PREFIX = "etm_"
LIFE_DEFAULT = timedelta(days=90)
_FORM = re.compile(r"etm_([a-z2-7]{8})_([A-Za-z0-9_-]{43})")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


_NOBODY = _hash("nobody")


async def create_api_key(
    session: WriteSession,
    user_id: int,
    name: str,
    *,
    now: datetime,
    created_by: int | None = None,
    life: timedelta = LIFE_DEFAULT,
) -> str:
    """A new key for a user; it is returned here and never again. Two keys may live at a time, to rotate them."""
    key_id = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    secret = secrets.token_urlsafe(32)
    await session.execute(
        insert(api_key).values(
            id=key_id,
            secret_hash=_hash(secret),
            name=name,
            user_id=user_id,
            created_by=created_by,
            created_at=now,
            expires_at=now + life,
        )
    )
    return f"{PREFIX}{key_id}_{secret}"


async def verify_api_key(session: ReadSession, key: str, now: datetime) -> tuple[int, datetime] | None:
    """The user and the end of a valid key; None for any other, in the same time."""
    form = _FORM.fullmatch(key)
    if form is None:
        return None
    row = await session.row(select(api_key).where(api_key.c.id == form[1]))
    genuine = hmac.compare_digest(_hash(form[2]), _NOBODY if row is None else bytes(row.secret_hash))
    if row is None or not genuine or row.revoked_at is not None or row.expires_at <= now:
        return None
    return int(row.user_id), row.expires_at


async def revoke_api_key(session: WriteSession, key_id: str, now: datetime) -> bool:
    """End a key at once; False when there is none."""
    ended = await session.execute(
        update(api_key).where(api_key.c.id == key_id, api_key.c.revoked_at.is_(None)).values(revoked_at=now)
    )
    return ended.rowcount == 1
