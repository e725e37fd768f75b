"""GraphQL types of comparisons."""

from collections.abc import Sequence
from typing import Self

import strawberry

from etm_graph.core.access import Act, Kind
from etm_graph.features.comparisons.schema.filtering import ImpactOf, read_difference_filter, read_impact_filter
from etm_graph.features.comparisons.schema.impact import ComparisonImpact
from etm_graph.features.comparisons.schema.structure import (
    DIFFERENCES,
    DifferenceCount,
    Filter,
    StructureDifference,
    count_differences,
    make_counts,
    make_difference,
    place_of,
)
from etm_graph.features.comparisons.service import Comparison, Impacts, Side, select_differences
from etm_graph.features.models.schema.types import TerritoryModel, load_models
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.pages import After, Before, Connection, First, Last, connect_list, make_page
from etm_graph.graphql.scalars import BigInt


async def _models(sides: "Sequence[ComparedModel]", context: Context) -> list[TerritoryModel | None]:
    return await load_models([side.key for side in sides], context)


@strawberry.type(description="One of the two that are compared.")
@needs(Act.READ, Kind.MODEL)
class ComparedModel:
    """A side."""

    key: strawberry.Private[int]
    sequence: BigInt = strawberry.field(description="Number of the model's change that it reflects.")
    is_past: bool = strawberry.field(description="Whether its structure was another than it is now.")
    model: TerritoryModel | None = batched(_models, description="The model, as it is now.")

    @classmethod
    def of(cls, side: Side) -> Self:
        """The GraphQL form of a side."""
        return cls(key=side.model_id, sequence=BigInt(side.sequence), is_past=side.is_past)


async def _structure(
    parents: "Sequence[ModelComparison]",
    context: Context,
    filter: Filter = None,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> list[Connection[StructureDifference]]:
    page = make_page(context, first, after, last, before)
    wanted = await read_difference_filter(context, filter)
    answer = []
    for parent in parents:
        comparison = parent.comparison
        answer.append(
            connect_list(
                select_differences(comparison, wanted),
                DIFFERENCES,
                page,
                place_of,
                lambda item, comparison=comparison: make_difference(comparison, item),  # type: ignore[misc]  # bound now
                (count_differences, comparison, {"wanted": wanted}),
            )
        )
    return answer


async def _impacts(
    parents: "Sequence[ModelComparison]", context: Context, filter: ImpactOf = None
) -> list[ComparisonImpact]:
    impacts, session = context.services.get(Impacts), await context.session()
    wanted = await read_impact_filter(context, filter)
    return [
        ComparisonImpact(
            impact=await impacts.of(session, context.viewer, parent.comparison, wanted, context.now.date())
        )
        for parent in parents
    ]


@strawberry.type(description="Two models, or two times of one, side by side; only what you may read of each.")
@needs(Act.READ, Kind.MODEL)
class ModelComparison:
    """A comparison."""

    comparison: strawberry.Private[Comparison]
    base: ComparedModel = strawberry.field(description="What is compared with.")
    other: ComparedModel = strawberry.field(description="What is looked at.")
    crm_sequence: BigInt = strawberry.field(description="Number of the CRM's change that both reflect.")
    structure_counts: list[DifferenceCount] = strawberry.field(
        description="How much of the structure differs, by type."
    )
    structure: Connection[StructureDifference] = batched(
        _structure, description="What of the structure differs, by type and name."
    )
    impact: ComparisonImpact = batched(_impacts, description="What that does to accounts, opportunities and people.")

    @classmethod
    def of(cls, comparison: Comparison) -> Self:
        """The GraphQL form of a comparison."""
        return cls(
            comparison=comparison,
            base=ComparedModel.of(comparison.base),
            other=ComparedModel.of(comparison.other),
            crm_sequence=BigInt(comparison.crm_sequence),
            structure_counts=make_counts(comparison),
        )
