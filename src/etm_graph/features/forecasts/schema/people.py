"""Quotas, adjustments and submissions in GraphQL: what they are."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Self

import strawberry
from sqlalchemy import Row

from etm_graph.core.access import Act, Kind
from etm_graph.core.lifecycle import GROUP_OF
from etm_graph.core.rollup import Measure
from etm_graph.features.crm.schema.types import User, load_users
from etm_graph.features.forecasts.queries import people
from etm_graph.features.forecasts.schema.amounts import ForecastAmounts
from etm_graph.features.forecasts.schema.kinds import QuotaKind, load_quota_kinds
from etm_graph.features.models.schema.types import load_models
from etm_graph.features.territories.schema.types import Territory, load_territories
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needing, needs
from etm_graph.graphql.ids import Node, encode_id
from etm_graph.graphql.scalars import BigInt

MONEY = needing(Act.READ_MONEY, Kind.FORECAST)


async def _territories(items: "Sequence[Quota | ForecastAdjustment | ForecastSubmission]", context: Context) -> Any:  # noqa: ANN401 - territories
    return await load_territories([item.territory_key for item in items], context)


async def _users(items: "Sequence[Quota | ForecastAdjustment | ForecastSubmission]", context: Context) -> Any:  # noqa: ANN401 - users
    return await load_users([item.user_key for item in items], context)


async def _kinds(quotas: "Sequence[Quota]", context: Context) -> list[QuotaKind | None]:
    return await load_quota_kinds([quota.kind_key for quota in quotas], context)


@strawberry.type(description="What a territory, or a person there, is to sell in a period.")
@needs(Act.READ_MONEY, Kind.FORECAST)
class Quota(Node):
    """A row of quota."""

    territory_key: strawberry.Private[int]
    user_key: strawberry.Private[int | None]
    kind_key: strawberry.Private[int]
    period: str = strawberry.field(description="The fiscal period.")
    start: date = strawberry.field(description="Its first day.")
    end: date = strawberry.field(description="Its last day.")
    product_family: str | None = strawberry.field(description="Of which products; null for all.")
    amount: Decimal | None = strawberry.field(description="How much.", metadata=MONEY)
    inherited_from: str | None = strawberry.field(description="The model that it was carried over from; null for none.")
    written_at: datetime = strawberry.field(description="When it was set last.")
    version: BigInt = strawberry.field(description="Number of its last change; send it as `expectedVersion`.")
    territory: Territory | None = batched(_territories, description="The territory.")
    user: User | None = batched(_users, description="The person; null for the territory's own.")
    kind: QuotaKind | None = batched(_kinds, description="The kind.")

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The quota of a row."""
        return cls(
            id=encode_id("Quota", row.id),
            territory_key=row.territory_id,
            user_key=row.user_id,
            kind_key=row.kind_id,
            period=row.period,
            start=row.period_start,
            end=row.period_end,
            product_family=row.product_family,
            amount=row.amount,
            inherited_from=row.inherited_from,
            written_at=row.written_at,
            version=BigInt(row.version),
        )


