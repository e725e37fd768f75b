"""Why an account is in a territory, and an opportunity in another: one at a time, with every ground."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Self

import strawberry
from sqlalchemy import Row
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.core.assignment import CriterionTruth, RuleTruth
from etm_graph.core.criteria import DataType, Operator, PostalRange, Value
from etm_graph.core.errors import NotFound
from etm_graph.core.explaining import PairReason
from etm_graph.core.lifecycle import GROUP_OF, ModelState
from etm_graph.core.opportunities import AlignmentCause, AlignmentReason, Standing
from etm_graph.features.alignment.service import Engine
from etm_graph.features.alignment.service.explaining import (
    ExplainedAssignment,
    ExplainedCandidate,
    ExplainedOpportunity,
    explain_assignment,
    explain_opportunity,
)
from etm_graph.features.crm.queries import opportunities_by_id
from etm_graph.features.crm.schema.types import Account, Opportunity, load_accounts, load_opportunities
from etm_graph.features.models import queries as models
from etm_graph.features.rules.schema.types import AssignmentRule, load_rules
from etm_graph.features.territories.schema.types import Territory, load_territories
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.enums import describe
from etm_graph.graphql.ids import decode_id

WORDS = {
    PairReason.BY_HAND: "A person assigned it; rules do not.",
    PairReason.BY_RULE: "All rules that the territory inherits match, and its own do.",
    PairReason.BY_HAND_AND_RULE: "A person assigned it, and rules do so as well.",
    PairReason.FROZEN_IN: "The account is kept out of realignment, and the active model has it here by rule.",
    PairReason.FROZEN_OUT: "The account is kept out of realignment, and the active model does not have it here by rule.",
    PairReason.EXCLUDED: "Rules would assign it, but the account is excluded from this territory.",
    PairReason.TAKEN_BELOW: "The rules match here, but also further down, and the lowest territory of a branch takes it.",
    PairReason.NO_MATCH: "The territory's rules do not match the account.",
    PairReason.NO_RULES: "The territory has no active rule of its own, and is not one that takes what it inherits.",
    PairReason.AS_STORED: "It is as the model's last run left it; its rules would decide otherwise about the account now.",
}

describe(PairReason, "What decides about an account and a territory.", {key.name: text for key, text in WORDS.items()})
describe(
    Standing,
    "How far a territory came when an opportunity was aligned.",
    {
        "CHOSEN": "It is the best.",
        "TIED": "It is as good as another, so that none was taken.",
        "LESS_DEEP": "Another of the same type priority is deeper.",
        "LOWER_PRIORITY": "Another one's type has a larger priority.",
    },
    name="CandidateStanding",
)


def _entered(value: Value) -> str:
    if isinstance(value, PostalRange):
        return f"{value.low}..{value.high}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return format(Decimal(str(value)).normalize(), "f")
    return ", ".join(_shown(item) or "" for item in value) if isinstance(value, list | tuple) else str(value)


@strawberry.type(description="A criterion of a rule, and what the account has.")
@needs(Act.READ, Kind.RULE)
class CriterionExplanation:
    """A criterion's truth."""

    number: int = strawberry.field(description="Its number in the filter logic.")
    field: str = strawberry.field(description="The account's field.")
    operator: Operator = strawberry.field(description="How the field is compared.")
    values: list[str] = strawberry.field(description="What it is compared with, in the form in which it is compared.")
    value: str | None = strawberry.field(
        description="What the account has; null when it is missing, or an amount and you may not see money."
    )
    matches: bool = strawberry.field(description="Whether the criterion holds.")

    @classmethod
    def of(cls, truth: CriterionTruth, *, money: bool) -> Self:
        """The GraphQL form."""
        criterion = truth.criterion
        hidden = criterion.data_type is DataType.CURRENCY and not money
        return cls(
            number=criterion.number,
            field=criterion.field,
            operator=criterion.operator,
            values=[_entered(value) for value in criterion.values],
            value=None if hidden else _shown(truth.value),
            matches=truth.matches,
        )


