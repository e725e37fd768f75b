"""The change feed: what happened in a model, live and resumable (docs/guide/client.md)."""

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID, uuid4

import orjson
import strawberry

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import CRM_STREAM, DISCUSSION, Change, ChangeKind, EntityType
from etm_graph.core.errors import NotFound, ResyncNeeded
from etm_graph.core.lifecycle import GROUP_OF, ModelState
from etm_graph.events.cursors import decode_cursor, encode_cursor
from etm_graph.events.feed import Batch, Follower
from etm_graph.events.log import StreamHead, read_changes_by_number, read_heads
from etm_graph.features.crm.schema.types import User, load_users
from etm_graph.features.models import queries
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.enums import describe
from etm_graph.graphql.ids import encode_id
from etm_graph.graphql.scalars import BigInt

TYPE_NAMES = {
    EntityType.MODEL: "TerritoryModel",
    EntityType.TYPE_PRIORITY: "TerritoryType",
    EntityType.TERRITORY: "Territory",
    EntityType.RULE: "AssignmentRule",
    EntityType.RULE_LINK: "AssignmentRule",
    EntityType.MEMBERSHIP: "TerritoryMembership",
    EntityType.ASSIGNMENT: "Account",
    EntityType.EXCLUSION: "Account",
    EntityType.THREAD: "Thread",
    EntityType.COMMENT: "Comment",
    EntityType.REACTION: "Comment",
    EntityType.REVIEW: "Review",
    EntityType.CHALLENGE: "Challenge",
    EntityType.NOTIFICATION: "Notification",
    EntityType.ACCOUNT: "Account",
    EntityType.OPPORTUNITY: "Opportunity",
    EntityType.USER: "User",
    EntityType.QUOTA: "Quota",
    EntityType.ADJUSTMENT: "ForecastAdjustment",
    EntityType.SUBMISSION: "ForecastSubmission",
    EntityType.GRANT: "RoleGrant",
    EntityType.API_KEY: "ApiKey",
}

describe(
    EntityType,
    "What a change is about.",
    {
        "MODEL": "The territory model itself.",
        "TYPE_PRIORITY": "A territory type's priority in the model.",
        "TERRITORY": "A territory.",
        "RULE": "An assignment rule.",
        "RULE_LINK": "A rule's link to a territory.",
        "MEMBERSHIP": "A user's place in a territory.",
        "ASSIGNMENT": "An account's assignment by hand.",
        "EXCLUSION": "An account kept out of a territory.",
        "THREAD": "A thread of comments.",
        "COMMENT": "A comment.",
        "REACTION": "Somebody's sign on a comment.",
        "REVIEW": "A review of a draft.",
        "CHALLENGE": "A challenge of what a draft does to an account.",
        "NOTIFICATION": "A notification of an inbox.",
        "ACCOUNT": "An account.",
        "OPPORTUNITY": "An opportunity.",
        "USER": "A user.",
        "QUOTA": "A quota, or what an activation carried over.",
        "ADJUSTMENT": "What somebody says that an amount is.",
        "SUBMISSION": "A forecast that was handed in.",
        "GRANT": "A role that was granted.",
        "API_KEY": "A tool's key.",
    },
    name="ChangedEntity",
)
describe(
    ChangeKind,
    "What happened to it.",
    {
        "CREATED": "It is new.",
        "UPDATED": "Fields changed.",
        "MOVED": "It is under another parent.",
        "DELETED": "It is gone.",
        "STATE_CHANGED": "The model is in another state.",
        "RESOLVED": "The thread was resolved.",
        "REOPENED": "The thread was reopened.",
        "IMPORTED": "It came with an import.",
    },
)


@strawberry.type(description="A field of an entity before and after a change.")
class FieldChange:
    """One changed field."""

    field: str = strawberry.field(description="The field's name.")
    before: str | None = strawberry.field(description="Its value before, as JSON; null when the entity was created.")
    after: str | None = strawberry.field(description="Its value after, as JSON; null when the entity was deleted.")


async def _actors(changes: "Sequence[ChangeEvent]", context: Context) -> list[User | None]:
    return await load_users([event.actor_key for event in changes], context)


