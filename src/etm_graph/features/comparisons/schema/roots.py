"""Queries of comparisons."""

from typing import Annotated

import strawberry
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.features.comparisons import service
from etm_graph.features.comparisons.schema.types import ModelComparison
from etm_graph.features.comparisons.service import Comparand
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.ids import decode_id
from etm_graph.graphql.scalars import BigInt


@strawberry.input(description="A model as it is now, or as it was.")
class ComparandInput:
    """One of the two that are compared."""

    model_id: strawberry.ID = strawberry.field(description="The model.")
    sequence: BigInt | None = strawberry.field(
        default=None, description="As it was just after this change of its own; as it is now when left out."
    )


def _comparand(given: ComparandInput, field: str) -> Comparand:
    sequence = None if given.sequence is None else int(given.sequence)
    return Comparand(decode_id(given.model_id, "TerritoryModel", field=f"{field}.modelId"), sequence)


@strawberry.type
class ComparisonQuery:
    """Root fields that compare."""

    @strawberry.field(
        description="What makes one model of another, or of an earlier time of its own: structure and effect."
    )
    @needs(Act.READ, Kind.MODEL)
    async def compare(
        self,
        info: Info[Context, None],
        base: Annotated[ComparandInput, strawberry.argument(description="What is compared with, such as the active.")],
        other: Annotated[ComparandInput, strawberry.argument(description="What is looked at, such as a draft.")],
    ) -> ModelComparison:
        """Compare."""
        context = info.context
        found = await service.compare(
            await context.session(), context.viewer, _comparand(base, "base"), _comparand(other, "other")
        )
        return ModelComparison.of(found)
