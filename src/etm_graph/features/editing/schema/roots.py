"""Mutations of change sets, undo, redo, checkpoints, restoring; what they add to models."""

from collections.abc import Sequence
from datetime import datetime

import strawberry
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.features.alignment.service import Engine
from etm_graph.features.crm.schema.types import User, load_users
from etm_graph.features.editing import queries, service
from etm_graph.features.editing.schema.change_sets import EditOperation, operations_of
from etm_graph.features.models.schema.feed import ChangeEvent, load_change
from etm_graph.features.models.schema.history import parse_change_set
from etm_graph.features.models.schema.roots import KEY_MEANING
from etm_graph.features.models.schema.types import TerritoryModel, load_models
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.extending import extend
from etm_graph.graphql.ids import decode_id
from etm_graph.graphql.mutations import Outcome, UserError, mutate
from etm_graph.graphql.scalars import BigInt

ContextInfo = Info[Context, None]
MESSAGE_MEANING = "What you say about it; stands beside each of its changes."


async def _creators(checkpoints: "Sequence[ModelCheckpoint]", context: Context) -> list[User | None]:
    return await load_users([checkpoint.creator_key for checkpoint in checkpoints], context)


@strawberry.type(description="A draft's structure under a name, to restore it later.")
class ModelCheckpoint:
    """A row of checkpoint."""

    creator_key: strawberry.Private[int | None]
    name: str = strawberry.field(description="Unique in the model.")
    sequence: BigInt = strawberry.field(description="The number in the model's stream that it was made at.")
    created_at: datetime = strawberry.field(description="When it was made.")
    created_by: User | None = batched(_creators, description="Who made it.")


@needs(Act.READ, Kind.MODEL)
async def _checkpoints(models: Sequence[TerritoryModel], context: Context) -> list[list[ModelCheckpoint]]:
    found = await queries.checkpoints_of(await context.session(), {model.key for model in models})
    return [
        [
            ModelCheckpoint(
                creator_key=row.created_by, name=row.name, sequence=BigInt(row.seq), created_at=row.created_at
            )
            for row in found.get(model.key, ())
        ]
        for model in models
    ]


extend(
    TerritoryModel,
    "checkpoints",
    list[ModelCheckpoint],
    batched(_checkpoints, description="Its named checkpoints, oldest first; at most 100."),
)


@strawberry.type(description="What an edit of a draft did.")
class EditPayload:
    """Model and change set, or errors."""

    territory_model: TerritoryModel | None = strawberry.field(description="The draft as it is now.")
    change_set: strawberry.ID | None = strawberry.field(
        description="Names the edit, for undo; null when nothing changed."
    )
    first_sequence: BigInt | None = strawberry.field(description="Number of its first change.")
    change_count: int = strawberry.field(description="How many changes it made; their numbers are contiguous.")
    change: ChangeEvent | None = strawberry.field(description="Its last change.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; nothing was changed then.")


async def edit_payload(context: Context, outcome: Outcome, model_id: str) -> EditPayload:
    """The payload of an edit whose use case returned the model's id."""
    number = decode_id(model_id, "TerritoryModel", field="modelId")
    change = await load_change(context, outcome.changes)
    return EditPayload(
        territory_model=(await load_models([number], context))[0],
        change_set=None if change is None else change.change_set,
        first_sequence=BigInt(outcome.changes[0][1]) if outcome.changes else None,
        change_count=len(outcome.changes),
        change=change,
        user_errors=outcome.errors,
    )


@strawberry.input(description="A change set.")
class TerritoryModelEditInput:
    """Input of territoryModelEdit."""

    model_id: strawberry.ID = strawberry.field(description="The draft.")
    message: str | None = strawberry.field(default=None, description=MESSAGE_MEANING)
    operations: list[EditOperation] = strawberry.field(description="What to do, in order; 1 to 500.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="What to take back.")
class TerritoryModelUndoInput:
    """Input of territoryModelUndo."""

    model_id: strawberry.ID = strawberry.field(description="The draft.")
    change_set: strawberry.ID | None = strawberry.field(
        default=None, description="Your change set; null for your latest that stands."
    )
    message: str | None = strawberry.field(default=None, description=MESSAGE_MEANING)
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="What to bring back.")
class TerritoryModelRedoInput:
    """Input of territoryModelRedo."""

    model_id: strawberry.ID = strawberry.field(description="The draft.")
    change_set: strawberry.ID = strawberry.field(description="Your change set that was undone.")
    message: str | None = strawberry.field(default=None, description=MESSAGE_MEANING)
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(one_of=True, description="What to restore: exactly one of these.")
class RestorePointInput:
    """A moment of a draft."""

    sequence: BigInt | None = strawberry.field(
        default=strawberry.UNSET, description="A number of its stream, not below the floor: the state after it."
    )
    checkpoint: str | None = strawberry.field(default=strawberry.UNSET, description="The name of a checkpoint.")


