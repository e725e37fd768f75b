"""Queries, mutations and subscriptions of territory models and territory types."""

from collections.abc import AsyncGenerator, Sequence
from typing import Annotated, Any

import strawberry
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.core.lifecycle import ModelState
from etm_graph.features.models import queries, service
from etm_graph.features.models.schema.feed import (
    ChangeEvent,
    StreamItem,
    follow_model,
    is_discussion,
    load_change,
)
from etm_graph.features.models.schema.types import (
    TerritoryModel,
    TerritoryType,
    load_models,
    load_types,
)
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.ids import decode_id, encode_id
from etm_graph.graphql.inputs import given
from etm_graph.graphql.mutations import Outcome, UserError, mutate
from etm_graph.graphql.pages import After, Before, Connection, First, Last, connect, make_page
from etm_graph.graphql.scalars import BigInt

ContextInfo = Info[Context, None]
IdempotencyKey = Annotated[str | None, strawberry.argument(description="Same key, same answer.")]
KEY_MEANING = "At most 200 characters; the same key with the same input gives the first answer again."
VERSION_MEANING = "The version that you read; others' edits of the same fields since are a CONFLICT."


async def _count_models(states: Sequence[Any], context: Context) -> list[int]:
    session = await context.session()
    return [await queries.count_models(session, context.viewer, state) for state in states]


async def _count_types(parents: Sequence[None], context: Context) -> list[int]:
    return [await queries.count_types(await context.session())] * len(parents)


