"""GraphQL types of territory models and territory types."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Optional, Self
from uuid import UUID

import strawberry
from sqlalchemy import Row

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import CRM_STREAM
from etm_graph.core.lifecycle import ModelState
from etm_graph.events.cursors import encode_cursor
from etm_graph.events.log import read_heads
from etm_graph.features.crm.schema.types import User, load_users
from etm_graph.features.models import queries
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.enums import describe
from etm_graph.graphql.ids import Node, encode_id
from etm_graph.graphql.scalars import BigInt

STATE_MEANING = {
    ModelState.PLANNING: "A draft: its structure can be edited.",
    ModelState.CLONING: "Being copied from another model.",
    ModelState.CLONING_FAILED: "The copy failed; retry or delete it.",
    ModelState.ACTIVATING: "Its assignments are being computed for the switch.",
    ModelState.ACTIVATING_FAILED: "The activation failed and changed nothing; retry or go back to planning.",
    ModelState.ACTIVE: "The one model in force.",
    ModelState.ARCHIVING: "Being taken out of force on its own.",
    ModelState.ARCHIVING_FAILED: "Archiving failed and changed nothing.",
    ModelState.ARCHIVED: "Was in force; read-only, can be restored or cloned.",
    ModelState.DELETING: "Being deleted.",
    ModelState.DELETING_FAILED: "Deleting failed; retry.",
}

describe(
    ModelState,
    "Where a territory model is in its life.",
    {state.name: meaning for state, meaning in STATE_MEANING.items()},
    name="TerritoryModelState",
)


@strawberry.type(description="An organisation-wide kind of territory.")
@needs(Act.READ, Kind.ORGANISATION)
class TerritoryType(Node):
    """A row of territory_type."""

    key: strawberry.Private[int]
    developer_name: str = strawberry.field(description="Unique and immutable name for programs.")
    name: str = strawberry.field(description="The name for people.")
    description: str | None = strawberry.field(description="What territories of this type are for.")
    priority: int = strawberry.field(description="Unique; the largest wins in opportunity alignment.")
    version: BigInt = strawberry.field(description="Goes up with every change; send it as `expectedVersion`.")

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The type of a row."""
        return cls(
            id=encode_id("TerritoryType", row.id),
            key=row.id,
            developer_name=row.developer_name,
            name=row.name,
            description=row.description,
            priority=row.priority,
            version=BigInt(row.version),
        )


async def load_types(ids: Sequence[int], context: Context) -> list[TerritoryType | None]:
    """Territory types by id, None for unknown ones and for who may not read settings."""
    wanted = set(ids) if context.viewer.may(Act.READ, Kind.ORGANISATION) else set()
    found = await queries.types_by_id(await context.session(), wanted)
    made = {number: TerritoryType.of(row) for number, row in found.items()}
    return [made.get(number) for number in ids]


@strawberry.type(description="What a territory type's priority is in one model.")
class TypePriority:
    """A row of model_type_priority."""

    type_key: strawberry.Private[int]
    priority: int = strawberry.field(description="The priority in this model.")
    version: BigInt = strawberry.field(description="Number of the change that set it.")
    type: TerritoryType | None = batched(
        lambda parents, context: load_types([parent.type_key for parent in parents], context),
        description="The territory type.",
    )


async def _created_by(models: "Sequence[TerritoryModel]", context: Context) -> list[User | None]:
    return await load_users([model.creator_key for model in models], context)


async def _cloned_from(models: "Sequence[TerritoryModel]", context: Context) -> "list[TerritoryModel | None]":
    return await load_models([model.origin_key for model in models], context)


async def _type_priorities(models: "Sequence[TerritoryModel]", context: Context) -> list[list[TypePriority]]:
    rows = await queries.type_priorities(await context.session(), {model.key for model in models})
    answer: dict[int, list[TypePriority]] = {model.key: [] for model in models}
    for row in rows:
        answer[row.model_id].append(
            TypePriority(type_key=row.type_id, priority=row.priority, version=BigInt(row.version))
        )
    return [answer[model.key] for model in models]


async def _crm_cursors(models: "Sequence[TerritoryModel]", context: Context) -> list[BigInt]:
    heads = await read_heads(await context.session(), [CRM_STREAM])
    return [BigInt(heads[CRM_STREAM].head)] * len(models)


@strawberry.type(description="One territory structure with a state.")
@needs(Act.READ, Kind.MODEL)
class TerritoryModel(Node):
    """A row of territory_model with its stream's heads."""

    key: strawberry.Private[int]
    creator_key: strawberry.Private[int | None]
    origin_key: strawberry.Private[int | None]
    model_state: strawberry.Private[ModelState]
    epoch: strawberry.Private[UUID]
    developer_name: str = strawberry.field(description="Unique and immutable name for programs.")
    name: str = strawberry.field(description="The name for people.")
    description: str | None = strawberry.field(description="What the model is for.")
    state: ModelState = strawberry.field(description="Where the model is in its life.")
    state_reason: str | None = strawberry.field(description="Why the last transition failed.")
    head: BigInt = strawberry.field(description="Number of its last change.")
    structure_head: BigInt = strawberry.field(description="Number of its last structural change; activation names it.")
    cursor: str = strawberry.field(description="Where `draftChanges(after:)` continues from what this answer shows.")
    created_at: datetime = strawberry.field(description="When it was created.")
    activated_at: datetime | None = strawberry.field(description="When it came into force.")
    archived_at: datetime | None = strawberry.field(description="When it went out of force.")
    last_run_at: datetime | None = strawberry.field(description="When its assignments were last computed in full.")
    version: BigInt = strawberry.field(description="Number of its last own change; send it as `expectedVersion`.")
    created_by: User | None = batched(_created_by, description="Who created it.")
    cloned_from: Optional["TerritoryModel"] = batched(
        _cloned_from, description="The model that it was cloned from, or last rebased on."
    )
    type_priorities: list[TypePriority] = batched(
        _type_priorities, description="The model's own priorities of territory types, highest first."
    )
    crm_sequence: BigInt = batched(
        _crm_cursors, description="Number of the last change of accounts, opportunities and users that this answer saw."
    )

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The model of a row."""
        return cls(
            id=encode_id("TerritoryModel", row.id),
            key=row.id,
            creator_key=row.created_by,
            origin_key=row.cloned_from_id,
            model_state=ModelState(row.state),
            epoch=row.epoch,
            developer_name=row.developer_name,
            name=row.name,
            description=row.description,
            state=ModelState(row.state),
            state_reason=row.state_reason,
            head=BigInt(row.head),
            structure_head=BigInt(row.structure_head),
            cursor=encode_cursor(row.epoch, row.id, row.head),
            created_at=row.created_at,
            activated_at=row.activated_at,
            archived_at=row.archived_at,
            last_run_at=row.last_run_at,
            version=BigInt(row.version),
        )


async def load_models(ids: Sequence[int | None], context: Context) -> list[TerritoryModel | None]:
    """Models by id, None for those that the viewer may not read."""
    wanted = {number for number in ids if number is not None}
    found = await queries.models_by_id(await context.session(), context.viewer, wanted)
    return [TerritoryModel.of(found[number]) if number in found else None for number in ids]