@strawberry.type(description="A rule of the territory, own or inherited, and what it says of the account.")
@needs(Act.READ, Kind.ASSIGNMENT)
class RuleExplanation:
    """A rule's truth."""

    rule_key: strawberry.Private[int]
    is_inherited: bool = strawberry.field(description="Whether it is passed down from above; then it must match.")
    matches: bool = strawberry.field(description="What its filter logic comes to.")
    criteria: list[CriterionExplanation] | None = strawberry.field(
        description="Each criterion by itself; null when you may not read the rule."
    )
    rule: AssignmentRule | None = batched(
        lambda items, context: load_rules([item.rule_key for item in items], context),
        description="The rule; null when you may not read it.",
    )

    @classmethod
    def of(cls, truth: RuleTruth, *, readable: bool, money: bool) -> Self:
        """The GraphQL form."""
        criteria = [CriterionExplanation.of(criterion, money=money) for criterion in truth.criteria]
        return cls(
            rule_key=truth.rule.id,
            is_inherited=truth.inherited,
            matches=truth.matches,
            criteria=criteria if readable else None,
        )


async def _taken_by(items: "Sequence[AssignmentExplanation]", context: Context) -> list[list[Territory]]:
    keys = sorted({key for item in items for key in item.taken_keys})
    found = dict(zip(keys, await load_territories(keys, context), strict=True))
    return [[node for key in item.taken_keys if (node := found[key]) is not None] for item in items]


@strawberry.type(description="Why an account is or is not in a territory.")
@needs(Act.READ, Kind.ASSIGNMENT)
class AssignmentExplanation:
    """The verdict on one pair, with its grounds."""

    taken_keys: strawberry.Private[list[int]]
    account: Account = strawberry.field(description="The account.")
    territory: Territory = strawberry.field(description="The territory.")
    is_assigned: bool = strawberry.field(description="Whether the account is in the territory.")
    manual: bool = strawberry.field(description="Whether a person assigned it.")
    by_rule: bool = strawberry.field(description="Whether rules assign it.")
    reason: PairReason = strawberry.field(description="What decides.")
    text: str = strawberry.field(description="The reason in words.")
    since: datetime | None = strawberry.field(description="When the stored assignment began; null when there is none.")
    rules_match: bool = strawberry.field(description="Whether the territory's rules, own and inherited, hold.")
    has_rules: bool = strawberry.field(description="Whether it has rules that can give it anything.")
    is_excluded: bool = strawberry.field(description="Whether the account is excluded from this territory.")
    exclusion_note: str | None = strawberry.field(description="Why it is excluded.")
    is_frozen: bool = strawberry.field(description="Whether the account is kept out of realignment.")
    rules: list[RuleExplanation] = strawberry.field(description="The territory's active rules: own, then inherited.")
    taken_by: list[Territory] = batched(
        _taken_by, description="The lowest territories below whose rules match, too; of those that you may read."
    )


def _explanation(
    context: Context, account: Account, territory: Territory, state: ModelState, found: ExplainedAssignment
) -> AssignmentExplanation:
    readable = context.viewer.may(Act.READ, Kind.RULE, state=GROUP_OF[state], model_id=territory.model_key)
    money = context.viewer.may(Act.READ_MONEY, Kind.CRM)
    pair = found.pair
    return AssignmentExplanation(
        account=account,
        territory=territory,
        is_assigned=pair.assigned,
        manual=pair.manual,
        by_rule=pair.by_rule,
        reason=pair.reason,
        text=WORDS[pair.reason],
        since=found.since,
        rules_match=pair.rules.matches,
        has_rules=pair.can_match,
        is_excluded=found.excluded,
        exclusion_note=found.note,
        is_frozen=found.frozen,
        rules=[RuleExplanation.of(truth, readable=readable, money=money) for truth in pair.rules.rules],
        taken_keys=list(pair.rules.taken_by),
    )


@strawberry.type(description="A territory of an opportunity's account, as alignment weighs it.")
@needs(Act.READ, Kind.ASSIGNMENT)
class AlignmentCandidate:
    """A candidate."""

    territory_key: strawberry.Private[int]
    type_priority: int = strawberry.field(description="Its type's priority in the model; the largest wins.")
    depth: int = strawberry.field(description="0 for a root; among the same priority the deepest wins.")
    standing: Standing = strawberry.field(description="How far it came.")
    territory: Territory | None = batched(
        lambda items, context: load_territories([item.territory_key for item in items], context),
        description="The territory.",
    )

    @classmethod
    def of(cls, found: ExplainedCandidate) -> Self:
        """The GraphQL form."""
        one = found.candidate
        return cls(
            territory_key=one.territory_id, type_priority=one.type_priority, depth=one.depth, standing=found.standing
        )


