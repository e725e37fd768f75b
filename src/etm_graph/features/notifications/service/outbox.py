"""The outbox of webhooks: messages are claimed, sent outside any transaction, and noted as taken or to be tried again."""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select, update

from etm_graph.db.sessions import WriteSession
from etm_graph.features.notifications.tables import webhook, webhook_delivery

Address = IPv4Address | IPv6Address

BACK_OFF_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds after each failed attempt until the next; after the last a message is given up (Standard Webhooks)."""

CLAIM = timedelta(minutes=1)
"""How long a claimed message is left alone; who claimed it may have died."""

CLAIMED_MAX = 20
GONE = 410


@dataclass(frozen=True, slots=True)
class Message:
    """A message to send. attempts: with this one."""

    id: UUID
    webhook_id: int
    url: str
    secret: str
    body: bytes
    attempts: int

    def headers(self, at: datetime) -> dict[str, str]:
        """The headers that let the receiver check who sent it, when, and that it is whole."""
        stamp = str(int(at.timestamp()))
        key = b64decode(self.secret.removeprefix("whsec_"))
        signed = hmac.new(key, f"msg_{self.id}.{stamp}.".encode() + self.body, sha256).digest()
        return {
            "content-type": "application/json",
            "webhook-id": f"msg_{self.id}",
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{b64encode(signed).decode()}",
        }


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet, also when it is wrapped in IPv6."""
    found: Address = ip_address(address)
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or found.sixtofour or found
    return found.is_global and not found.is_multicast


async def claim_messages(session: WriteSession, now: datetime) -> Sequence[Message]:
    """The messages that are due, for the caller alone for a while."""
    columns = webhook_delivery.c
    due = (
        select(columns.id)
        .where(columns.next_at <= now)
        .order_by(columns.next_at)
        .limit(CLAIMED_MAX)
        .with_for_update(skip_locked=True)
    )
    claimed = await session.rows(
        update(webhook_delivery)
        .where(columns.id.in_(due.scalar_subquery()), webhook.c.id == columns.webhook_id)
        .values(next_at=now + CLAIM, attempts=columns.attempts + 1)
        .returning(columns.id, columns.webhook_id, columns.body, columns.attempts, webhook.c.url, webhook.c.secret)
    )
    return [
        Message(row.id, row.webhook_id, row.url, row.secret, orjson.dumps(row.body), row.attempts) for row in claimed
    ]


async def note_delivery(
    session: WriteSession, message: Message, now: datetime, *, error: str | None, status: int | None
) -> None:
    """Note what became of an attempt: taken, to be tried again, or given up; 410 switches the webhook off."""
    columns = webhook_delivery.c
    values: dict[str, Any] = {"error": error, "next_at": None}
    if error is None:
        values["delivered_at"] = now
    elif status != GONE and message.attempts <= len(BACK_OFF_S):
        values["next_at"] = now + timedelta(seconds=BACK_OFF_S[message.attempts - 1])
    await session.execute(update(webhook_delivery).where(columns.id == message.id).values(**values))
    if status == GONE:
        await session.execute(update(webhook).where(webhook.c.id == message.webhook_id).values(active=False))
        await session.execute(
            update(webhook_delivery).where(columns.webhook_id == message.webhook_id).values(next_at=None)
        )
