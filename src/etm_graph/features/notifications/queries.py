"""Reading inboxes, follows, webhooks, and which streams have something to be told."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, Select, func, select

from etm_graph.db.paging import Order, Page, apply_page
from etm_graph.db.sessions import ReadSession
from etm_graph.events.tables import stream
from etm_graph.features.notifications.tables import (
    inbox_cursor,
    notification,
    territory_follow,
    webhook,
    webhook_delivery,
)
from etm_graph.features.territories import queries as territories

NEWEST = Order("notifications", (notification.c.id,), descending=True)

USER_STREAMS = -1_000_000
"""The stream of a user's inbox has this number minus the user's."""


class NotificationKind(StrEnum):
    """Why somebody is told."""

    MENTION = "MENTION"
    REPLY = "REPLY"
    REVIEW_REQUEST = "REVIEW_REQUEST"
    REVIEW_DECISION = "REVIEW_DECISION"
    CHALLENGE = "CHALLENGE"
    CHALLENGE_DECISION = "CHALLENGE_DECISION"
    STATE_CHANGE = "STATE_CHANGE"
    TERRITORY_CHANGE = "TERRITORY_CHANGE"


def user_stream(user_id: int) -> int:
    """The id of the stream of a user's inbox."""
    return USER_STREAMS - user_id


def _of(user_id: int, *, unread: bool) -> Select[Any]:
    mine = select(notification).where(notification.c.user_id == user_id)
    return mine.where(notification.c.read_at.is_(None)) if unread else mine


async def list_notifications(session: ReadSession, user_id: int, page: Page, *, unread: bool) -> Sequence[Row[Any]]:
    """A page of somebody's inbox, newest first."""
    return await session.rows(apply_page(_of(user_id, unread=unread), NEWEST, page))


async def count_notifications(session: ReadSession, user_id: int, *, unread: bool) -> int:
    """How many notifications somebody has."""
    return int(await session.scalar(_of(user_id, unread=unread).with_only_columns(func.count())))


async def notifications_by_id(session: ReadSession, user_id: int, ids: Collection[int]) -> dict[int, Row[Any]]:
    """Somebody's own notifications by id."""
    rows = await session.rows(_of(user_id, unread=False).where(notification.c.id.in_(ids)))
    return {row.id: row for row in rows}


async def followed_territories(session: ReadSession, user_id: int, territory_ids: Collection[int]) -> frozenset[int]:
    """Which of the territories somebody follows."""
    columns = territory_follow.c
    rows = await session.rows(
        select(columns.territory_id).where(columns.user_id == user_id, columns.territory_id.in_(territory_ids))
    )
    return frozenset(row.territory_id for row in rows)


async def followers_in(session: ReadSession, model_id: int) -> Sequence[Row[Any]]:
    """Who follows which territories of a model: user_id, territory_id, path."""
    columns, nodes = territory_follow.c, territories.nodes
    return await session.rows(
        select(columns.user_id, columns.territory_id, nodes.c.path)
        .join(nodes, nodes.c.id == columns.territory_id)
        .where(nodes.c.model_id == model_id)
    )


async def untold_streams(session: ReadSession) -> Sequence[int]:
    """Models whose streams have changes that nobody was told of yet."""
    told = func.coalesce(inbox_cursor.c.seq, 0)
    rows = await session.rows(
        select(stream.c.id)
        .outerjoin(inbox_cursor, inbox_cursor.c.stream_id == stream.c.id)
        .where(stream.c.id > 0, stream.c.head > told)
        .order_by(stream.c.id)
    )
    return [row.id for row in rows]


async def webhooks_of(session: ReadSession, user_ids: Collection[int]) -> Mapping[int, Sequence[Row[Any]]]:
    """The webhooks of users, by user."""
    grouped: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in await session.rows(select(webhook).where(webhook.c.user_id.in_(user_ids)).order_by(webhook.c.id)):
        grouped[row.user_id].append(row)
    return grouped


async def deliveries_of(session: ReadSession, webhook_ids: Collection[int]) -> Mapping[int, Sequence[Row[Any]]]:
    """The last 20 messages to each webhook, latest first, by webhook."""
    columns = webhook_delivery.c
    place = func.row_number().over(partition_by=columns.webhook_id, order_by=columns.created_at.desc()).label("place")
    ranked = select(webhook_delivery, place).where(columns.webhook_id.in_(webhook_ids)).subquery()
    grouped: dict[int, list[Row[Any]]] = defaultdict(list)
    latest = 20
    for row in await session.rows(select(ranked).where(ranked.c.place <= latest).order_by(ranked.c.place)):
        grouped[row.webhook_id].append(row)
    return grouped
