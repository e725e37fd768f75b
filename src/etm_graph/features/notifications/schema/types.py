"""GraphQL types of inboxes and webhooks."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

import strawberry
from sqlalchemy import Row

from etm_graph.features.crm.schema.types import User, load_users
from etm_graph.features.models.schema.types import TerritoryModel, load_models
from etm_graph.features.notifications import queries
from etm_graph.features.notifications.queries import NotificationKind
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import open_to_callers
from etm_graph.graphql.enums import describe
from etm_graph.graphql.ids import Node, encode_id
from etm_graph.graphql.scalars import BigInt

OWN_INBOX = "everybody has an inbox of their own and sees no other"

describe(
    NotificationKind,
    "Why you are told.",
    {
        "MENTION": "Somebody mentioned you in a comment.",
        "REPLY": "Somebody answered in a thread that you follow.",
        "REVIEW_REQUEST": "Somebody asks you to review a draft.",
        "REVIEW_DECISION": "A review that you asked for was decided.",
        "CHALLENGE": "A challenge was filed against a draft of yours.",
        "CHALLENGE_DECISION": "Your challenge was decided.",
        "STATE_CHANGE": "A model that you created or worked on is in another state.",
        "TERRITORY_CHANGE": "Something changed in a territory that you follow.",
    },
)


async def _actors(notifications: "Sequence[Notification]", context: Context) -> list[User | None]:
    return await load_users([one.actor_key for one in notifications], context)


async def _models(notifications: "Sequence[Notification]", context: Context) -> list[TerritoryModel | None]:
    return await load_models([one.model_key for one in notifications], context)


@strawberry.type(description="One thing that you are told.")
@open_to_callers(OWN_INBOX)
class Notification(Node):
    """A row of notification."""

    key: strawberry.Private[int]
    actor_key: strawberry.Private[int | None]
    model_key: strawberry.Private[int]
    kind: NotificationKind = strawberry.field(description="Why you are told.")
    at: datetime = strawberry.field(description="When it happened.")
    read_at: datetime | None = strawberry.field(description="When you marked it as read; null while it is unread.")
    label: str = strawberry.field(description="What it is about, for people.")
    subject_id: strawberry.ID = strawberry.field(
        description="Global id of what it is about: a comment, a review, a challenge, a model, a territory."
    )
    sequence: BigInt = strawberry.field(description="Number of the change in the model's stream.")
    actor: User | None = batched(_actors, description="Who did it; null for the system.")
    model: TerritoryModel | None = batched(_models, description="The model, when you may read it.")

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The notification of a row."""
        return cls(
            id=encode_id("Notification", row.id),
            key=row.id,
            actor_key=row.actor_id,
            model_key=row.model_id,
            kind=NotificationKind(row.kind),
            at=row.at,
            read_at=row.read_at,
            label=row.label,
            subject_id=encode_id(row.subject_type, row.subject_id),
            sequence=BigInt(row.seq),
        )


async def load_notifications(ids: Sequence[int], context: Context) -> list[Notification | None]:
    """One's own notifications by id."""
    session, user_id = await context.session(), context.principal.user_id
    found = await queries.notifications_by_id(session, user_id, set(ids))
    return [Notification.of(found[number]) if number in found else None for number in ids]


@strawberry.type(description="A message to a webhook.")
class WebhookDelivery:
    """A row of webhook_delivery."""

    message_id: str = strawberry.field(
        description="The `webhook-id` that the receiver sees; the same at every attempt."
    )
    created_at: datetime = strawberry.field(description="When it was put into the outbox.")
    attempts: int = strawberry.field(description="How often it was tried.")
    delivered_at: datetime | None = strawberry.field(description="When the receiver took it; null while it did not.")
    next_at: datetime | None = strawberry.field(description="When it is tried next; null when never again.")
    error: str | None = strawberry.field(description="What went wrong the last time.")


async def _deliveries(webhooks: "Sequence[Webhook]", context: Context) -> list[list[WebhookDelivery]]:
    found = await queries.deliveries_of(await context.session(), {webhook.key for webhook in webhooks})
    return [
        [
            WebhookDelivery(
                message_id=f"msg_{row.id}",
                created_at=row.created_at,
                attempts=row.attempts,
                delivered_at=row.delivered_at,
                next_at=row.next_at,
                error=row.error,
            )
            for row in found.get(webhook.key, ())
        ]
        for webhook in webhooks
    ]


@strawberry.type(description="An address that gets your notifications, signed as Standard Webhooks has it.")
@open_to_callers(OWN_INBOX)
class Webhook:
    """A row of webhook."""

    key: strawberry.Private[int]
    id: strawberry.ID = strawberry.field(description="Names it in webhookDelete.")
    url: str = strawberry.field(description="The address.")
    is_active: bool = strawberry.field(description="False after the receiver said 410 Gone.")
    created_at: datetime = strawberry.field(description="When it was made.")
    deliveries: list[WebhookDelivery] = batched(_deliveries, description="Its last 20 messages, latest first.")

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The webhook of a row."""
        return cls(
            key=row.id,
            id=encode_id("Webhook", row.id),
            url=row.url,
            is_active=row.active,
            created_at=row.created_at,
        )
