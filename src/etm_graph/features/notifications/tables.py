"""Tables of inboxes and webhooks."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlmodel import Field

from etm_graph.db.base import BigInt, Json, Table, Timestamp, core_table, identity


class NotificationRow(Table, table=True):
    """One thing that somebody is told. The subject is named by its type and number, as in global ids."""

    __tablename__ = "notification"
    __table_args__ = (
        Index("ix_notification_user_id", "user_id", "id"),
        Index("ix_notification_unread", "user_id", "id", postgresql_where=text("read_at IS NULL")),
    )

    id: int = identity()
    user_id: int = Field(foreign_key="app_user.id", sa_type=BigInt)
    kind: str
    model_id: int = Field(foreign_key="territory_model.id", ondelete="CASCADE", sa_type=BigInt, index=True)
    seq: int = Field(sa_type=BigInt)
    actor_id: int | None = Field(default=None, sa_type=BigInt)
    subject_type: str
    subject_id: int = Field(sa_type=BigInt)
    label: str
    at: datetime = Field(sa_type=Timestamp)
    read_at: datetime | None = Field(default=None, sa_type=Timestamp)


class TerritoryFollowRow(Table, table=True):
    """Somebody who wants to be told of changes in a territory and below it."""

    __tablename__ = "territory_follow"

    user_id: int = Field(primary_key=True, foreign_key="app_user.id", sa_type=BigInt)
    territory_id: int = Field(
        primary_key=True, foreign_key="territory.id", ondelete="CASCADE", sa_type=BigInt, index=True
    )


class InboxCursorRow(Table, table=True):
    """How far a model's stream has been told; its lock is the turn of whoever tells it."""

    __tablename__ = "inbox_cursor"

    stream_id: int = Field(primary_key=True, foreign_key="stream.id", ondelete="CASCADE", sa_type=BigInt)
    seq: int = Field(sa_type=BigInt)


class WebhookRow(Table, table=True):
    """An address that gets somebody's notifications, signed with the secret (Standard Webhooks)."""

    __tablename__ = "webhook"

    id: int = identity()
    user_id: int = Field(foreign_key="app_user.id", sa_type=BigInt, index=True)
    url: str
    secret: str
    active: bool = True
    created_at: datetime = Field(sa_type=Timestamp)


class DeliveryRow(Table, table=True):
    """The outbox: one message to one webhook, until it is taken or given up."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (Index("ix_webhook_delivery_due", "next_at", postgresql_where=text("next_at IS NOT NULL")),)

    id: UUID = Field(primary_key=True, sa_column_kwargs={"server_default": text("gen_random_uuid()")})
    webhook_id: int = Field(foreign_key="webhook.id", ondelete="CASCADE", sa_type=BigInt, index=True)
    body: dict[str, Any] = Field(sa_type=Json)
    created_at: datetime = Field(sa_type=Timestamp)
    next_at: datetime | None = Field(default=None, sa_type=Timestamp)
    attempts: int = 0
    delivered_at: datetime | None = Field(default=None, sa_type=Timestamp)
    error: str | None = None


notification = core_table(NotificationRow)
territory_follow = core_table(TerritoryFollowRow)
inbox_cursor = core_table(InboxCursorRow)
webhook = core_table(WebhookRow)
webhook_delivery = core_table(DeliveryRow)