@strawberry.type(description="Where an opportunity rolls up in a model, and why.")
@needs(Act.READ, Kind.ASSIGNMENT)
class OpportunityExplanation:
    """The verdict on one opportunity, with its grounds."""

    territory_key: strawberry.Private[int | None]
    opportunity: Opportunity = strawberry.field(description="The opportunity.")
    cause: AlignmentCause = strawberry.field(description="What decides.")
    reason: AlignmentReason = strawberry.field(description="Why.")
    candidates: list[AlignmentCandidate] = strawberry.field(
        description="The account's territories in the model that you may read, the best first."
    )
    hidden_candidate_count: int = strawberry.field(description="How many more there are that you may not read.")
    territory: Territory | None = batched(
        lambda items, context: load_territories([item.territory_key for item in items], context),
        description="The territory; null for none, or one that you may not read.",
    )

    @classmethod
    async def of(cls, context: Context, model: Row[Any], opportunity: Opportunity, found: ExplainedOpportunity) -> Self:
        """The GraphQL form, with the candidates that the viewer may read."""
        nodes = await load_territories([item.candidate.territory_id for item in found.candidates], context)
        seen = [
            AlignmentCandidate.of(item)
            for item, node in zip(found.candidates, nodes, strict=True)
            if node is not None and _may_read(context, ModelState(model.state), node)
        ]
        return cls(
            territory_key=found.territory_id,
            opportunity=opportunity,
            cause=found.cause,
            reason=found.reason,
            candidates=seen,
            hidden_candidate_count=len(nodes) - len(seen),
        )


def _may_read(context: Context, state: ModelState, territory: Territory) -> bool:
    group = GROUP_OF[state]
    return context.viewer.may(Act.READ, Kind.ASSIGNMENT, state=group, model_id=territory.model_key, path=territory.path)


@strawberry.type
class ExplainingQuery:
    """Root fields that explain."""

    @strawberry.field(
        description="Why an account is or is not in a territory: every rule, criterion, hand and exclusion."
    )
    @needs(Act.READ, Kind.ASSIGNMENT)
    async def explain_assignment(
        self,
        info: Info[Context, None],
        account_id: Annotated[strawberry.ID, strawberry.argument(description="The account.")],
        territory_id: Annotated[strawberry.ID, strawberry.argument(description="The territory, of any model.")],
    ) -> AssignmentExplanation:
        """Explain one pair."""
        context = info.context
        account_key = decode_id(account_id, "Account", field="accountId")
        (territory,) = await load_territories([decode_id(territory_id, "Territory", field="territoryId")], context)
        session = await context.session()
        rows = {} if territory is None else await models.models_by_id(session, context.viewer, {territory.model_key})
        if territory is None or territory.model_key not in rows:
            raise NotFound("There is no such territory.", field=["territoryId"])
        state = ModelState(rows[territory.model_key].state)
        if not _may_read(context, state, territory):
            raise NotFound("There is no such territory.", field=["territoryId"])
        (account,) = await load_accounts([account_key], context)
        if account is None:
            raise NotFound("There is no such account.", field=["accountId"])
        engine = context.services.get(Engine)
        found = await explain_assignment(session, engine, territory.key, rows[territory.model_key], account_key)
        return _explanation(context, account, territory, state, found)

    @strawberry.field(description="Where an opportunity rolls up in a model and why: every candidate and how it fared.")
    @needs(Act.READ, Kind.ASSIGNMENT)
    async def explain_opportunity_territory(
        self,
        info: Info[Context, None],
        opportunity_id: Annotated[strawberry.ID, strawberry.argument(description="The opportunity.")],
        model_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="The model; the active one when left out.")
        ] = None,
    ) -> OpportunityExplanation:
        """Explain one opportunity."""
        context = info.context
        session = await context.session()
        key = decode_id(opportunity_id, "Opportunity", field="opportunityId")
        wanted = None if model_id is None else decode_id(model_id, "TerritoryModel", field="modelId")
        model_key = wanted or await models.active_model_id(session)
        rows = await models.models_by_id(session, context.viewer, set() if model_key is None else {model_key})
        if model_key not in rows:
            raise NotFound("There is no such model.", field=["modelId"])
        (opportunity,) = await load_opportunities([key], context)
        if opportunity is None:
            raise NotFound("There is no such opportunity.", field=["opportunityId"])
        row = (await opportunities_by_id(session, context.viewer, [key]))[key]
        found = await explain_opportunity(session, context.services.get(Engine), rows[model_key], row)
        return await OpportunityExplanation.of(context, rows[model_key], opportunity, found)
