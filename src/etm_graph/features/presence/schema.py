"""Presence through GraphQL: a heartbeat that says where one is, and a subscription that shows where others are."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Annotated

import strawberry
from strawberry.types import Info

from etm_graph.core.access import ORGANISATION_PATH, Act, Kind
from etm_graph.core.errors import BusinessError, Forbidden, NotFound
from etm_graph.core.lifecycle import GROUP_OF, ModelState
from etm_graph.features.crm.schema.types import User, load_users
from etm_graph.features.models.queries import models_by_id
from etm_graph.features.presence import service
from etm_graph.features.presence.queries import Board, Entry, Key
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.ids import decode_id, encode_id, split_id
from etm_graph.graphql.mutations import UserError, user_error

ContextInfo = Info[Context, None]

RECHECK_S = 2.0
"""Seconds after which a watcher's rights are looked at again."""

KINDS = {"Territory": Kind.TERRITORY, "AssignmentRule": Kind.RULE}


async def _users(entries: "Sequence[PresenceEntry]", context: Context) -> list[User | None]:
    return await load_users([entry.user_key for entry in entries], context)


@strawberry.type(description="A client of a person in a model.")
class PresenceEntry:
    """Somebody who is there."""

    user_key: strawberry.Private[int]
    client_id: str = strawberry.field(description="Tells a person's windows apart; chosen by the client.")
    since: datetime = strawberry.field(description="When it came.")
    entity_id: strawberry.ID | None = strawberry.field(
        description="The territory or rule that it is at; null for none, and for what you may not read."
    )
    field: str | None = strawberry.field(description="The field that it is at.")
    is_editing: bool = strawberry.field(description="Whether it edits there, rather than looks. It locks nothing.")
    user: User | None = batched(_users, description="Who it is.")


@strawberry.type(description="Everybody who is in the model; the first item.")
class PresenceSnapshot:
    """The present state."""

    entries: list[PresenceEntry] = strawberry.field(description="Who is there, by when they came.")


@strawberry.type(description="What became of who is in the model.")
class PresenceDelta:
    """A change of the present state."""

    came: list[PresenceEntry] = strawberry.field(description="Who is new.")
    moved: list[PresenceEntry] = strawberry.field(description="Who is at something else now.")
    left: list[strawberry.ID] = strawberry.field(description="Who is gone, as user id and client id joined by a space.")


PresenceItem = Annotated[
    PresenceSnapshot | PresenceDelta,
    strawberry.union("PresenceItem", description="Who is there, then what becomes of that."),
]


@dataclass(slots=True)
class _Watching:
    """One watcher and what it may see."""

    context: Context
    model_id: int
    state: ModelState = ModelState.PLANNING
    checked: float = field(default=0.0)

    async def check(self) -> None:
        """Raise `NotFound` or `Forbidden` when the model may not be read (any more)."""
        if monotonic() - self.checked < RECHECK_S:
            return
        first = self.checked == 0
        if not first:
            self.context.principal = await self.context.services.refresh(self.context.principal)
        session = await self.context.session()
        row = (await models_by_id(session, self.context.viewer, [self.model_id])).get(self.model_id)
        await self.context.release()
        if row is None:
            raise NotFound("There is no such model.") if first else Forbidden("You may no longer read this model.")
        self.state, self.checked = ModelState(row.state), monotonic()

    def entry(self, entry: Entry) -> PresenceEntry:
        """The GraphQL form of an entry: where somebody is only when that may be read."""
        seen = entry.entity is not None and self.context.viewer.may(
            Act.READ,
            KINDS[entry.entity],
            state=GROUP_OF[self.state],
            model_id=self.model_id,
            path=entry.path or ORGANISATION_PATH,
        )
        place = encode_id(entry.entity, entry.entity_id) if seen and entry.entity and entry.entity_id else None
        return PresenceEntry(
            user_key=entry.user_id,
            client_id=entry.client_id,
            since=entry.since,
            entity_id=place,
            field=entry.field if place else None,
            is_editing=entry.editing and place is not None,
        )

    def delta(self, before: Mapping[Key, Entry], after: Mapping[Key, Entry]) -> PresenceDelta:
        """What leads from one state to another."""
        return PresenceDelta(
            came=[self.entry(entry) for key, entry in after.items() if key not in before],
            moved=[self.entry(after[key]) for key in after if key in before and before[key] != after[key]],
            left=[strawberry.ID(f"{encode_id('User', key[0])} {key[1]}") for key in before if key not in after],
        )


