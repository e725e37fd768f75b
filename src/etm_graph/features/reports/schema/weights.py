"""Weights of the workload index in GraphQL."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Self

import strawberry
from sqlalchemy import Row
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.features.crm.schema.inputs import KEY, UNSET, VERSION, CrmDeleteInput
from etm_graph.features.crm.schema.payloads import CrmDeletePayload, delete_and_answer
from etm_graph.features.models.schema.types import TerritoryModel
from etm_graph.features.reports import service
from etm_graph.features.reports.queries import kept
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.extending import extend
from etm_graph.graphql.ids import Node, decode_id, encode_id
from etm_graph.graphql.inputs import given
from etm_graph.graphql.mutations import UserError, mutate
from etm_graph.graphql.scalars import BigInt

ContextInfo = Info[Context, None]


@strawberry.type(description="How much accounts, revenue, pipeline and effort count in the workload index.")
@needs(Act.READ, Kind.ORGANISATION)
class WorkloadWeights(Node):
    """A row of workload_weights."""

    developer_name: str = strawberry.field(description="Unique and immutable name for programs.")
    name: str = strawberry.field(description="The name for people.")
    accounts: Decimal = strawberry.field(description="Weight of the number of accounts.")
    revenue: Decimal = strawberry.field(description="Weight of their annual revenue.")
    pipeline: Decimal = strawberry.field(description="Weight of open pipeline.")
    effort: Decimal = strawberry.field(description="Weight of the effort that accounts take.")
    effort_field: str | None = strawberry.field(
        description="Developer name of the custom field of accounts, a number, that holds their effort."
    )
    version: BigInt = strawberry.field(description="Goes up with every change; send it as `expectedVersion`.")

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The weights of a row."""
        return cls(
            id=encode_id("WorkloadWeights", row.id),
            developer_name=row.developer_name,
            name=row.name,
            accounts=row.accounts,
            revenue=row.revenue,
            pipeline=row.pipeline,
            effort=row.effort,
            effort_field=row.effort_field,
            version=BigInt(row.version),
        )


async def load_weights(ids: Sequence[int], context: Context) -> list[WorkloadWeights | None]:
    """Weights by id, None for unknown ones and for who may not read settings."""
    wanted = set(ids) if context.viewer.may(Act.READ, Kind.ORGANISATION) else set()
    found = await kept.weights_by_id(await context.session(), wanted)
    return [WorkloadWeights.of(found[number]) if number in found else None for number in ids]


@needs(Act.READ, Kind.ORGANISATION)
async def _of_models(models: Sequence[TerritoryModel], context: Context) -> list[WorkloadWeights]:
    session = await context.session()
    return [WorkloadWeights.of(await kept.weights_of(session, model.key)) for model in models]


extend(
    TerritoryModel,
    "workload_weights",
    WorkloadWeights,
    batched(_of_models, description="The weights that its workload index uses."),
)