@strawberry.input(description="Where to bring a draft back to.")
class DraftRestoreInput:
    """Input of draftRestore."""

    model_id: strawberry.ID = strawberry.field(description="The draft.")
    to: RestorePointInput = strawberry.field(description="Where to.")
    message: str | None = strawberry.field(default=None, description=MESSAGE_MEANING)
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="A checkpoint of a draft.")
class CheckpointInput:
    """Input of checkpointCreate and checkpointDelete."""

    model_id: strawberry.ID = strawberry.field(description="The draft.")
    name: str = strawberry.field(description="The checkpoint's name, unique in the model.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


def _model(model_id: str) -> int:
    return decode_id(model_id, "TerritoryModel", field="modelId")


@strawberry.type
class EditingMutation:
    """Root fields that edit drafts as wholes."""

    @strawberry.mutation(description="Apply a change set to a draft, all or none; its changes stand together.")
    @needs(Act.UPDATE, Kind.MODEL)
    async def territory_model_edit(self, info: ContextInfo, input: TerritoryModelEditInput) -> EditPayload:
        """Apply a change set."""
        context = info.context
        engine = context.services.get(Engine)
        outcome = await mutate(
            context,
            input,
            lambda work: service.apply_change_set(
                work, _model(input.model_id), operations_of(input.operations, engine)
            ),
            message=input.message,
        )
        return await edit_payload(context, outcome, input.model_id)

    @strawberry.mutation(
        description="Take back a change set of your own as a new change set; refused with the reason where later changes "
        "depend on it."
    )
    @needs(Act.UPDATE, Kind.MODEL)
    async def territory_model_undo(self, info: ContextInfo, input: TerritoryModelUndoInput) -> EditPayload:
        """Undo."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.undo_change_set(
                work,
                _model(input.model_id),
                None if input.change_set is None else parse_change_set(input.change_set),
            ),
            message=input.message,
        )
        return await edit_payload(info.context, outcome, input.model_id)

    @strawberry.mutation(description="Bring back a change set of your own that was undone, as a new change set.")
    @needs(Act.UPDATE, Kind.MODEL)
    async def territory_model_redo(self, info: ContextInfo, input: TerritoryModelRedoInput) -> EditPayload:
        """Redo."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.redo_change_set(work, _model(input.model_id), parse_change_set(input.change_set)),
            message=input.message,
        )
        return await edit_payload(info.context, outcome, input.model_id)

    @strawberry.mutation(
        description="Bring a draft's structure back to how it was at a number of its stream or at a checkpoint; the "
        "difference is a new change set, history stays."
    )
    @needs(Act.UPDATE, Kind.MODEL)
    async def draft_restore(self, info: ContextInfo, input: DraftRestoreInput) -> EditPayload:
        """Restore a draft."""
        to = input.to
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.restore_draft(
                work, _model(input.model_id), seq=to.sequence or None, checkpoint_name=to.checkpoint or None
            ),
            message=input.message,
        )
        return await edit_payload(info.context, outcome, input.model_id)

    @strawberry.mutation(description="Keep a draft's present structure under a name.")
    @needs(Act.UPDATE, Kind.MODEL)
    async def checkpoint_create(self, info: ContextInfo, input: CheckpointInput) -> EditPayload:
        """Make a checkpoint."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.create_checkpoint(work, _model(input.model_id), input.name),
        )
        return await edit_payload(info.context, outcome, input.model_id)

    @strawberry.mutation(description="Forget a checkpoint; the draft stays as it is.")
    @needs(Act.UPDATE, Kind.MODEL)
    async def checkpoint_delete(self, info: ContextInfo, input: CheckpointInput) -> EditPayload:
        """Delete a checkpoint."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.delete_checkpoint(work, _model(input.model_id), input.name),
        )
        return await edit_payload(info.context, outcome, input.model_id)