@strawberry.input(description="That a client is in a model, and where.")
class PresenceHeartbeatInput:
    """Input of presenceHeartbeat."""

    model_id: strawberry.ID = strawberry.field(description="The model.")
    client_id: str = strawberry.field(description="Chosen by the client, one a window: 1 to 64 characters.")
    entity_id: strawberry.ID | None = strawberry.field(
        default=None, description="The territory or rule that it is at; null for none."
    )
    field: str | None = strawberry.field(default=None, description="The field that it is at.")
    is_editing: bool = strawberry.field(default=False, description="Whether it edits there.")


@strawberry.input(description="That a client leaves a model.")
class PresenceLeaveInput:
    """Input of presenceLeave."""

    model_id: strawberry.ID = strawberry.field(description="The model.")
    client_id: str = strawberry.field(description="The client.")


@strawberry.type(description="What a heartbeat did.")
class PresencePayload:
    """When to come again, or errors."""

    next_within_ms: int = strawberry.field(description="Send the next heartbeat within so many milliseconds.")
    expires_in_ms: int = strawberry.field(
        description="After so many milliseconds of silence the client counts as gone."
    )
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


def _payload(errors: list[UserError]) -> PresencePayload:
    return PresencePayload(
        next_within_ms=int(service.HEARTBEAT.total_seconds() * 1000),
        expires_in_ms=int(service.LIFE.total_seconds() * 1000),
        user_errors=errors,
    )


@strawberry.type
class PresenceMutation:
    """Root fields that say where one is."""

    @strawberry.mutation(
        description="Come into a model, stay there, or be at something else of it; send it every 3 seconds."
    )
    @needs(Act.READ, Kind.MODEL)
    async def presence_heartbeat(self, info: ContextInfo, input: PresenceHeartbeatInput) -> PresencePayload:
        """Be present."""
        context = info.context
        try:
            model_id = decode_id(input.model_id, "TerritoryModel", field="modelId")
            place = None if input.entity_id is None else split_id(input.entity_id)
            async with context.services.database.write() as session:
                await service.heartbeat(
                    session,
                    context.viewer,
                    model_id,
                    input.client_id,
                    place=place,
                    field=input.field,
                    editing=input.is_editing,
                )
        except BusinessError as error:
            return _payload([user_error(error)])
        context.services.get(Board).nudge()
        return _payload([])

    @strawberry.mutation(description="Leave a model at once, instead of by silence.")
    @needs(Act.READ, Kind.MODEL)
    async def presence_leave(self, info: ContextInfo, input: PresenceLeaveInput) -> PresencePayload:
        """Leave."""
        context = info.context
        try:
            model_id = decode_id(input.model_id, "TerritoryModel", field="modelId")
        except BusinessError as error:
            return _payload([user_error(error)])
        async with context.services.database.write() as session:
            await service.leave(session, context.viewer, model_id, input.client_id)
        context.services.get(Board).nudge()
        return _payload([])


@strawberry.type
class PresenceSubscription:
    """Root fields that watch."""

    @strawberry.subscription(
        description="Who is in a model and where: first everybody, then what changes. It has no cursor, start again."
    )
    @needs(Act.READ, Kind.MODEL)
    async def presence(
        self,
        info: ContextInfo,
        model_id: Annotated[strawberry.ID, strawberry.argument(description="The model to watch.")],
    ) -> AsyncGenerator[PresenceItem, None]:
        """Watch who is there."""
        context = info.context
        watching = _Watching(context, decode_id(model_id, "TerritoryModel", field="modelId"))
        await watching.check()
        async with context.services.get(Board).watch(context.services.database, watching.model_id) as watcher:
            seen = watcher.present
            yield PresenceSnapshot(
                entries=[watching.entry(entry) for entry in sorted(seen.values(), key=lambda entry: entry.since)]
            )
            while True:
                await context.release()
                now = await watcher.changed(seen, timeout_s=RECHECK_S)
                await watching.check()
                if now != seen:
                    yield watching.delta(seen, now)
                    seen = now
