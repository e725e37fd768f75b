"""GraphQL types of assignment rules."""

from collections.abc import Sequence
from typing import Any, Self

import strawberry
from sqlalchemy import Row

from etm_graph.core.access import Act, Kind
from etm_graph.core.criteria import Operator
from etm_graph.features.models.schema.types import TerritoryModel
from etm_graph.features.rules import queries
from etm_graph.features.territories.schema.types import Territory, load_territories
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.enums import describe
from etm_graph.graphql.extending import extend
from etm_graph.graphql.ids import Node, encode_id
from etm_graph.graphql.pages import After, Before, Connection, First, Last, connect, make_page
from etm_graph.graphql.scalars import BigInt

describe(
    Operator,
    "How a criterion compares an account's field with its values.",
    {
        "EQUALS": "Is one of the values; postal codes also as ranges such as 80000..81999.",
        "NOT_EQUAL": "Is none of the values, or missing.",
        "LESS": "Is below the value.",
        "LESS_OR_EQUAL": "Is at most the value.",
        "GREATER": "Is above the value.",
        "GREATER_OR_EQUAL": "Is at least the value.",
        "BETWEEN": "Lies between two values, both included.",
        "CONTAINS": "Contains one of the texts.",
        "NOT_CONTAINS": "Contains none of the texts, or is missing.",
        "STARTS_WITH": "Starts with one of the texts.",
        "IN": "Is one of the values.",
        "NOT_IN": "Is none of the values, or missing.",
        "INCLUDES": "Holds one of the picklist values.",
        "EXCLUDES": "Holds none of the picklist values, or is missing.",
        "WITHIN": "Lies within a distance of a point: latitude, longitude, kilometres.",
        "IS_NULL": "Is missing.",
    },
)


@strawberry.type(description="One condition of a rule.")
class RuleCriterion:
    """A criterion."""

    number: int = strawberry.field(description="Its number in the filter logic, from 1.")
    field: str = strawberry.field(description="The account's field; custom ones are named custom.<developerName>.")
    operator: Operator = strawberry.field(description="How the field is compared.")
    values: list[str] = strawberry.field(description="What it is compared with; several mean any of them.")


@strawberry.type(description="A rule at work in a territory.")
class RuleLink:
    """A row of rule_link."""

    territory_key: strawberry.Private[int]
    applies_to_descendants: bool = strawberry.field(description="Whether it is passed down to territories below.")
    territory: Territory | None = batched(
        lambda links, context: load_territories([link.territory_key for link in links], context),
        description="Where it works.",
    )


async def _links(rules: "Sequence[AssignmentRule]", context: Context) -> list[list[RuleLink]]:
    found = await queries.links_of_rules(await context.session(), {rule.key for rule in rules})
    return [
        [
            RuleLink(territory_key=row.territory_id, applies_to_descendants=row.applies_to_descendants)
            for row in found.get(rule.key, ())
        ]
        for rule in rules
    ]


@strawberry.type(description="Which accounts belong to the territories that it is linked to.")
@needs(Act.READ, Kind.RULE)
class AssignmentRule(Node):
    """A row of assignment_rule."""

    key: strawberry.Private[int]
    model_key: strawberry.Private[int]
    developer_name: str = strawberry.field(description="Unique and immutable in its model.")
    name: str = strawberry.field(description="The name for people.")
    is_active: bool = strawberry.field(description="Whether it is in use.")
    filter_logic: str | None = strawberry.field(
        description="How the criteria are combined, such as (1 AND 2) OR NOT 3; null means all of them."
    )
    criteria: list[RuleCriterion] = strawberry.field(description="Its conditions, by number.")
    version: BigInt = strawberry.field(description="Number of its last change; send it as `expectedVersion`.")
    links: list[RuleLink] = batched(_links, description="Where it works.")

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The rule of a row."""
        return cls(
            id=encode_id("AssignmentRule", row.id),
            key=row.id,
            model_key=row.model_id,
            developer_name=row.developer_name,
            name=row.name,
            is_active=row.is_active,
            filter_logic=row.filter_logic,
            criteria=[
                RuleCriterion(
                    number=item["number"],
                    field=item["field"],
                    operator=Operator(item["operator"]),
                    values=item["values"],
                )
                for item in row.criteria
            ],
            version=BigInt(row.version),
        )


async def load_rules(ids: Sequence[int | None], context: Context) -> list[AssignmentRule | None]:
    """Rules by id, None for those that the viewer may not read."""
    wanted = {number for number in ids if number is not None}
    found = await queries.rules_by_id(await context.session(), context.viewer, wanted)
    return [AssignmentRule.of(found[number]) if number in found else None for number in ids]


async def _count_model_rules(keys: Sequence[int], context: Context) -> list[int]:
    found = await queries.count_of_models(await context.session(), context.viewer, set(keys))
    return [found.get(key, 0) for key in keys]


async def _model_rules(
    models: Sequence[TerritoryModel],
    context: Context,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> list[Connection[AssignmentRule]]:
    page = make_page(context, first, after, last, before)
    keys = [model.key for model in models]
    found = await queries.rules_of_models(await context.session(), context.viewer, keys, page)
    return [
        connect(found.get(key, ()), queries.RULES, page, AssignmentRule.of, (_count_model_rules, key, {}))
        for key in keys
    ]


async def _count_territory_rules(keys: Sequence[int], context: Context) -> list[int]:
    found = await queries.count_of_territories(await context.session(), context.viewer, set(keys))
    return [found.get(key, 0) for key in keys]


async def _territory_rules(
    territories: Sequence[Territory],
    context: Context,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> list[Connection[AssignmentRule]]:
    page = make_page(context, first, after, last, before)
    keys = [territory.key for territory in territories]
    found = await queries.rules_of_territories(await context.session(), context.viewer, keys, page)
    return [
        connect(found.get(key, ()), queries.RULES, page, AssignmentRule.of, (_count_territory_rules, key, {}))
        for key in keys
    ]


@needs(Act.READ, Kind.RULE)
async def _territory_rule_counts(territories: Sequence[Territory], context: Context) -> list[int]:
    return await _count_territory_rules([territory.key for territory in territories], context)


extend(
    TerritoryModel,
    "rules",
    Connection[AssignmentRule],
    batched(_model_rules, description="The model's assignment rules, by developer name."),
)
extend(
    Territory,
    "rules",
    Connection[AssignmentRule],
    batched(_territory_rules, description="The rules linked to it, by developer name."),
)
extend(Territory, "rule_count", int, batched(_territory_rule_counts, description="How many rules are linked to it."))