@strawberry.type
class ModelQuery:
    """Root fields that read models and types."""

    @strawberry.field(description="The territory models that you may read, newest first.")
    @needs(Act.READ, Kind.MODEL)
    async def territory_models(
        self,
        info: ContextInfo,
        states: Annotated[
            list[ModelState] | None, strawberry.argument(description="Only models in these states.")
        ] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[TerritoryModel]:
        """A page of models."""
        context = info.context
        page = make_page(context, first, after, last, before)
        wanted = None if states is None else tuple(ModelState(state) for state in states)
        rows = await queries.list_models(await context.session(), context.viewer, wanted, page)
        return connect(rows, queries.NEWEST, page, TerritoryModel.of, (_count_models, wanted, {}))

    @strawberry.field(
        description="One territory model by id or developer name; null when there is none that you may read."
    )
    @needs(Act.READ, Kind.MODEL)
    async def territory_model(
        self,
        info: ContextInfo,
        id: Annotated[strawberry.ID | None, strawberry.argument(description="Its global id.")] = None,
        developer_name: Annotated[str | None, strawberry.argument(description="Or its developer name.")] = None,
    ) -> TerritoryModel | None:
        """One model."""
        context = info.context
        if id is not None:
            return (await load_models([decode_id(id, "TerritoryModel")], context))[0]
        row = await queries.find_model(await context.session(), context.viewer, developer_name or "")
        return None if row is None else TerritoryModel.of(row)

    @strawberry.field(description="The model in force; null when there is none that you may read.")
    @needs(Act.READ, Kind.MODEL)
    async def active_territory_model(self, info: ContextInfo) -> TerritoryModel | None:
        """The active model."""
        row = await queries.active_model(await info.context.session(), info.context.viewer)
        return None if row is None else TerritoryModel.of(row)

    @strawberry.field(description="The organisation's territory types, highest priority first.")
    @needs(Act.READ, Kind.ORGANISATION)
    async def territory_types(
        self, info: ContextInfo, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[TerritoryType]:
        """A page of types."""
        info.context.viewer.require(Act.READ, Kind.ORGANISATION)
        page = make_page(info.context, first, after, last, before)
        rows = await queries.list_types(await info.context.session(), page)
        return connect(rows, queries.BY_PRIORITY, page, TerritoryType.of, (_count_types, None, {}))


@strawberry.type(description="What a mutation of a territory type did.")
class TerritoryTypePayload:
    """Entity, or errors."""

    territory_type: TerritoryType | None = strawberry.field(description="The type as it is now.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.type(description="What a mutation of a territory model did.")
class TerritoryModelPayload:
    """Entity and change, or errors."""

    territory_model: TerritoryModel | None = strawberry.field(description="The model as it is now.")
    change: ChangeEvent | None = strawberry.field(description="The change that was made; null when nothing changed.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.type(description="What a deletion did.")
class DeletePayload:
    """The id that is gone, or errors."""

    deleted_id: strawberry.ID | None = strawberry.field(description="The id that is gone; null when it was refused.")
    change: ChangeEvent | None = strawberry.field(
        description="The change in the model's stream; null when it had none or is gone with it."
    )
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.input(description="A new territory type.")
class TerritoryTypeCreateInput:
    """Input of territoryTypeCreate."""

    developer_name: str = strawberry.field(
        description="Unique and immutable: a letter, then letters, digits, underscores."
    )
    name: str = strawberry.field(description="The name for people.")
    priority: int = strawberry.field(description="Unique; the largest wins in opportunity alignment.")
    description: str | None = strawberry.field(default=None, description="What territories of this type are for.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="Changes of a territory type; what is left out stays.")
class TerritoryTypeUpdateInput:
    """Input of territoryTypeUpdate."""

    id: strawberry.ID = strawberry.field(description="The type.")
    expected_version: BigInt = strawberry.field(description="The version that you read.")
    name: str | None = strawberry.field(default=strawberry.UNSET, description="The name for people.")
    priority: int | None = strawberry.field(default=strawberry.UNSET, description="Unique; the largest wins.")
    description: str | None = strawberry.field(default=strawberry.UNSET, description="What it is for.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="A new, empty draft.")
class TerritoryModelCreateInput:
    """Input of territoryModelCreate."""

    developer_name: str = strawberry.field(
        description="Unique and immutable: a letter, then letters, digits, underscores."
    )
    name: str = strawberry.field(description="The name for people.")
    description: str | None = strawberry.field(default=None, description="What the model is for.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="Changes of a draft itself; what is left out stays.")
class TerritoryModelUpdateInput:
    """Input of territoryModelUpdate."""

    id: strawberry.ID = strawberry.field(description="The model.")
    expected_version: BigInt = strawberry.field(description=VERSION_MEANING)
    name: str | None = strawberry.field(default=strawberry.UNSET, description="The name for people.")
    description: str | None = strawberry.field(default=strawberry.UNSET, description="What the model is for.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="A type's priority in one draft.")
class TypePrioritySetInput:
    """Input of territoryModelTypePrioritySet."""

    model_id: strawberry.ID = strawberry.field(description="The draft.")
    type_id: strawberry.ID = strawberry.field(description="The territory type.")
    priority: int = strawberry.field(description="The priority in this draft.")
    expected_version: BigInt = strawberry.field(description="The version of the priority that you read.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="What to delete.")
class DeleteInput:
    """Input of deletions."""

    id: strawberry.ID = strawberry.field(description="What to delete.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


async def _type_payload(context: Context, outcome: Outcome) -> TerritoryTypePayload:
    found = None if outcome.result is None else (await load_types([outcome.result], context))[0]
    return TerritoryTypePayload(territory_type=found, user_errors=outcome.errors)


async def model_payload(context: Context, outcome: Outcome) -> TerritoryModelPayload:
    """The payload of a mutation whose use case returned a model's id."""
    found = None if outcome.result is None else (await load_models([outcome.result], context))[0]
    change = await load_change(context, outcome.changes)
    return TerritoryModelPayload(territory_model=found, change=change, user_errors=outcome.errors)


async def delete_payload(context: Context, outcome: Outcome, type_name: str) -> DeletePayload:
    """The payload of a deletion whose use case returned the row's number."""
    gone = None if outcome.result is None else encode_id(type_name, outcome.result)
    change = await load_change(context, outcome.changes)
    return DeletePayload(deleted_id=gone, change=change, user_errors=outcome.errors)


@strawberry.type
class ModelMutation:
    """Root fields that change models and types."""

    @strawberry.mutation(description="Create a territory type.")
    @needs(Act.CREATE, Kind.ORGANISATION)
    async def territory_type_create(self, info: ContextInfo, input: TerritoryTypeCreateInput) -> TerritoryTypePayload:
        """Create a type."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.create_type(work, input.developer_name, input.name, input.priority, input.description),
        )
        return await _type_payload(info.context, outcome)

    @strawberry.mutation(description="Change a territory type.")
    @needs(Act.UPDATE, Kind.ORGANISATION)
    async def territory_type_update(self, info: ContextInfo, input: TerritoryTypeUpdateInput) -> TerritoryTypePayload:
        """Change a type."""
        wanted = given(input, "name", "priority", "description")
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.update_type(
                work, decode_id(input.id, "TerritoryType"), input.expected_version, wanted
            ),
        )
        return await _type_payload(info.context, outcome)

    @strawberry.mutation(description="Delete a territory type that no territory uses.")
    @needs(Act.DELETE, Kind.ORGANISATION)
    async def territory_type_delete(self, info: ContextInfo, input: DeleteInput) -> DeletePayload:
        """Delete a type."""
        outcome = await mutate(
            info.context, input, lambda work: service.delete_type(work, decode_id(input.id, "TerritoryType"))
        )
        return await delete_payload(info.context, outcome, "TerritoryType")

    @strawberry.mutation(description="Create an empty draft.")
    @needs(Act.CREATE, Kind.MODEL)
    async def territory_model_create(
        self, info: ContextInfo, input: TerritoryModelCreateInput
    ) -> TerritoryModelPayload:
        """Create a draft."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.create_model(work, input.developer_name, input.name, input.description),
        )
        return await model_payload(info.context, outcome)

    @strawberry.mutation(description="Change a draft's name or description.")
    @needs(Act.UPDATE, Kind.MODEL)
    async def territory_model_update(
        self, info: ContextInfo, input: TerritoryModelUpdateInput
    ) -> TerritoryModelPayload:
        """Change a draft."""
        wanted = given(input, "name", "description")
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.update_model(
                work, decode_id(input.id, "TerritoryModel"), input.expected_version, wanted
            ),
        )
        return await model_payload(info.context, outcome)

    @strawberry.mutation(description="Set what a territory type's priority is in one draft.")
    @needs(Act.UPDATE, Kind.MODEL)
    async def territory_model_type_priority_set(
        self,
        info: ContextInfo,
        input: TypePrioritySetInput,
    ) -> TerritoryModelPayload:
        """Set a priority."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.set_type_priority(
                work,
                decode_id(input.model_id, "TerritoryModel", field="modelId"),
                decode_id(input.type_id, "TerritoryType", field="typeId"),
                input.priority,
                input.expected_version,
            ),
        )
        return await model_payload(info.context, outcome)


StreamAfter = Annotated[
    str | None,
    strawberry.argument(description="Resume after this cursor; null starts now, with a Checkpoint."),
]


@strawberry.type
class ModelSubscription:
    """Root fields that follow models."""

    @strawberry.subscription(
        description="Every change of a model's structure and state, live; completes on activation."
    )
    @needs(Act.READ, Kind.MODEL)
    async def draft_changes(
        self,
        info: ContextInfo,
        model_id: Annotated[strawberry.ID, strawberry.argument(description="The model to follow.")],
        after: StreamAfter = None,
    ) -> AsyncGenerator[StreamItem, None]:
        """Follow the structure of a model."""
        number = decode_id(model_id, "TerritoryModel", field="modelId")
        items = follow_model(info.context, number, after, lambda change: not is_discussion(change), until_active=True)
        async for item in items:
            yield item
