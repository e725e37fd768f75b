"""Rebasing through GraphQL: a preview on the draft, conflicts to resolve one by one, one change set as the result."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import orjson
import strawberry
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import EntityType
from etm_graph.core.errors import BusinessError, Invalid
from etm_graph.core.facts import differences
from etm_graph.core.lifecycle import GROUP_OF, ModelState
from etm_graph.core.merge import Choice, ConflictKind, MergeConflict, Side
from etm_graph.features.editing import service
from etm_graph.features.editing.schema.roots import MESSAGE_MEANING, EditPayload, edit_payload
from etm_graph.features.models.schema.roots import KEY_MEANING
from etm_graph.features.models.schema.types import TerritoryModel, load_models
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.enums import describe
from etm_graph.graphql.extending import extend
from etm_graph.graphql.ids import decode_id
from etm_graph.graphql.mutations import UserError, mutate, user_error

describe(
    ConflictKind,
    "Why draft and active model cannot both have their way.",
    {
        "FIELD_CHANGED_TWICE": "Both changed a field, to different values.",
        "DELETED_AND_CHANGED": "One deleted what the other changed.",
        "ADDED_TWICE": "Both added something of this name, differently.",
        "MOVED_TWICE": "Both moved it, to different places.",
        "CYCLE_BY_TWO_MOVES": "Their moves together would make territories their own ancestors.",
        "NEEDED_BUT_DELETED": "One deleted what something of the other needs, such as the parent of a new child.",
    },
    name="RebaseConflictKind",
)
describe(
    Side,
    "Whose way a conflict goes.",
    {
        "OURS": "As the draft has it.",
        "THEIRS": "As the active model has it.",
        "VALUE": "A value given with the resolution.",
    },
    name="RebaseSide",
)


@strawberry.input(description="How one conflict is resolved.")
class RebaseResolutionInput:
    """A resolution."""

    conflict: str = strawberry.field(description="The `key` of the conflict.")
    side: Side = strawberry.field(description="Whose way it goes.")
    value: str | None = strawberry.field(
        default=None,
        description="With VALUE: what the field is to be, as JSON; names and descriptions any text, other fields one of the "
        "values that met.",
    )


@strawberry.type(description="Something that a person must decide before a draft can be rebased.")
class RebaseConflict:
    """A conflict of the merge."""

    key: str = strawberry.field(description="Names it in `resolutions`.")
    kind: ConflictKind = strawberry.field(description="Why both cannot have their way.")
    entity_type: EntityType = strawberry.field(description="What it is about.")
    entity: str = strawberry.field(description="Its key: developer names, joined by /.")
    field: str | None = strawberry.field(description="The field; null when it is about the whole.")
    base: str | None = strawberry.field(
        description="What it was when they parted, as JSON; null when it was not there."
    )
    draft: str | None = strawberry.field(description="What it is in the draft, as JSON; null when it is not there.")
    active: str | None = strawberry.field(
        description="What it is in the active model, as JSON; null when it is not there."
    )
    involved: list[str] = strawberry.field(description="What else is involved, such as the children of a deleted one.")
    resolution: Side | None = strawberry.field(description="How the given resolutions decide it; null while open.")

    @classmethod
    def of(cls, found: MergeConflict) -> "RebaseConflict":
        """The GraphQL form of a conflict."""
        return cls(
            key=found.key,
            kind=found.kind,
            entity_type=found.fact[0],
            entity=found.fact[1],
            field=found.field,
            base=_json(found.base),
            draft=_json(found.ours),
            active=_json(found.theirs),
            involved=list(found.facts),
            resolution=found.resolved,
        )


@strawberry.type(description="Something of the draft that a rebase would change.")
class RebaseChange:
    """A difference."""

    entity_type: EntityType = strawberry.field(description="What it is.")
    entity: str = strawberry.field(description="Its key: developer names, joined by /.")
    before: str | None = strawberry.field(description="Its fields now, as JSON; null when it would be new.")
    after: str | None = strawberry.field(description="Its fields then, as JSON; null when it would be gone.")


@strawberry.type(description="What a rebase of a draft on the active model would do.")
class RebasePreview:
    """A planned rebase."""

    onto_key: strawberry.Private[int]
    is_current: bool = strawberry.field(description="Whether the draft is based on the active model as it now is.")
    conflicts: list[RebaseConflict] = strawberry.field(description="What must be decided, resolved or not.")
    violations: list[str] = strawberry.field(description="What would be impossible in the result, for people.")
    changes: list[RebaseChange] = strawberry.field(
        description="What would change in the draft; where a conflict is open, as the draft has it."
    )
    user_errors: list[UserError] = strawberry.field(description="Why there is no preview; empty when there is one.")
    onto: TerritoryModel | None = batched(
        lambda parents, context: load_models([parent.onto_key for parent in parents], context),
        description="The active model.",
    )


def _json(value: object) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def _choices(given: Sequence[RebaseResolutionInput]) -> Mapping[str, Choice]:
    choices = {}
    for resolution in given:
        try:
            value = None if resolution.value is None else orjson.loads(resolution.value)
        except orjson.JSONDecodeError as error:
            raise Invalid(f"The value for {resolution.conflict} is not JSON.", field=["resolutions"]) from error
        choices[resolution.conflict] = Choice(Side(resolution.side), value)
    return choices


async def _preview(model: TerritoryModel, context: Context, given: Sequence[RebaseResolutionInput]) -> RebasePreview:
    try:
        plan = await service.plan_rebase(await context.session(), model.key, _choices(given))
    except BusinessError as error:
        return RebasePreview(
            onto_key=0, is_current=False, conflicts=[], violations=[], changes=[], user_errors=[user_error(error)]
        )
    return RebasePreview(
        onto_key=plan.onto_id,
        is_current=plan.is_current,
        conflicts=[RebaseConflict.of(found) for found in plan.merged.conflicts],
        violations=plan.violations,
        changes=[
            RebaseChange(
                entity_type=found.fact[0], entity=found.fact[1], before=_json(found.before), after=_json(found.after)
            )
            for found in differences(plan.draft, plan.merged.structure)
        ],
        user_errors=[],
    )


@needs(Act.UPDATE, Kind.MODEL)
async def _previews(
    models: Sequence[TerritoryModel],
    context: Context,
    resolutions: Annotated[
        list[RebaseResolutionInput] | None, strawberry.argument(description="Decisions to try out.")
    ] = None,
) -> list[RebasePreview | None]:
    answer: list[RebasePreview | None] = []
    for model in models:
        own = model.creator_key == context.principal.user_id
        group = GROUP_OF[model.model_state]
        allowed = context.viewer.may(Act.UPDATE, Kind.MODEL, state=group, model_id=model.key, own=own)
        draft = model.model_state is ModelState.PLANNING
        answer.append(await _preview(model, context, resolutions or []) if draft and allowed else None)
    return answer


extend(
    TerritoryModel,
    "rebase_preview",
    RebasePreview | None,
    batched(
        _previews,
        description="What a rebase on the active model would do; null for what is no draft or not yours to edit.",
    ),
)


@strawberry.input(description="A draft to bring onto the active model.")
class DraftRebaseInput:
    """Input of draftRebase."""

    model_id: strawberry.ID = strawberry.field(description="The draft.")
    resolutions: list[RebaseResolutionInput] = strawberry.field(
        default_factory=list, description="How its conflicts are resolved; every one must be."
    )
    message: str | None = strawberry.field(default=None, description=MESSAGE_MEANING)
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.type
class RebaseMutation:
    """Root fields that rebase."""

    @strawberry.mutation(
        description="Merge the active model as it now is into a draft, as one change set; the draft is based on it then."
    )
    @needs(Act.UPDATE, Kind.MODEL)
    async def draft_rebase(self, info: Info[Context, None], input: DraftRebaseInput) -> EditPayload:
        """Rebase a draft."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.rebase_draft(
                work, decode_id(input.model_id, "TerritoryModel", field="modelId"), _choices(input.resolutions)
            ),
            message=input.message,
        )
        return await edit_payload(info.context, outcome, input.model_id)
