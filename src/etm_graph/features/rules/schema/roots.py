"""Queries and mutations of assignment rules."""

from typing import Annotated

import strawberry
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.core.criteria import Criterion, Operator
from etm_graph.features.models.schema.feed import ChangeEvent, load_change
from etm_graph.features.models.schema.roots import KEY_MEANING, VERSION_MEANING, DeletePayload, delete_payload
from etm_graph.features.rules import service
from etm_graph.features.rules.schema.types import AssignmentRule, load_rules
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.ids import decode_id
from etm_graph.graphql.inputs import given
from etm_graph.graphql.mutations import Outcome, UserError, mutate
from etm_graph.graphql.scalars import BigInt

ContextInfo = Info[Context, None]


@strawberry.type
class RuleQuery:
    """Root fields that read rules."""

    @strawberry.field(description="One assignment rule; null when there is none that you may read.")
    @needs(Act.READ, Kind.RULE)
    async def assignment_rule(
        self,
        info: ContextInfo,
        id: Annotated[strawberry.ID, strawberry.argument(description="Its global id.")],
    ) -> AssignmentRule | None:
        """One rule."""
        return (await load_rules([decode_id(id, "AssignmentRule")], info.context))[0]


@strawberry.type(description="What a mutation of a rule did.")
class RulePayload:
    """Entity and change, or errors."""

    rule: AssignmentRule | None = strawberry.field(description="The rule as it is now, also after a CONFLICT.")
    change: ChangeEvent | None = strawberry.field(description="The change that was made; null when nothing changed.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.input(description="One condition of a rule.")
class RuleCriterionInput:
    """A criterion."""

    number: int = strawberry.field(description="Its number in the filter logic: 1, 2, 3 … without gaps.")
    field: str = strawberry.field(
        description="name, billing_postal_code, billing_state, billing_country, industry, annual_revenue, employees, "
        "type, owner_id, location …, or custom.<developerName>."
    )
    operator: Operator = strawberry.field(description="How the field is compared.")
    values: list[str] = strawberry.field(description="What it is compared with; several mean any of them.")


@strawberry.input(description="A new rule of a draft.")
class RuleCreateInput:
    """Input of assignmentRuleCreate."""

    model_id: strawberry.ID = strawberry.field(description="The draft.")
    developer_name: str = strawberry.field(description="Unique in the model and immutable.")
    name: str = strawberry.field(description="The name for people.")
    criteria: list[RuleCriterionInput] = strawberry.field(description="At least one condition.")
    filter_logic: str | None = strawberry.field(
        default=None, description="Such as (1 AND 2) OR NOT 3; null means all of them."
    )
    is_active: bool = strawberry.field(default=True, description="Whether it is in use.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="Changes of a rule; what is left out stays.")
class RuleUpdateInput:
    """Input of assignmentRuleUpdate."""

    id: strawberry.ID = strawberry.field(description="The rule.")
    expected_version: BigInt = strawberry.field(description=VERSION_MEANING)
    name: str | None = strawberry.field(default=strawberry.UNSET, description="The name for people.")
    criteria: list[RuleCriterionInput] | None = strawberry.field(default=None, description="All its conditions anew.")
    filter_logic: str | None = strawberry.field(default=strawberry.UNSET, description="Null means all of them.")
    is_active: bool | None = strawberry.field(default=strawberry.UNSET, description="Whether it is in use.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="Which rule to delete.")
class RuleDeleteInput:
    """Input of assignmentRuleDelete."""

    id: strawberry.ID = strawberry.field(description="The rule.")
    expected_version: BigInt = strawberry.field(description="The version that you read; a later change is a CONFLICT.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="A rule and the territory it is to work in.")
class RuleLinkInput:
    """Input of assignmentRuleLink."""

    rule_id: strawberry.ID = strawberry.field(description="The rule.")
    territory_id: strawberry.ID = strawberry.field(description="The territory, of the same model.")
    applies_to_descendants: bool = strawberry.field(default=False, description="Whether it is passed down.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="A rule and the territory it is to work in no longer.")
class RuleUnlinkInput:
    """Input of assignmentRuleUnlink."""

    rule_id: strawberry.ID = strawberry.field(description="The rule.")
    territory_id: strawberry.ID = strawberry.field(description="The territory.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


def criteria_of(items: list[RuleCriterionInput]) -> list[Criterion]:
    """The core's criteria of an input."""
    return [Criterion(item.number, item.field, Operator(item.operator), tuple(item.values)) for item in items]


async def _payload(context: Context, outcome: Outcome, rule_id: str | None = None) -> RulePayload:
    key = outcome.result if rule_id is None else decode_id(rule_id, "AssignmentRule")
    found = None if key is None else (await load_rules([key], context))[0]
    return RulePayload(rule=found, change=await load_change(context, outcome.changes), user_errors=outcome.errors)


@strawberry.type
class RuleMutation:
    """Root fields that change rules."""

    @strawberry.mutation(description="Create an assignment rule in a draft.")
    @needs(Act.CREATE, Kind.RULE)
    async def assignment_rule_create(self, info: ContextInfo, input: RuleCreateInput) -> RulePayload:
        """Create a rule."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.create_rule(
                work,
                decode_id(input.model_id, "TerritoryModel", field="modelId"),
                input.developer_name,
                input.name,
                criteria_of(input.criteria),
                input.filter_logic,
                is_active=input.is_active,
            ),
        )
        return await _payload(info.context, outcome)

    @strawberry.mutation(description="Change an assignment rule; others' edits of other fields are merged.")
    @needs(Act.UPDATE, Kind.RULE)
    async def assignment_rule_update(self, info: ContextInfo, input: RuleUpdateInput) -> RulePayload:
        """Change a rule."""
        wanted = given(input, "name", "filter_logic", "is_active")
        criteria = None if input.criteria is None else criteria_of(input.criteria)
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.update_rule(
                work, decode_id(input.id, "AssignmentRule"), input.expected_version, wanted, criteria
            ),
        )
        return await _payload(info.context, outcome, input.id)

    @strawberry.mutation(description="Delete an assignment rule with its links.")
    @needs(Act.DELETE, Kind.RULE)
    async def assignment_rule_delete(self, info: ContextInfo, input: RuleDeleteInput) -> DeletePayload:
        """Delete a rule."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.delete_rule(work, decode_id(input.id, "AssignmentRule"), input.expected_version),
        )
        return await delete_payload(info.context, outcome, "AssignmentRule")

    @strawberry.mutation(description="Let a rule assign to a territory, and below it when asked.")
    @needs(Act.UPDATE, Kind.RULE)
    async def assignment_rule_link(self, info: ContextInfo, input: RuleLinkInput) -> RulePayload:
        """Link a rule."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.link_rule(
                work,
                decode_id(input.rule_id, "AssignmentRule", field="ruleId"),
                decode_id(input.territory_id, "Territory", field="territoryId"),
                applies_to_descendants=input.applies_to_descendants,
            ),
        )
        return await _payload(info.context, outcome)

    @strawberry.mutation(description="Stop a rule from assigning to a territory.")
    @needs(Act.UPDATE, Kind.RULE)
    async def assignment_rule_unlink(self, info: ContextInfo, input: RuleUnlinkInput) -> RulePayload:
        """Unlink a rule."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.unlink_rule(
                work,
                decode_id(input.rule_id, "AssignmentRule", field="ruleId"),
                decode_id(input.territory_id, "Territory", field="territoryId"),
            ),
        )
        return await _payload(info.context, outcome)