@strawberry.type(name="Change", description="One entry of a model's stream.")
class ChangeEvent:
    """A change of the log."""

    actor_key: strawberry.Private[int | None]
    cursor: str = strawberry.field(description="Resumes the stream after this change.")
    sequence: BigInt = strawberry.field(description="Its number: consecutive in the model's stream.")
    at: datetime = strawberry.field(description="When it was made.")
    change_set: strawberry.ID = strawberry.field(description="Shared by all changes of one edit, which stand together.")
    message: str | None = strawberry.field(description="What its author said about it.")
    undoes: strawberry.ID | None = strawberry.field(
        description="The change set that this one takes back; null for others."
    )
    entity_type: EntityType = strawberry.field(description="What it is about.")
    kind: ChangeKind = strawberry.field(description="What happened.")
    entity_id: strawberry.ID = strawberry.field(description="Global id of what it is about.")
    key: str = strawberry.field(description="The name that survives cloning: developerNames, joined by /.")
    fields: list[FieldChange] = strawberry.field(description="The fields that changed.")
    actor: User | None = batched(_actors, description="Who made it; null for the system.")


@strawberry.type(description="Nothing that you may see was left out up to here.")
class Checkpoint:
    """A position without a change."""

    cursor: str = strawberry.field(description="Resumes the stream from here.")
    head: BigInt = strawberry.field(description="Number of the stream's last change.")


@strawberry.type(
    description="The reader has fallen behind; what follows is replayed from the log, nothing is left out."
)
class Lagging:
    """A notice."""

    behind: BigInt = strawberry.field(description="How many changes are to be replayed.")


class ResyncReason(StrEnum):
    """Why a stream cannot be resumed."""

    BAD_CURSOR = "BAD_CURSOR"
    TRIMMED = "TRIMMED"
    EPOCH_CHANGED = "EPOCH_CHANGED"


describe(
    ResyncReason,
    "Why a stream cannot be resumed.",
    {
        "BAD_CURSOR": "The cursor is not one of this stream.",
        "TRIMMED": "The changes after the cursor are no longer kept.",
        "EPOCH_CHANGED": "The database was restored from a back-up.",
    },
)


@strawberry.type(description="The stream cannot go on from the cursor: read a new snapshot and use its cursor.")
class ResyncRequired:
    """The end of a stream."""

    reason: ResyncReason = strawberry.field(description="Why.")
    floor: BigInt = strawberry.field(description="Changes up to this number may be gone.")
    head: BigInt = strawberry.field(description="Number of the stream's last change.")


StreamItem = Annotated[
    ChangeEvent | Checkpoint | Lagging | ResyncRequired,
    strawberry.union("StreamItem", description="A change, or a notice about the stream itself."),
]


def _json(value: object) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def change_event(change: Change, cursor: str) -> ChangeEvent:
    """The GraphQL form of a change."""
    draft = change.draft
    names = list(dict.fromkeys((*draft.before, *draft.after)))
    return ChangeEvent(
        actor_key=change.actor_id,
        cursor=cursor,
        sequence=BigInt(change.seq),
        at=change.at,
        change_set=strawberry.ID(str(change.change_set)),
        message=change.message,
        undoes=None if change.undoes is None else strawberry.ID(str(change.undoes)),
        entity_type=draft.entity_type,
        kind=draft.kind,
        entity_id=encode_id(TYPE_NAMES[draft.entity_type], draft.entity_id),
        key=draft.key,
        fields=[
            FieldChange(field=name, before=_json(draft.before.get(name)), after=_json(draft.after.get(name)))
            for name in names
        ],
    )


async def load_change(context: Context, recorded: Sequence[tuple[int, int]]) -> ChangeEvent | None:
    """The last of the changes that a mutation recorded in a model's stream."""
    in_models = [key for key in recorded if key[0] > CRM_STREAM]
    if not in_models:
        return None
    session = await context.session()
    changes = await read_changes_by_number(session, in_models[-1:])
    heads = await read_heads(session, {stream for stream, _ in in_models})
    change = changes.get(in_models[-1])
    if change is None or change.stream_id not in heads:
        return None
    return change_event(change, encode_cursor(heads[change.stream_id].epoch, change.stream_id, change.seq))


Wanted = Callable[[Change], bool]
"""Which changes a stream is of."""


