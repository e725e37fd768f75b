"""Where somebody's notifications are sent."""

import secrets
from base64 import b64encode
from urllib.parse import urlsplit

from sqlalchemy import delete, func, insert, select

from etm_graph.core.errors import Invalid, NotFound
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.notifications.tables import webhook

WEBHOOKS_MAX = 5
"""Webhooks of one person."""

URL_CHARACTERS_MAX = 2_000
SECRET_BYTES = 24


def check_url(url: str, *, private_allowed: bool) -> str:
    """An address to send to: https, without credentials in it. Raises `Invalid`.

    private_allowed: also http, for a receiver in one's own network.
    """
    parts = urlsplit(url.strip())
    schemes = {"https", "http"} if private_allowed else {"https"}
    good = parts.scheme in schemes and parts.hostname and "@" not in parts.netloc
    if not good or len(url) > URL_CHARACTERS_MAX:
        raise Invalid(f"A webhook's address begins with {' or '.join(sorted(schemes))}://host.", field=["url"])
    return url.strip()


async def create_webhook(work: UnitOfWork, url: str, *, private_allowed: bool) -> tuple[int, str]:
    """Send one's own notifications to an address; the webhook's id and the secret that its messages are signed with.

    Raises `Invalid`.
    """
    address = check_url(url, private_allowed=private_allowed)
    user_id = work.principal.user_id
    count = await work.session.scalar(select(func.count()).where(webhook.c.user_id == user_id))
    if int(count) >= WEBHOOKS_MAX:
        raise Invalid(f"A person has at most {WEBHOOKS_MAX} webhooks; delete one first.", field=["url"])
    secret = "whsec_" + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    values = {"user_id": user_id, "url": address, "secret": secret, "active": True, "created_at": work.now}
    number = await work.session.scalar(insert(webhook).values(**values).returning(webhook.c.id))
    return int(number), secret


async def delete_webhook(work: UnitOfWork, webhook_id: int) -> int:
    """Stop sending to one's own webhook; returns its id. Raises `NotFound`."""
    gone = await work.session.execute(
        delete(webhook).where(webhook.c.id == webhook_id, webhook.c.user_id == work.principal.user_id)
    )
    if gone.rowcount == 0:
        raise NotFound("You have no such webhook.", field=["id"])
    return webhook_id