@strawberry.type(description="What a mutation of weights did.")
@needs(Act.READ, Kind.ORGANISATION)
class WorkloadWeightsPayload:
    """Entity, or errors."""

    workload_weights: WorkloadWeights | None = strawberry.field(description="The weights as they are now.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.input(description="A new set of weights.")
class WorkloadWeightsCreateInput:
    """Input of workloadWeightsCreate."""

    developer_name: str = strawberry.field(description="Unique and immutable name for programs.")
    name: str = strawberry.field(description="The name for people.")
    accounts: Decimal = strawberry.field(description="Weight of the number of accounts, from 0 to 10,000.")
    revenue: Decimal = strawberry.field(description="Weight of their annual revenue.")
    pipeline: Decimal = strawberry.field(description="Weight of open pipeline.")
    effort: Decimal = strawberry.field(default=Decimal(0), description="Weight of effort.")
    effort_field: str | None = strawberry.field(default=None, description="The custom field that holds effort.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="Changes of weights; what is left out stays.")
class WorkloadWeightsUpdateInput:
    """Input of workloadWeightsUpdate."""

    id: strawberry.ID = strawberry.field(description="The weights.")
    expected_version: BigInt = strawberry.field(description=VERSION)
    name: str | None = strawberry.field(default=UNSET, description="The name for people.")
    accounts: Decimal | None = strawberry.field(default=UNSET, description="Weight of the number of accounts.")
    revenue: Decimal | None = strawberry.field(default=UNSET, description="Weight of their annual revenue.")
    pipeline: Decimal | None = strawberry.field(default=UNSET, description="Weight of open pipeline.")
    effort: Decimal | None = strawberry.field(default=UNSET, description="Weight of effort.")
    effort_field: str | None = strawberry.field(default=UNSET, description="The custom field that holds effort.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="Which weights a model uses.")
class TerritoryModelWeightsInput:
    """Input of territoryModelWeightsChoose."""

    id: strawberry.ID = strawberry.field(description="The model.")
    weights_id: strawberry.ID = strawberry.field(description="The weights.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.type
class WeightsQuery:
    """Root fields that read weights."""

    @strawberry.field(description="All sets of weights of the workload index, by developer name.")
    @needs(Act.READ, Kind.ORGANISATION)
    async def workload_weights(self, info: ContextInfo) -> list[WorkloadWeights]:
        """All weights."""
        info.context.viewer.require(Act.READ, Kind.ORGANISATION)
        return [WorkloadWeights.of(row) for row in await kept.list_weights(await info.context.session())]


@strawberry.type
class WeightsMutation:
    """Root fields that change weights."""

    @strawberry.mutation(description="Add a set of weights.")
    @needs(Act.CREATE, Kind.ORGANISATION)
    async def workload_weights_create(
        self, info: ContextInfo, input: WorkloadWeightsCreateInput
    ) -> WorkloadWeightsPayload:
        """Add weights."""
        values = given(input, "name", "accounts", "revenue", "pipeline", "effort", "effort_field")
        outcome = await mutate(
            info.context, input, lambda work: service.create_weights(work, input.developer_name, values)
        )
        found = None if outcome.result is None else (await load_weights([outcome.result], info.context))[0]
        return WorkloadWeightsPayload(workload_weights=found, user_errors=outcome.errors)

    @strawberry.mutation(description="Change weights; every model that uses them follows.")
    @needs(Act.UPDATE, Kind.ORGANISATION)
    async def workload_weights_update(
        self, info: ContextInfo, input: WorkloadWeightsUpdateInput
    ) -> WorkloadWeightsPayload:
        """Change weights."""
        number = decode_id(input.id, "WorkloadWeights")
        all_values = given(input, "name", "accounts", "revenue", "pipeline", "effort", "effort_field")
        values = {name: value for name, value in all_values.items() if value is not None or name == "effort_field"}
        outcome = await mutate(
            info.context, input, lambda work: service.update_weights(work, number, input.expected_version, values)
        )
        found = (await load_weights([number], info.context))[0]
        return WorkloadWeightsPayload(workload_weights=found, user_errors=outcome.errors)

    @strawberry.mutation(description="Delete weights that no model uses.")
    @needs(Act.DELETE, Kind.ORGANISATION)
    async def workload_weights_delete(self, info: ContextInfo, input: CrmDeleteInput) -> CrmDeletePayload:
        """Delete weights."""
        return await delete_and_answer(
            info.context,
            input,
            "WorkloadWeights",
            lambda work, number: service.delete_weights(work, number, input.expected_version),
        )

    @strawberry.mutation(description="Let a model's workload index use a set of weights.")
    @needs(Act.UPDATE, Kind.MODEL)
    async def territory_model_weights_choose(
        self, info: ContextInfo, input: TerritoryModelWeightsInput
    ) -> WorkloadWeightsPayload:
        """Choose weights."""
        number = decode_id(input.weights_id, "WorkloadWeights", field="weightsId")
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.choose_weights(work, decode_id(input.id, "TerritoryModel"), number),
        )
        found = (await load_weights([number], info.context))[0]
        return WorkloadWeightsPayload(workload_weights=found, user_errors=outcome.errors)
