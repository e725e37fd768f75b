"""Queries, mutations and the subscription of inboxes and webhooks."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import strawberry
from sqlalchemy.dialects.postgresql import insert
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.events.cursors import encode_cursor
from etm_graph.events.feed import Batch
from etm_graph.events.tables import stream
from etm_graph.features.models.schema.feed import (
    Checkpoint,
    Lagging,
    ResyncReason,
    ResyncRequired,
    resync,
    start_position,
)
from etm_graph.features.models.schema.roots import KEY_MEANING, StreamAfter
from etm_graph.features.notifications import queries, service
from etm_graph.features.notifications.queries import user_stream
from etm_graph.features.notifications.schema.types import OWN_INBOX, Notification, Webhook, load_notifications
from etm_graph.features.territories.schema.types import Territory, load_territories
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs, open_to_callers
from etm_graph.graphql.extending import extend
from etm_graph.graphql.ids import decode_id
from etm_graph.graphql.mutations import UserError, mutate
from etm_graph.graphql.pages import After, Before, Connection, First, Last, connect, make_page
from etm_graph.graphql.scalars import BigInt

ContextInfo = Info[Context, None]


async def _count(keys: Sequence[bool], context: Context) -> list[int]:
    session, user_id = await context.session(), context.principal.user_id
    return [await queries.count_notifications(session, user_id, unread=unread) for unread in keys]


@needs(Act.READ, Kind.TERRITORY)
async def _followed(territories: Sequence[Territory], context: Context) -> list[bool]:
    session, user_id = await context.session(), context.principal.user_id
    found = await queries.followed_territories(session, user_id, {territory.key for territory in territories})
    return [territory.key in found for territory in territories]


extend(
    Territory,
    "is_followed",
    bool,
    batched(_followed, description="Whether you are told of changes in it and below it."),
)


@strawberry.type
class NotificationQuery:
    """Root fields that read one's own inbox."""

    @strawberry.field(description="Your inbox, newest first.")
    @open_to_callers(OWN_INBOX)
    async def notifications(
        self,
        info: ContextInfo,
        unread_only: Annotated[bool, strawberry.argument(description="Only what you have not read.")] = False,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Notification]:
        """A page of the inbox."""
        context = info.context
        page = make_page(context, first, after, last, before)
        session, user_id = await context.session(), context.principal.user_id
        rows = await queries.list_notifications(session, user_id, page, unread=unread_only)
        return connect(rows, queries.NEWEST, page, Notification.of, (_count, unread_only, {}))

    @strawberry.field(description="How much of your inbox you have not read.")
    @open_to_callers(OWN_INBOX)
    async def unread_notification_count(self, info: ContextInfo) -> int:
        """How many are unread."""
        return (await _count([True], info.context))[0]

    @strawberry.field(description="Where your notifications are sent.")
    @open_to_callers(OWN_INBOX)
    async def webhooks(self, info: ContextInfo) -> list[Webhook]:
        """One's own webhooks."""
        user_id = info.context.principal.user_id
        found = await queries.webhooks_of(await info.context.session(), [user_id])
        return [Webhook.of(row) for row in found.get(user_id, ())]


@strawberry.input(description="What to mark as read.")
class NotificationMarkReadInput:
    """Input of notificationMarkRead."""

    ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Notifications of your inbox; null for all."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.type(description="What marking did.")
