"""Kinds of quota in GraphQL."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Self

import strawberry
from sqlalchemy import Row
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.features.crm.schema.inputs import KEY, UNSET, VERSION, CrmDeleteInput
from etm_graph.features.crm.schema.payloads import CrmDeletePayload, delete_and_answer
from etm_graph.features.forecasts import service
from etm_graph.features.forecasts.queries import people
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.enums import describe
from etm_graph.graphql.ids import Node, decode_id, encode_id
from etm_graph.graphql.inputs import given
from etm_graph.graphql.mutations import UserError, mutate
from etm_graph.graphql.scalars import BigInt

ContextInfo = Info[Context, None]


class QuotaUnit(StrEnum):
    """What a quota counts."""

    AMOUNT = "AMOUNT"
    QUANTITY = "QUANTITY"


describe(
    QuotaUnit, "What a quota counts.", {"AMOUNT": "Corporate currency.", "QUANTITY": "Units of what is to be sold."}
)


@strawberry.type(description="An organisation-wide kind of quota.")
@needs(Act.READ, Kind.ORGANISATION)
class QuotaKind(Node):
    """A row of quota_kind."""

    developer_name: str = strawberry.field(description="Unique and immutable name for programs.")
    name: str = strawberry.field(description="The name for people.")
    description: str | None = strawberry.field(description="What it is for.")
    unit: QuotaUnit = strawberry.field(description="What it counts.")
    version: BigInt = strawberry.field(description="Goes up with every change; send it as `expectedVersion`.")

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The kind of a row."""
        return cls(
            id=encode_id("QuotaKind", row.id),
            developer_name=row.developer_name,
            name=row.name,
            description=row.description,
            unit=QuotaUnit(row.unit),
            version=BigInt(row.version),
        )


async def load_quota_kinds(ids: Sequence[int], context: Context) -> list[QuotaKind | None]:
    """Kinds of quota by id, None for unknown ones and for who may not read settings."""
    wanted = set(ids) if context.viewer.may(Act.READ, Kind.ORGANISATION) else set()
    found = await people.quota_kinds_by_id(await context.session(), wanted)
    return [QuotaKind.of(found[number]) if number in found else None for number in ids]


@strawberry.type(description="What a mutation of a kind of quota did.")
@needs(Act.READ, Kind.ORGANISATION)
class QuotaKindPayload:
    """Entity, or errors."""

    quota_kind: QuotaKind | None = strawberry.field(description="The kind as it is now.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.input(description="A new kind of quota.")
class QuotaKindCreateInput:
    """Input of quotaKindCreate."""

    developer_name: str = strawberry.field(description="Unique and immutable name for programs.")
    name: str = strawberry.field(description="The name for people.")
    unit: QuotaUnit = strawberry.field(default=QuotaUnit.AMOUNT, description="What it counts.")
    description: str | None = strawberry.field(default=None, description="What it is for.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="Changes of a kind of quota; what is left out stays.")
class QuotaKindUpdateInput:
    """Input of quotaKindUpdate."""

    id: strawberry.ID = strawberry.field(description="The kind.")
    expected_version: BigInt = strawberry.field(description=VERSION)
    name: str | None = strawberry.field(default=UNSET, description="The name for people.")
    description: str | None = strawberry.field(default=UNSET, description="What it is for.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.type
class QuotaKindQuery:
    """Root fields that read kinds of quota."""

    @strawberry.field(description="All kinds of quota, by developer name.")
    @needs(Act.READ, Kind.ORGANISATION)
    async def quota_kinds(self, info: ContextInfo) -> list[QuotaKind]:
        """All kinds."""
        info.context.viewer.require(Act.READ, Kind.ORGANISATION)
        return [QuotaKind.of(row) for row in await people.list_quota_kinds(await info.context.session())]


@strawberry.type
class QuotaKindMutation:
    """Root fields that change kinds of quota."""

    @strawberry.mutation(description="Add a kind of quota.")
    @needs(Act.CREATE, Kind.ORGANISATION)
    async def quota_kind_create(self, info: ContextInfo, input: QuotaKindCreateInput) -> QuotaKindPayload:
        """Add a kind."""
        unit = QuotaUnit(input.unit).value
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.create_quota_kind(work, input.developer_name, input.name, unit, input.description),
        )
        found = None if outcome.result is None else (await load_quota_kinds([outcome.result], info.context))[0]
        return QuotaKindPayload(quota_kind=found, user_errors=outcome.errors)

    @strawberry.mutation(description="Change a kind of quota's name or description.")
    @needs(Act.UPDATE, Kind.ORGANISATION)
    async def quota_kind_update(self, info: ContextInfo, input: QuotaKindUpdateInput) -> QuotaKindPayload:
        """Change a kind."""
        number = decode_id(input.id, "QuotaKind")
        values = given(input, "name", "description")
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.update_quota_kind(work, number, input.expected_version, values),
        )
        found = (await load_quota_kinds([number], info.context))[0]
        return QuotaKindPayload(quota_kind=found, user_errors=outcome.errors)

    @strawberry.mutation(description="Delete a kind that no quota has.")
    @needs(Act.DELETE, Kind.ORGANISATION)
    async def quota_kind_delete(self, info: ContextInfo, input: CrmDeleteInput) -> CrmDeletePayload:
        """Delete a kind."""
        return await delete_and_answer(
            info.context,
            input,
            "QuotaKind",
            lambda work, number: service.delete_quota_kind(work, number, input.expected_version),
        )