@strawberry.type(description="What a person says that an amount is, with the reason; what is below stays as it is.")
@needs(Act.READ_MONEY, Kind.FORECAST)
class ForecastAdjustment(Node):
    """A row of forecast_adjustment."""

    territory_key: strawberry.Private[int]
    user_key: strawberry.Private[int]
    period: str = strawberry.field(description="The fiscal period.")
    measure: Measure = strawberry.field(description="Which amount; no other changes.")
    as_owner: bool = strawberry.field(
        description="Whether it is of the person's own opportunities there, not of the territory's total."
    )
    amount: Decimal | None = strawberry.field(description="What it is said to be.", metadata=MONEY)
    note: str = strawberry.field(description="Why.")
    inherited_from: str | None = strawberry.field(description="The model that it was carried over from; null for none.")
    written_at: datetime = strawberry.field(description="When it was said.")
    version: BigInt = strawberry.field(description="Number of its last change; send it as `expectedVersion`.")
    territory: Territory | None = batched(_territories, description="The territory.")
    user: User | None = batched(_users, description="Who says so.")

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The adjustment of a row."""
        return cls(
            id=encode_id("ForecastAdjustment", row.id),
            territory_key=row.territory_id,
            user_key=row.user_id,
            period=row.period,
            measure=Measure(row.measure),
            as_owner=row.owner_id is not None,
            amount=row.amount,
            note=row.note,
            inherited_from=row.inherited_from,
            written_at=row.written_at,
            version=BigInt(row.version),
        )


def _cents(amounts: dict[str, str], measure: Measure) -> int | None:
    found = amounts.get(measure.value)
    return None if found is None else int(Decimal(found).scaleb(2))


@strawberry.type(description="A forecast as somebody handed it in.")
@needs(Act.READ_MONEY, Kind.FORECAST)
class ForecastSubmission(Node):
    """A row of forecast_submission."""

    territory_key: strawberry.Private[int]
    user_key: strawberry.Private[int]
    kept: strawberry.Private[dict[str, Any]]
    period: str = strawberry.field(description="The fiscal period.")
    at: datetime = strawberry.field(description="When; a waterfall since then begins here.")
    note: str | None = strawberry.field(description="What its author said about it.")
    own: ForecastAmounts = strawberry.field(description="Of the territory itself.")
    rolled_up: ForecastAmounts = strawberry.field(description="With all below, without adjustments.")
    without_manager_adjustment: ForecastAmounts = strawberry.field(description="With owners' adjustments.")
    adjusted: ForecastAmounts = strawberry.field(description="With all adjustments.")
    quota: Decimal | None = strawberry.field(description="The territory's quota then.", metadata=MONEY)
    opportunity_count: int = strawberry.field(description="How many opportunities were rolled up.")
    territory: Territory | None = batched(_territories, description="The territory.")
    user: User | None = batched(_users, description="Who handed it in.")

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The submission of a row."""
        kept = row.amounts

        def amounts(name: str) -> ForecastAmounts:
            return ForecastAmounts.of(lambda measure: _cents(kept[name], measure))

        return cls(
            id=encode_id("ForecastSubmission", row.id),
            territory_key=row.territory_id,
            user_key=row.user_id,
            kept=kept,
            period=row.period,
            at=row.at,
            note=row.note,
            own=amounts("OWN"),
            rolled_up=amounts("ROLLED_UP"),
            without_manager_adjustment=amounts("WITHOUT_MANAGER"),
            adjusted=amounts("ADJUSTED"),
            quota=None if kept["quota"] is None else Decimal(kept["quota"]),
            opportunity_count=kept["count"],
        )


async def readable(rows: Sequence[Row[Any]], context: Context) -> list[bool]:
    """Whether the caller may see each row's money."""
    keys = sorted({row.model_id for row in rows})
    models = dict(zip(keys, await load_models(keys, context), strict=True))
    answer = []
    for row in rows:
        model = models[row.model_id]
        answer.append(
            model is not None
            and context.viewer.may(
                Act.READ_MONEY,
                Kind.FORECAST,
                state=GROUP_OF[model.model_state],
                model_id=row.model_id,
                path=row.path,
            )
        )
    return answer


async def _load(
    ids: Sequence[int],
    context: Context,
    read: Callable[..., Any],
    make: Callable[[Row[Any]], Any],
) -> list[Any]:
    found = await read(await context.session(), set(ids))
    allowed = dict(zip(found, await readable(list(found.values()), context), strict=True))
    return [make(found[number]) if allowed.get(number) else None for number in ids]


async def load_quotas(ids: Sequence[int], context: Context) -> list[Quota | None]:
    """Quotas by id, None for those that the caller may not read."""
    return await _load(ids, context, people.quotas_by_id, Quota.of)


async def load_adjustments(ids: Sequence[int], context: Context) -> list[ForecastAdjustment | None]:
    """Adjustments by id, likewise."""
    return await _load(ids, context, people.adjustments_by_id, ForecastAdjustment.of)


async def load_submissions(ids: Sequence[int], context: Context) -> list[ForecastSubmission | None]:
    """Submissions by id, likewise."""
    return await _load(ids, context, people.submissions_by_id, ForecastSubmission.of)
