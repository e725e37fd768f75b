"""GraphQL types of assignments, and what they add to models, territories and opportunities."""

from collections.abc import Mapping, Sequence
from typing import Optional

import strawberry

from etm_graph.core.access import ORGANISATION_PATH, Act, Kind, StateGroup
from etm_graph.core.lifecycle import GROUP_OF, ModelState
from etm_graph.core.opportunities import AlignmentCause, AlignmentReason
from etm_graph.db.paging import decode_cursor, encode_cursor
from etm_graph.features.alignment import queries
from etm_graph.features.alignment.service import AssignedRow, Engine, Sums
from etm_graph.features.crm.schema.types import Account, Opportunity, load_accounts
from etm_graph.features.models import queries as models
from etm_graph.features.models.schema.types import TerritoryModel
from etm_graph.features.rules.schema.types import AssignmentRule, load_rules
from etm_graph.features.territories import queries as territory_queries
from etm_graph.features.territories.schema.types import Territory, load_territories
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needing, needs
from etm_graph.graphql.enums import describe
from etm_graph.graphql.extending import extend
from etm_graph.graphql.pages import After, Connection, First, make_page
from etm_graph.graphql.scalars import BigInt

describe(
    AlignmentReason,
    "Why an opportunity is where it is.",
    {
        "NO_TERRITORY": "Its account has no territory.",
        "ONLY_TERRITORY": "Its account's only territory.",
        "HIGHEST_TYPE_PRIORITY": "Of its account's territories, the one whose type has the largest priority.",
        "DEEPEST": "Several types share the largest priority; the deepest territory wins.",
        "TIE": "Several territories are equally good; none was taken.",
        "EXCLUDED": "It is kept out of territories.",
    },
)
describe(
    AlignmentCause,
    "What decided.",
    {"POLICY": "The alignment policy.", "MANUAL": "A person.", "KEPT": "It was left as it is."},
)


async def _rules_behind(items: "Sequence[Assignment]", context: Context) -> list[list[AssignmentRule]]:
    keys = sorted({key for item in items for key in item.rule_keys})
    found = dict(zip(keys, await load_rules(keys, context), strict=True)) if keys else {}
    return [[rule for key in item.rule_keys if (rule := found[key]) is not None] for item in items]


async def _accounts(items: "Sequence[Assignment]", context: Context) -> list[Account | None]:
    return await load_accounts([item.account_key for item in items], context)


@strawberry.type(description="An account in a territory.")
@needs(Act.READ, Kind.ASSIGNMENT)
class Assignment:
    """One pair of the engine."""

    account_key: strawberry.Private[int]
    rule_keys: strawberry.Private[list[int]]
    manual: bool = strawberry.field(description="Whether a person assigned it.")
    by_rule: bool = strawberry.field(description="Whether rules assign it.")
    account: Account | None = batched(_accounts, description="The account.")
    rules: list[AssignmentRule] = batched(_rules_behind, description="The rules behind it.")


@strawberry.type(description="What a territory has, in corporate currency.")
@needs(Act.READ, Kind.ASSIGNMENT)
class TerritorySums:
    """Sums of one territory."""

    account_count: int = strawberry.field(description="How many accounts.")
    annual_revenue: float | None = strawberry.field(
        description="Their revenue a year, rounded to cents; null for those who may not see money.",
        metadata=needing(Act.READ_MONEY, Kind.ASSIGNMENT),
    )
    pipeline: float | None = strawberry.field(
        description="Open pipeline of the opportunities that roll up here; null for those who may not see money.",
        metadata=needing(Act.READ_MONEY, Kind.ASSIGNMENT),
    )


@strawberry.type(description="What a model's rules, as they are now, make of all accounts.")
@needs(Act.READ, Kind.ASSIGNMENT)
class AssignmentPreview:
    """Totals of a model."""

    account_count: int = strawberry.field(description="How many accounts there are.")
    assigned_count: int = strawberry.field(description="How many of them have a territory.")
    unassigned_count: int = strawberry.field(description="How many have none.")
    assignment_count: int = strawberry.field(description="How many (account, territory) pairs there are.")
    overlap_count: int = strawberry.field(description="How many accounts have several territories.")
    head: BigInt = strawberry.field(description="Number of the model's change that this reflects.")
    crm_sequence: BigInt = strawberry.field(description="Number of the CRM's change that this reflects.")


async def _states(context: Context, model_keys: set[int]) -> Mapping[int, ModelState]:
    found = await models.models_by_id(await context.session(), context.viewer, model_keys)
    return {key: ModelState(row.state) for key, row in found.items()}


def _may(context: Context, act: Act, territory: Territory, state: ModelState) -> bool:
    return context.viewer.may(
        act, Kind.ASSIGNMENT, state=GROUP_OF[state], model_id=territory.model_key, path=territory.path
    )


async def _sums(territories: Sequence[Territory], context: Context) -> list[TerritorySums | None]:
    engine, session = context.services.get(Engine), await context.session()
    states = await _states(context, {territory.model_key for territory in territories})
    by_model = {key: await engine.sums(session, key, state) for key, state in states.items()}
    answer: list[TerritorySums | None] = []
    for territory in territories:
        state = states.get(territory.model_key)
        if state is None or not _may(context, Act.READ, territory, state):
            answer.append(None)
            continue
        sums = by_model[territory.model_key].get(territory.key, Sums())
        money = _may(context, Act.READ_MONEY, territory, state)
        answer.append(
            TerritorySums(
                account_count=sums.accounts,
                annual_revenue=round(sums.annual_revenue, 2) if money else None,
                pipeline=round(sums.pipeline, 2) if money else None,
            )
        )
    return answer


