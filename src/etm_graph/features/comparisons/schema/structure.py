"""GraphQL types of the structure's side of a comparison."""

from collections.abc import Sequence
from typing import Annotated, Any

import orjson
import strawberry
from sqlalchemy import String, column

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import EntityType
from etm_graph.core.diff import Difference, DifferenceKind, count_kinds
from etm_graph.core.structure import ENTITY_ORDER, name_of_territory
from etm_graph.db.paging import Order
from etm_graph.features.comparisons.schema.places import territories_at
from etm_graph.features.comparisons.service import Comparison, DifferenceFilter, Side, select_differences
from etm_graph.features.models.schema.feed import FieldChange
from etm_graph.features.territories.schema.types import Territory
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.enums import describe

DIFFERENCES = Order("differences", (column("place", String), column("key", String)))

describe(
    DifferenceKind,
    "How something differs between two models.",
    {
        "ADDED": "It is in the other one only.",
        "REMOVED": "It is in the base only.",
        "MOVED": "It is a territory under another parent.",
        "RENAMED": "It has another name for people.",
        "CHANGED": "Any other field differs.",
    },
)


@strawberry.input(description="Which differences; all conditions that are given must hold.")
class DifferenceFilterInput:
    """Conditions on differences."""

    entity_types: list[EntityType] | None = strawberry.field(default=None, description="Only differences of these.")
    kinds: list[DifferenceKind] | None = strawberry.field(default=None, description="Only of one of these kinds.")
    territory_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only what is in this territory of either model, or below it in either."
    )
    user_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only the user's memberships, and what is in territories where the user is a member."
    )
    account_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only what people decided about this account."
    )


Filter = Annotated[DifferenceFilterInput | None, strawberry.argument(description="Which ones; all when left out.")]


def _json(value: object) -> str | None:
    return None if value is None else orjson.dumps(value, default=str).decode()


async def _in_base(items: "Sequence[StructureDifference]", context: Context) -> list[Territory | None]:
    return await territories_at([(item.base_side, item.territory_name) for item in items], context)


async def _in_other(items: "Sequence[StructureDifference]", context: Context) -> list[Territory | None]:
    return await territories_at([(item.other_side, item.territory_name) for item in items], context)


@strawberry.type(description="One thing of the structure that is not the same in two models.")
@needs(Act.READ, Kind.TERRITORY)
class StructureDifference:
    """A difference."""

    base_side: strawberry.Private[Side]
    other_side: strawberry.Private[Side]
    territory_name: strawberry.Private[str | None]
    entity_type: EntityType = strawberry.field(description="What it is.")
    key: str = strawberry.field(description="Its name in both models: developerNames, joined by /.")
    kinds: list[DifferenceKind] = strawberry.field(description="How it differs; a territory can be moved and renamed.")
    fields: list[FieldChange] = strawberry.field(description="The fields that differ, in the base and in the other.")
    base_territory: Territory | None = batched(
        _in_base, description="The territory that it is, or is in, in the base as it is now; null when there is none."
    )
    other_territory: Territory | None = batched(
        _in_other, description="The territory that it is, or is in, in the other as it is now; null when there is none."
    )


@strawberry.type(description="How many things of one type differ.")
@needs(Act.READ, Kind.TERRITORY)
class DifferenceCount:
    """Counts of one type."""

    entity_type: EntityType = strawberry.field(description="What they are.")
    added: int = strawberry.field(description="In the other one only.")
    removed: int = strawberry.field(description="In the base only.")
    moved: int = strawberry.field(description="Under another parent.")
    renamed: int = strawberry.field(description="With another name for people.")
    changed: int = strawberry.field(description="With any other field that differs.")


def make_counts(comparison: Comparison) -> list[DifferenceCount]:
    """How many differences there are, by type, in the order in which structures are told."""
    counts = count_kinds(comparison.differences)
    return [
        DifferenceCount(entity_type=entity, **{kind.value.lower(): number for kind, number in counts[entity].items()})
        for entity in ENTITY_ORDER
        if entity in counts
    ]


def make_difference(comparison: Comparison, item: Difference) -> StructureDifference:
    """The GraphQL form of a difference."""
    before, after = item.before or {}, item.after or {}
    return StructureDifference(
        base_side=comparison.base,
        other_side=comparison.other,
        territory_name=name_of_territory(item.entity_type, item.key),
        entity_type=item.entity_type,
        key=item.key,
        kinds=list(item.kinds),
        fields=[
            FieldChange(field=name, before=_json(before.get(name)), after=_json(after.get(name)))
            for name in item.fields
        ],
    )


def place_of(item: Difference) -> tuple[Any, ...]:
    """Where a difference stands in the list."""
    return f"{ENTITY_ORDER.index(item.entity_type):02}", item.key


async def count_differences(comparisons: Sequence[Comparison], context: Context, wanted: DifferenceFilter) -> list[int]:
    """How many differences are wanted, by comparison."""
    _ = context
    return [len(select_differences(comparison, wanted)) for comparison in comparisons]