@dataclass(slots=True)
class _Reader:
    """One reader of one model's stream, and what it may see as the stream goes on."""

    context: Context
    model_id: int
    state: ModelState
    owner_id: int | None
    epoch: UUID = field(default_factory=uuid4)
    seq: int = 0
    activated: bool = False

    async def recheck(self) -> None:
        """Take note of changed grants; raises `Unauthenticated` when the reader is no longer let in."""
        known = self.context.principal
        self.context.principal = await self.context.services.refresh(known)
        if self.context.principal != known:
            self._require_model()

    def _require_model(self) -> None:
        own = self.owner_id is not None and self.owner_id == self.context.principal.user_id
        self.context.viewer.require(Act.READ, Kind.MODEL, state=GROUP_OF[self.state], model_id=self.model_id, own=own)

    def _may(self, kind: Kind, path: str) -> bool:
        own = self.owner_id is not None and self.owner_id == self.context.principal.user_id
        return self.context.viewer.may(
            Act.READ, kind, state=GROUP_OF[self.state], model_id=self.model_id, path=path, own=own
        )

    def sees(self, change: Change) -> bool:
        """Whether the reader may be told of this change, in the state the model is in by then."""
        draft = change.draft
        before = self._may(Kind.MODEL, "/")
        if draft.kind is ChangeKind.STATE_CHANGED:
            self.state = ModelState(str(draft.after["state"]))
            self.activated = self.state is ModelState.ACTIVE
        if not before:
            self._require_model()
        paths = {draft.path or "/", str(draft.before.get("path") or draft.path or "/")}
        return draft.entity_type is EntityType.MODEL or any(
            self._may(queries.KINDS[draft.entity_type], path) for path in paths
        )

    def checkpoint(self, head: int) -> Checkpoint:
        """Nothing visible was left out up to the reader's position."""
        return Checkpoint(cursor=encode_cursor(self.epoch, self.model_id, self.seq), head=BigInt(head))

    def tell(self, batch: Batch, wanted: Wanted) -> Iterator[ChangeEvent | Checkpoint | Lagging]:
        """What to say of a batch: its visible changes, and a checkpoint when it ends with hidden ones or is empty."""
        if batch.lagging and batch.changes:
            yield Lagging(behind=BigInt(batch.head.head - self.seq))
        told = self.seq
        for change in batch.changes:
            seen = self.sees(change)
            self.seq = change.seq
            if seen and wanted(change):
                told = change.seq
                yield change_event(change, encode_cursor(self.epoch, self.model_id, change.seq))
            if self.activated:
                return
        if told < self.seq or not batch.changes:
            yield self.checkpoint(batch.head.head)


async def _start(context: Context, model_id: int) -> _Reader:
    found = await queries.models_by_id(await context.session(), context.viewer, {model_id})
    await context.release()
    if model_id not in found:
        raise NotFound("There is no such model.", field=["modelId"])
    row = found[model_id]
    return _Reader(context, model_id, ModelState(row.state), row.created_by)


def start_position(follower: Follower, after: str | None) -> int | ResyncRequired:
    """The number that a cursor stands after (the head without one), or why it cannot be resumed."""
    head = follower.head
    if after is None:
        return head.head
    try:
        seq = decode_cursor(head.epoch, head.stream_id, after)
    except ResyncNeeded:
        return resync(ResyncReason.BAD_CURSOR, head)
    if seq < head.floor:
        return resync(ResyncReason.TRIMMED, head)
    return seq


def resync(reason: ResyncReason, head: StreamHead) -> ResyncRequired:
    """The end of a stream that cannot go on."""
    return ResyncRequired(reason=reason, floor=BigInt(head.floor), head=BigInt(head.head))


Item = ChangeEvent | Checkpoint | Lagging | ResyncRequired


async def follow_model(
    context: Context, model_id: int, after: str | None, wanted: Wanted, *, until_active: bool
) -> AsyncGenerator[Item, None]:
    """The wanted changes of a model from a cursor on (docs/guide/client.md).

    until_active: complete after the model came into force. Holds no session while it waits.
    """
    reader = await _start(context, model_id)
    async with context.services.feed.follow(model_id) as follower:
        position = start_position(follower, after)
        if isinstance(position, ResyncRequired):
            yield position
            return
        reader.epoch, reader.seq = follower.head.epoch, position
        if after is None:
            yield reader.checkpoint(position)
        while not (until_active and reader.activated):
            batch = await follower.after(reader.seq, timeout_s=context.services.settings.checkpoint_interval_s)
            await reader.recheck()
            if batch.head.epoch != reader.epoch:
                yield resync(ResyncReason.EPOCH_CHANGED, batch.head)
                return
            for item in reader.tell(batch, wanted):
                yield item
                await context.release()


def is_discussion(change: Change) -> bool:
    """Whether a change is an event of a thread."""
    return change.draft.entity_type in DISCUSSION