async def _count_assignments(territories: Sequence[Territory], context: Context) -> list[int]:
    return [0 if sums is None else sums.account_count for sums in await _sums(territories, context)]


async def _assignments(
    territories: Sequence[Territory], context: Context, first: First = None, after: After = None
) -> list[Connection[Assignment]]:
    page = make_page(context, first, after)
    engine, session = context.services.get(Engine), await context.session()
    states = await _states(context, {territory.model_key for territory in territories})
    by_model = {key: await engine.assignments(session, key, state) for key, state in states.items()}
    answer = []
    for territory in territories:
        state = states.get(territory.model_key)
        if state is not None and _may(context, Act.READ, territory, state):
            last = -1 if after is None else int(str(decode_cursor(queries.BY_ACCOUNT, after)[0]))
            rows, more = by_model[territory.model_key].page_of(territory.key, last, page.size)
        else:
            rows, more = [], False
        answer.append(_connection(territory, rows, after=after, more=more))
    return answer


def _connection(
    territory: Territory, rows: Sequence[AssignedRow], *, after: str | None, more: bool
) -> Connection[Assignment]:
    nodes = [
        Assignment(account_key=row.object_id, manual=row.manual, by_rule=row.by_rule, rule_keys=list(row.rule_ids))
        for row in rows
    ]
    return Connection(
        nodes=nodes,
        cursor_of=lambda place: encode_cursor(queries.BY_ACCOUNT, [nodes[place].account_key]),
        more_after=more,
        more_before=after is not None,
        count=(_count_assignments, territory, {}),
    )


async def _previews(parents: Sequence[TerritoryModel], context: Context) -> list[AssignmentPreview | None]:
    engine, session = context.services.get(Engine), await context.session()
    answer: list[AssignmentPreview | None] = []
    for model in parents:
        if not context.viewer.may(Act.READ, Kind.ASSIGNMENT, state=GROUP_OF[model.model_state], model_id=model.key):
            answer.append(None)
            continue
        found = await engine.assignments(session, model.key, model.model_state)
        answer.append(
            AssignmentPreview(
                account_count=found.accounts,
                assigned_count=found.assigned,
                unassigned_count=found.accounts - found.assigned,
                assignment_count=found.count,
                overlap_count=found.overlaps,
                head=BigInt(found.head),
                crm_sequence=BigInt(found.crm_seq),
            )
        )
    return answer


@strawberry.type(description="The territory that an opportunity rolls up to in the active model, and why.")
@needs(Act.READ, Kind.ASSIGNMENT)
class OpportunityAlignment:
    """A row of opportunity_alignment."""

    territory_key: strawberry.Private[int | None]
    cause: AlignmentCause = strawberry.field(description="What decided.")
    reason: AlignmentReason = strawberry.field(description="Why.")
    territory: Territory | None = batched(
        lambda items, context: load_territories([item.territory_key for item in items], context),
        description="The territory; null for none, or one that you may not read.",
    )


async def _alignments(opportunities: Sequence[Opportunity], context: Context) -> list[OpportunityAlignment | None]:
    session = await context.session()
    active = await models.active_model_id(session)
    if active is None:
        return [None] * len(opportunities)
    found = await queries.alignments_of(session, active, {opportunity.key for opportunity in opportunities})
    places = await territory_queries.places_of(session, {row.territory_id for row in found.values()} - {None})
    readable = {row.id for row in places if _reads_assignments(context, active, row.path)}
    if _reads_assignments(context, active, ORGANISATION_PATH):
        readable.add(None)
    return [
        OpportunityAlignment(
            territory_key=row.territory_id, cause=AlignmentCause(row.cause), reason=AlignmentReason(row.reason)
        )
        if (row := found.get(opportunity.key)) is not None and row.territory_id in readable
        else None
        for opportunity in opportunities
    ]


def _reads_assignments(context: Context, active_id: int, path: str) -> bool:
    return context.viewer.may(Act.READ, Kind.ASSIGNMENT, state=StateGroup.ACTIVE, model_id=active_id, path=path)


async def _account_territories(accounts: Sequence[Account], context: Context) -> list[list[Territory]]:
    session = await context.session()
    active = await models.active_model_id(session)
    if active is None:
        return [[] for _ in accounts]
    found = await queries.territories_of_accounts(session, active, {account.key for account in accounts})
    keys = sorted({key for keys in found.values() for key in keys})
    loaded = dict(zip(keys, await load_territories(keys, context), strict=True))
    return [
        [
            node
            for key in found.get(account.key, ())
            if (node := loaded[key]) is not None and _reads_assignments(context, active, node.path)
        ]
        for account in accounts
    ]


extend(
    Account,
    "territories",
    list[Territory],
    batched(_account_territories, description="The active model's territories that it is assigned to."),
)
extend(
    Opportunity,
    "alignment",
    Optional[OpportunityAlignment],
    batched(_alignments, description="Where it rolls up in the active model; null when you may not read that."),
)
extend(
    Territory,
    "assignments",
    Connection[Assignment],
    batched(_assignments, description="Its accounts: derived live in a draft, stored in an active or archived model."),
)
extend(
    Territory,
    "sums",
    Optional[TerritorySums],
    batched(_sums, description="What its accounts sum up to; null when you may not read its assignments."),
)
extend(
    TerritoryModel,
    "preview",
    Optional[AssignmentPreview],
    batched(_previews, description="What the model makes of all accounts; null when you may not read it whole."),
)
