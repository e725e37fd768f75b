"""GraphQL of rule statistics: what each rule matches, and what is wrong with the rules of a model."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Optional, Self

import strawberry
from sqlalchemy import BigInteger, String, column

from etm_graph.core.access import Act, Kind
from etm_graph.core.lifecycle import GROUP_OF
from etm_graph.db.paging import Order
from etm_graph.features.alignment.service.statistics import RuleAudits, RuleStatistics, UnassignedBy
from etm_graph.features.models.schema.types import TerritoryModel
from etm_graph.features.rules.schema.types import AssignmentRule, load_rules
from etm_graph.features.territories.schema.types import Territory, load_territories
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.enums import describe
from etm_graph.graphql.extending import extend
from etm_graph.graphql.pages import After, Before, Connection, First, Last, connect_list, make_page

BY_RULE = Order("rule statistics", (column("developer_name", String),))
BY_FINDING = Order("rule findings", (column("place", BigInteger),))
BY_VALUE = Order("unassigned", (column("value", String),))


class FindingKind(StrEnum):
    """What is wrong with rules."""

    DEAD_RULE = "DEAD_RULE"
    SHADOWED_RULE = "SHADOWED_RULE"
    UNLINKED_RULE = "UNLINKED_RULE"
    SIBLING_OVERLAP = "SIBLING_OVERLAP"
    UNASSIGNED_ACCOUNTS = "UNASSIGNED_ACCOUNTS"


describe(
    FindingKind,
    "What is wrong with the rules of a model.",
    {
        "DEAD_RULE": "An active rule matches no account.",
        "SHADOWED_RULE": "Without the rule every account would be where it is: territories below or other rules decide.",
        "UNLINKED_RULE": "An active rule works in no territory.",
        "SIBLING_OVERLAP": "Two territories under the same parent have the same accounts.",
        "UNASSIGNED_ACCOUNTS": "Accounts that are in no territory.",
    },
)
describe(
    UnassignedBy,
    "What accounts without a territory are counted by.",
    {"STATE": "The billing state.", "COUNTRY": "The billing country.", "INDUSTRY": "The industry."},
)

Kinds = Annotated[list[FindingKind] | None, strawberry.argument(description="Only these; all when left out.")]
By = Annotated[UnassignedBy, strawberry.argument(description="What they are counted by.")]


@strawberry.type(description="What one rule matches.")
@needs(Act.READ, Kind.RULE)
class RuleStatistic:
    """A row of `RuleStatistics.rules`."""

    rule_key: strawberry.Private[int]
    developer_name: str = strawberry.field(description="The rule's developerName.")
    hit_count: int = strawberry.field(description="Accounts that it matches by itself, switched on or not.")
    assigned_count: int = strawberry.field(description="Assignments that it is a cause of.")
    territory_count: int = strawberry.field(description="Territories that it is linked to.")
    rule: AssignmentRule | None = batched(
        lambda items, context: load_rules([item.rule_key for item in items], context), description="The rule."
    )

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """The GraphQL form."""
        return cls(
            rule_key=row["rule_id"],
            developer_name=row["developer_name"],
            hit_count=row["hits"],
            assigned_count=row["assigned"],
            territory_count=row["territories"],
        )


async def _rules(items: "Sequence[RuleFinding]", context: Context) -> list[AssignmentRule | None]:
    return await load_rules([item.rule_key for item in items], context)


async def _territories(items: "Sequence[RuleFinding]", context: Context) -> list[list[Territory]]:
    keys = sorted({key for item in items for key in item.territory_keys})
    found = dict(zip(keys, await load_territories(keys, context), strict=True))
    return [[node for key in item.territory_keys if (node := found[key]) is not None] for item in items]


@strawberry.type(description="Something about the rules of a model that somebody should look at.")
@needs(Act.READ, Kind.RULE)
class RuleFinding:
    """A finding."""

    rule_key: strawberry.Private[int | None]
    territory_keys: strawberry.Private[Sequence[int]]
    kind: FindingKind = strawberry.field(description="What it is.")
    account_count: int = strawberry.field(description="How many accounts it is about.")
    suggestion: str = strawberry.field(description="What to do about it, in words.")
    rule: AssignmentRule | None = batched(_rules, description="The rule that it is about.")
    territories: list[Territory] = batched(_territories, description="The territories that it is about.")


def _of_rule(kind: FindingKind, rule_id: int, accounts: int, suggestion: str) -> RuleFinding:
    return RuleFinding(rule_key=rule_id, territory_keys=(), kind=kind, account_count=accounts, suggestion=suggestion)


def findings_of(found: RuleStatistics) -> Sequence[RuleFinding]:
    """All findings: rules by name, then overlaps from the largest, then what nothing takes."""
    hits = {row["rule_id"]: row for row in found.rules.iter_rows(named=True)}
    order = {rule_id: place for place, rule_id in enumerate(hits)}
    told = []
    for rule_id in sorted(found.findings.dead, key=lambda rule_id: order[rule_id]):
        text = "Matches no account. Check its criteria; where rules are combined with ALL it keeps everything out."
        told.append(_of_rule(FindingKind.DEAD_RULE, rule_id, 0, text))
    for rule_id in sorted(found.findings.shadowed, key=lambda rule_id: order[rule_id]):
        text = (
            "Changes nothing: all that it matches is taken by territories below, or decided by other rules as well. "
            "Unlink it, or narrow the others."
        )
        told.append(_of_rule(FindingKind.SHADOWED_RULE, rule_id, hits[rule_id]["hits"], text))
    for rule_id in sorted(found.findings.unlinked, key=lambda rule_id: order[rule_id]):
        text = "Works in no territory. Link it to one, or switch it off."
        told.append(_of_rule(FindingKind.UNLINKED_RULE, rule_id, hits[rule_id]["hits"], text))
    for overlap in found.overlaps:
        first, second = found.names[overlap.first_id], found.names[overlap.second_id]
        text = (
            f"{first} and {second} share {overlap.accounts} accounts. Narrow one's rules, or exclude accounts from one."
        )
        told.append(
            RuleFinding(
                rule_key=None,
                territory_keys=(overlap.first_id, overlap.second_id),
                kind=FindingKind.SIBLING_OVERLAP,
                account_count=overlap.accounts,
                suggestion=text,
            )
        )
    if found.unassigned.height:
        text = (
            f"{found.unassigned.height} of {found.accounts} accounts are in no territory. `unassignedAccounts` counts them "
            "by state, country or industry; widen a rule, or link one to a territory above."
        )
        told.append(
            RuleFinding(
                rule_key=None,
                territory_keys=(),
                kind=FindingKind.UNASSIGNED_ACCOUNTS,
                account_count=found.unassigned.height,
                suggestion=text,
            )
        )
    return told


@strawberry.type(description="How many accounts without a territory have the same value.")
@needs(Act.READ, Kind.ASSIGNMENT)
class UnassignedGroup:
    """A group of accounts."""

    value: str = strawberry.field(description="The value that they share; empty for those without one.")
    account_count: int = strawberry.field(description="How many they are.")


async def _statistics(parents: Sequence[TerritoryModel], context: Context) -> list[RuleStatistics | None]:
    """Statistics of the models that the viewer may read whole."""
    audits, session = context.services.get(RuleAudits), await context.session()
    return [
        await audits.of(session, model.key, model.model_state)
        if all(
            context.viewer.may(Act.READ, kind, state=GROUP_OF[model.model_state], model_id=model.key)
            for kind in (Kind.ASSIGNMENT, Kind.RULE)
        )
        else None
        for model in parents
    ]


async def _lengths(lists: Sequence[Sequence[object]], context: Context) -> list[int]:
    _ = context
    return [len(items) for items in lists]


async def _rule_statistics(
    parents: Sequence[TerritoryModel],
    context: Context,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> list[Connection[RuleStatistic] | None]:
    page = make_page(context, first, after, last, before)
    answer: list[Connection[RuleStatistic] | None] = []
    for found in await _statistics(parents, context):
        rows = [] if found is None else list(found.rules.iter_rows(named=True))
        made = connect_list(
            rows, BY_RULE, page, lambda row: (row["developer_name"],), RuleStatistic.of, (_lengths, rows, {})
        )
        answer.append(None if found is None else made)
    return answer


async def _findings(
    parents: Sequence[TerritoryModel],
    context: Context,
    kinds: Kinds = None,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> list[Connection[RuleFinding] | None]:
    page = make_page(context, first, after, last, before)
    answer: list[Connection[RuleFinding] | None] = []
    for found in await _statistics(parents, context):
        told = [] if found is None else findings_of(found)
        rows = list(enumerate(item for item in told if kinds is None or item.kind in kinds))
        made = connect_list(rows, BY_FINDING, page, lambda row: (row[0],), lambda row: row[1], (_lengths, rows, {}))
        answer.append(None if found is None else made)
    return answer


async def _unassigned(
    parents: Sequence[TerritoryModel],
    context: Context,
    by: By = UnassignedBy.STATE,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> list[Connection[UnassignedGroup] | None]:
    page = make_page(context, first, after, last, before)
    answer: list[Connection[UnassignedGroup] | None] = []
    for found in await _statistics(parents, context):
        rows = [] if found is None else list(found.unassigned_by(UnassignedBy(by)).iter_rows())
        made = connect_list(
            rows,
            BY_VALUE,
            page,
            lambda row: (row[0],),
            lambda row: UnassignedGroup(value=row[0], account_count=row[1]),
            (_lengths, rows, {}),
        )
        answer.append(None if found is None else made)
    return answer


extend(
    TerritoryModel,
    "rule_statistics",
    Optional[Connection[RuleStatistic]],
    batched(
        _rule_statistics, description="What each rule matches, by developer name; null unless you may read all of it."
    ),
)
extend(
    TerritoryModel,
    "rule_findings",
    Optional[Connection[RuleFinding]],
    batched(
        _findings, description="What is wrong with the rules, with suggestions; null unless you may read all of it."
    ),
)
extend(
    TerritoryModel,
    "unassigned_accounts",
    Optional[Connection[UnassignedGroup]],
    batched(_unassigned, description="Accounts without a territory, counted; null unless you may read all of it."),
)
