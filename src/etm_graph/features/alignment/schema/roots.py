"""Mutations of assignments by hand and exclusions."""

import strawberry
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.features.alignment import service
from etm_graph.features.alignment.service import Engine
from etm_graph.features.models.schema.feed import ChangeEvent, load_change
from etm_graph.features.models.schema.roots import KEY_MEANING
from etm_graph.features.territories.schema.types import Territory, load_territories
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.ids import decode_id
from etm_graph.graphql.mutations import Outcome, UserError, mutate

ContextInfo = Info[Context, None]


@strawberry.type(description="What a mutation of an assignment did.")
class AssignmentPayload:
    """Territory and change, or errors."""

    territory: Territory | None = strawberry.field(description="The territory as it is now.")
    change: ChangeEvent | None = strawberry.field(description="The change that was made.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.input(description="An account and a territory.")
class AssignmentInput:
    """Input of assignments by hand."""

    territory_id: strawberry.ID = strawberry.field(description="The territory, of a draft or the active model.")
    account_id: strawberry.ID = strawberry.field(description="The account.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="An account that rules must keep out of a territory.")
class ExclusionInput:
    """Input of accountExclude."""

    territory_id: strawberry.ID = strawberry.field(description="The territory, of a draft or the active model.")
    account_id: strawberry.ID = strawberry.field(description="The account.")
    note: str | None = strawberry.field(default=None, description="Why.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


async def _payload(context: Context, outcome: Outcome) -> AssignmentPayload:
    found = None if outcome.result is None else (await load_territories([outcome.result], context))[0]
    change = await load_change(context, outcome.changes[:1])
    return AssignmentPayload(territory=found, change=change, user_errors=outcome.errors)


def _pair(input: AssignmentInput | ExclusionInput) -> tuple[int, int]:
    return (
        decode_id(input.territory_id, "Territory", field="territoryId"),
        decode_id(input.account_id, "Account", field="accountId"),
    )


@strawberry.type
class AlignmentMutation:
    """Root fields that change assignments."""

    @strawberry.mutation(description="Assign an account to a territory by hand; runs never take it away.")
    @needs(Act.CREATE, Kind.ASSIGNMENT)
    async def account_assign(self, info: ContextInfo, input: AssignmentInput) -> AssignmentPayload:
        """Assign."""
        engine = info.context.services.get(Engine)
        outcome = await mutate(info.context, input, lambda work: service.assign_account(work, engine, *_pair(input)))
        return await _payload(info.context, outcome)

    @strawberry.mutation(description="Take an assignment by hand back; what rules assign stays.")
    @needs(Act.DELETE, Kind.ASSIGNMENT)
    async def account_unassign(self, info: ContextInfo, input: AssignmentInput) -> AssignmentPayload:
        """Unassign."""
        engine = info.context.services.get(Engine)
        outcome = await mutate(info.context, input, lambda work: service.unassign_account(work, engine, *_pair(input)))
        return await _payload(info.context, outcome)

    @strawberry.mutation(description="Keep rules from assigning an account to a territory.")
    @needs(Act.CREATE, Kind.ASSIGNMENT)
    async def account_exclude(self, info: ContextInfo, input: ExclusionInput) -> AssignmentPayload:
        """Exclude."""
        engine = info.context.services.get(Engine)
        outcome = await mutate(
            info.context, input, lambda work: service.exclude_account(work, engine, *_pair(input), input.note)
        )
        return await _payload(info.context, outcome)

    @strawberry.mutation(description="Take an exclusion back.")
    @needs(Act.DELETE, Kind.ASSIGNMENT)
    async def account_include(self, info: ContextInfo, input: AssignmentInput) -> AssignmentPayload:
        """Include."""
        engine = info.context.services.get(Engine)
        outcome = await mutate(info.context, input, lambda work: service.include_account(work, engine, *_pair(input)))
        return await _payload(info.context, outcome)