class NotificationMarkReadPayload:
    """Count, or errors."""

    marked_count: int = strawberry.field(description="How many were unread.")
    unread_count: int = strawberry.field(description="How many are unread now.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.input(description="Which territory.")
class TerritoryFollowInput:
    """Input of territoryFollow and territoryUnfollow."""

    id: strawberry.ID = strawberry.field(description="The territory.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.type(description="What following did.")
class TerritoryFollowPayload:
    """Territory, or errors."""

    territory: Territory | None = strawberry.field(description="The territory.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.input(description="An address for your notifications.")
class WebhookCreateInput:
    """Input of webhookCreate."""

    url: str = strawberry.field(description="It gets a POST for every notification; https.")


@strawberry.input(description="Which webhook.")
class WebhookDeleteInput:
    """Input of webhookDelete."""

    id: strawberry.ID = strawberry.field(description="The webhook.")


@strawberry.type(description="What a mutation of a webhook did.")
class WebhookPayload:
    """Webhook, or errors."""

    webhook: Webhook | None = strawberry.field(description="The webhook; null when it is gone or was refused.")
    secret: str | None = strawberry.field(
        description="What its messages are signed with (whsec_…); shown this one time only."
    )
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


async def _follow(context: Context, input: TerritoryFollowInput, *, following: bool) -> TerritoryFollowPayload:
    outcome = await mutate(
        context,
        input,
        lambda work: service.follow_territory(work, decode_id(input.id, "Territory"), following=following),
    )
    found = None if outcome.result is None else (await load_territories([outcome.result], context))[0]
    return TerritoryFollowPayload(territory=found, user_errors=outcome.errors)


@strawberry.type
class NotificationMutation:
    """Root fields that change one's own inbox."""

    @strawberry.mutation(description="Mark notifications as read, all or some.")
    @open_to_callers(OWN_INBOX)
    async def notification_mark_read(
        self, info: ContextInfo, input: NotificationMarkReadInput
    ) -> NotificationMarkReadPayload:
        """Mark as read."""
        context = info.context
        outcome = await mutate(
            context,
            input,
            lambda work: service.mark_read(
                work,
                None if input.ids is None else [decode_id(one, "Notification", field="ids") for one in input.ids],
            ),
        )
        unread = (await _count([True], context))[0]
        return NotificationMarkReadPayload(
            marked_count=outcome.result or 0, unread_count=unread, user_errors=outcome.errors
        )

    @strawberry.mutation(description="Be told of changes in a territory and below it.")
    @needs(Act.READ, Kind.TERRITORY)
    async def territory_follow(self, info: ContextInfo, input: TerritoryFollowInput) -> TerritoryFollowPayload:
        """Follow."""
        return await _follow(info.context, input, following=True)

    @strawberry.mutation(description="Be told no more of a territory.")
    @needs(Act.READ, Kind.TERRITORY)
    async def territory_unfollow(self, info: ContextInfo, input: TerritoryFollowInput) -> TerritoryFollowPayload:
        """Do not follow."""
        return await _follow(info.context, input, following=False)

    @strawberry.mutation(description="Have your notifications sent to an address; at most 5.")
    @open_to_callers(OWN_INBOX)
    async def webhook_create(self, info: ContextInfo, input: WebhookCreateInput) -> WebhookPayload:
        """Create a webhook."""
        context = info.context
        allowed = context.services.settings.webhook_private_allowed
        outcome = await mutate(
            context, input, lambda work: service.create_webhook(work, input.url, private_allowed=allowed)
        )
        number, secret = outcome.result or (None, None)
        user_id = context.principal.user_id
        rows = (await queries.webhooks_of(await context.session(), [user_id])).get(user_id, ())
        made = next((Webhook.of(row) for row in rows if row.id == number), None)
        return WebhookPayload(webhook=made, secret=secret, user_errors=outcome.errors)

    @strawberry.mutation(description="Send to an address no more; what is still in the outbox is dropped.")
    @open_to_callers(OWN_INBOX)
    async def webhook_delete(self, info: ContextInfo, input: WebhookDeleteInput) -> WebhookPayload:
        """Delete a webhook."""
        outcome = await mutate(
            info.context, input, lambda work: service.delete_webhook(work, decode_id(input.id, "Webhook"))
        )
        return WebhookPayload(webhook=None, secret=None, user_errors=outcome.errors)


@strawberry.type(description="That a notification is new, or was read.")
class NotificationEvent:
    """An event of an inbox."""

    notification_key: strawberry.Private[int]
    cursor: str = strawberry.field(description="Resumes the stream after this event.")
    sequence: BigInt = strawberry.field(description="Its number in your inbox's stream.")
    notification: Notification | None = batched(
        lambda parents, context: load_notifications([parent.notification_key for parent in parents], context),
        description="The notification as it is now.",
    )


NotificationItem = Annotated[
    NotificationEvent | Checkpoint | Lagging | ResyncRequired,
    strawberry.union("NotificationItem", description="An event of your inbox, or a notice about the stream itself."),
]


async def _ensure_stream(context: Context, stream_id: int) -> None:
    async with context.services.database.write() as session:
        await session.execute(insert(stream).values(id=stream_id).on_conflict_do_nothing())


@dataclass(slots=True)
class _Inbox:
    """The reader of one's own inbox."""

    context: Context
    stream_id: int
    epoch: UUID
    seq: int

    def checkpoint(self, head: int) -> Checkpoint:
        """Nothing was left out up to here."""
        return Checkpoint(cursor=encode_cursor(self.epoch, self.stream_id, self.seq), head=BigInt(head))

    def tell(self, batch: Batch) -> Iterator[NotificationEvent | Checkpoint | Lagging]:
        """What to say of a batch."""
        if batch.lagging and batch.changes:
            yield Lagging(behind=BigInt(batch.head.head - self.seq))
        for change in batch.changes:
            self.seq = change.seq
            yield NotificationEvent(
                notification_key=change.draft.entity_id,
                cursor=encode_cursor(self.epoch, self.stream_id, change.seq),
                sequence=BigInt(change.seq),
            )
        if not batch.changes:
            yield self.checkpoint(batch.head.head)


@strawberry.type
class NotificationSubscription:
    """Root fields that follow one's own inbox."""

    @strawberry.subscription(description="What comes into your inbox and what becomes of it, live; resumable.")
    @open_to_callers(OWN_INBOX)
    async def notifications(
        self, info: ContextInfo, after: StreamAfter = None
    ) -> AsyncGenerator[NotificationItem, None]:
        """Follow the inbox."""
        context = info.context
        stream_id = user_stream(context.principal.user_id)
        await _ensure_stream(context, stream_id)
        interval = context.services.settings.checkpoint_interval_s
        async with context.services.feed.follow(stream_id) as follower:
            position = start_position(follower, after)
            if isinstance(position, ResyncRequired):
                yield position
                return
            inbox = _Inbox(context, stream_id, follower.head.epoch, position)
            if after is None:
                yield inbox.checkpoint(position)
            while True:
                batch = await follower.after(inbox.seq, timeout_s=interval)
                context.principal = await context.services.refresh(context.principal)
                if batch.head.epoch != inbox.epoch:
                    yield resync(ResyncReason.EPOCH_CHANGED, batch.head)
                    return
                for item in inbox.tell(batch):
                    yield item
                    await context.release()
