"""Mutations of quotas, adjustments and submissions."""

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any

import strawberry
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.core.errors import Invalid, NotFound
from etm_graph.core.money import from_cents
from etm_graph.core.rollup import Measure
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm.schema.inputs import KEY, VERSION, CrmDeleteInput
from etm_graph.features.forecasts import service
from etm_graph.features.forecasts.queries.people import DEFAULT_KIND, list_quota_kinds
from etm_graph.features.forecasts.schema.people import (
    ForecastAdjustment,
    ForecastSubmission,
    Quota,
    load_adjustments,
    load_quotas,
    load_submissions,
)
from etm_graph.features.forecasts.schema.types import Spot, cells_of, view_of
from etm_graph.features.forecasts.service import AdjustmentWish, Basis, Wish
from etm_graph.features.models.schema.feed import ChangeEvent, load_change
from etm_graph.features.models.schema.types import load_models
from etm_graph.features.territories.schema.types import load_territories
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.enums import describe
from etm_graph.graphql.ids import decode_id, decode_optional_id, encode_id
from etm_graph.graphql.mutations import Outcome, UserError, mutate
from etm_graph.graphql.scalars import BigInt

ContextInfo = Info[Context, None]
ERRORS = "Why it was refused; empty when it was not."
CHANGE = "The last change that it made in the model's stream; null when nothing changed."


class SpreadBy(StrEnum):
    """By what a quota is spread."""

    EQUAL = "EQUAL"
    PIPELINE = "PIPELINE"
    CLOSED = "CLOSED"
    WEIGHTS = "WEIGHTS"


describe(
    SpreadBy,
    "By what a quota is spread over the territories right below.",
    {
        "EQUAL": "The same for each.",
        "PIPELINE": "As open pipeline of the period is.",
        "CLOSED": "As what the period has won is.",
        "WEIGHTS": "By the weights that are given.",
    },
    name="QuotaSpreadBy",
)


@strawberry.input(description="A quota as it is to be.")
class QuotaInput:
    """One of quotasSet."""

    territory_id: strawberry.ID = strawberry.field(description="The territory.")
    period: str = strawberry.field(description="A fiscal period that overlaps no other of the same kind and person.")
    amount: Decimal = strawberry.field(description="How much, to the cent.")
    kind: str = strawberry.field(default=DEFAULT_KIND, description="Developer name of the kind.")
    user_id: strawberry.ID | None = strawberry.field(
        default=None, description="Whose; left out for the territory's own."
    )
    product_family: str | None = strawberry.field(default=None, description="Of which products; left out for all.")
    expected_version: BigInt | None = strawberry.field(default=None, description=VERSION)


@strawberry.input(description="Quotas of one model, written all or none.")
class QuotasSetInput:
    """Input of quotasSet."""

    model_id: strawberry.ID = strawberry.field(description="The model, in PLANNING or ACTIVE.")
    quotas: list[QuotaInput] = strawberry.field(description="At most 5,000.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="How much of a quota a territory gets.")
class QuotaWeightInput:
    """A weight of quotaSpread."""

    territory_id: strawberry.ID = strawberry.field(description="A territory right below.")
    weight: Decimal = strawberry.field(description="Not negative; shares are as the weights are.")


@strawberry.input(description="A territory's quota to spread over those right below.")
class QuotaSpreadInput:
    """Input of quotaSpread."""

    territory_id: strawberry.ID = strawberry.field(description="The territory that has the quota.")
    period: str = strawberry.field(description="The quota's period.")
    kind: str = strawberry.field(default=DEFAULT_KIND, description="Developer name of the kind.")
    by: SpreadBy = strawberry.field(default=SpreadBy.EQUAL, description="By what.")
    weights: list[QuotaWeightInput] = strawberry.field(default_factory=list, description="With WEIGHTS.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="A territory whose quota is to be what those below add up to.")
class QuotaSumUpInput:
    """Input of quotaSumUp."""

    territory_id: strawberry.ID = strawberry.field(description="The territory.")
    period: str = strawberry.field(description="The period.")
    kind: str = strawberry.field(default=DEFAULT_KIND, description="Developer name of the kind.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="What an amount is said to be.")
class ForecastAdjustInput:
    """Input of forecastAdjust."""

    territory_id: strawberry.ID = strawberry.field(description="The territory.")
    period: str = strawberry.field(description="A period of the kind that forecasts are adjusted by.")
    measure: Measure = strawberry.field(description="Which amount; pipeline, closed and omitted are facts.")
    amount: Decimal = strawberry.field(description="What it is, in corporate currency; not a difference.")
    note: str = strawberry.field(description="Why; 1 to 255 characters.")
    as_owner: bool = strawberry.field(
        default=False, description="Of your own opportunities there, instead of the territory's total."
    )
    expected_version: BigInt | None = strawberry.field(default=None, description=VERSION)
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="A forecast to hand in as it is shown now.")
class ForecastSubmitInput:
    """Input of forecastSubmit."""

    territory_id: strawberry.ID = strawberry.field(description="The territory.")
    period: str = strawberry.field(description="The period.")
    note: str | None = strawberry.field(default=None, description="At most 255 characters.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.type(description="What a mutation of quotas did.")
class QuotasPayload:
    """Entities, or errors."""

    quotas: list[Quota] = strawberry.field(description="The quotas as they are now; empty when it was refused.")
    change: ChangeEvent | None = strawberry.field(description=CHANGE)
    user_errors: list[UserError] = strawberry.field(description=ERRORS)


@strawberry.type(description="What a mutation of an adjustment did.")
class ForecastAdjustmentPayload:
    """Entity, or errors."""

    forecast_adjustment: ForecastAdjustment | None = strawberry.field(description="The adjustment as it is now.")
    change: ChangeEvent | None = strawberry.field(description=CHANGE)
    user_errors: list[UserError] = strawberry.field(description=ERRORS)


@strawberry.type(description="What handing in did.")
class ForecastSubmissionPayload:
    """Entity, or errors."""

    forecast_submission: ForecastSubmission | None = strawberry.field(description="The submission.")
    change: ChangeEvent | None = strawberry.field(description=CHANGE)
    user_errors: list[UserError] = strawberry.field(description=ERRORS)


@strawberry.type(description="What a deletion in forecasts did.")
class ForecastDeletePayload:
    """The id that is gone, or errors."""

    deleted_id: strawberry.ID | None = strawberry.field(description="The id that is gone; null when it was refused.")
    change: ChangeEvent | None = strawberry.field(description=CHANGE)
    user_errors: list[UserError] = strawberry.field(description=ERRORS)


async def _kind_id(session: Any, name: str) -> int:  # noqa: ANN401 - a read session
    for row in await list_quota_kinds(session):
        if row.developer_name == name:
            return int(row.id)
    raise NotFound(f"There is no kind of quota named {name!r}.", field=["kind"])


async def _quotas(context: Context, given: object, use_case: Callable[[UnitOfWork], Awaitable[Any]]) -> QuotasPayload:
    outcome = await mutate(context, given, use_case)
    found = await load_quotas(outcome.result or [], context)
    change = await load_change(context, outcome.changes)
    return QuotasPayload(quotas=[q for q in found if q is not None], change=change, user_errors=outcome.errors)


async def _deleted(
    context: Context, source: CrmDeleteInput, name: str, use_case: Callable[[UnitOfWork, int], Awaitable[int]]
) -> ForecastDeletePayload:
    outcome: Outcome = await mutate(context, source, lambda work: use_case(work, decode_id(source.id, name)))
    gone = None if outcome.result is None else encode_id(name, outcome.result)
    change = await load_change(context, outcome.changes)
    return ForecastDeletePayload(deleted_id=gone, change=change, user_errors=outcome.errors)


async def _spot(context: Context, territory_id: int, period: str, kind: str = DEFAULT_KIND) -> Spot:
    """The cell of a territory as its reader sees it. Raises `NotFound` when there is none to read."""
    missing = NotFound("There is no such territory.", field=["territoryId"])
    territory = (await load_territories([territory_id], context))[0]
    model = None if territory is None else (await load_models([territory.model_key], context))[0]
    if model is None:
        raise missing
    view = await view_of(context, model, [period], None, kind)
    cells = cells_of(context, model, view, [view.grid.tree.place_of[territory_id]])
    if not cells:
        raise missing
    return cells[0].spot


def _snapshot(spot: Spot) -> dict[str, object]:
    def amounts(basis: Basis) -> dict[str, str]:
        found = {measure: spot.cents(basis, measure) for measure in Measure}
        return {measure.value: str(from_cents(cents)) for measure, cents in found.items() if cents is not None}

    quota = spot.view.quotas[spot.period].territory.get(spot.place)
    return {
        **{basis.value: amounts(basis) for basis in Basis},
        "quota": None if quota is None else str(quota),
        "count": spot.view.grid.count(spot.period, spot.place),
    }


def _shares(spot: Spot, by: SpreadBy) -> dict[int, Decimal]:
    tree, grid = spot.view.grid.tree, spot.view.grid
    children = [place for place, above in enumerate(tree.parents) if above == spot.place]
    if by is SpreadBy.EQUAL:
        return {tree.ids[place]: Decimal(1) for place in children}
    measure = Measure.OPEN_PIPELINE if by is SpreadBy.PIPELINE else Measure.CLOSED
    return {tree.ids[place]: from_cents(grid.sums(measure, spot.period, place, own=False)[0]) for place in children}


@strawberry.type
class SayingMutation:
    """Root fields by which people say something about forecasts."""

    @strawberry.mutation(description="Write quotas of a model, all or none; an overlap of periods is refused.")
    @needs(Act.UPDATE, Kind.FORECAST)
    async def quotas_set(self, info: ContextInfo, input: QuotasSetInput) -> QuotasPayload:
        """Write quotas."""

        async def use_case(work: UnitOfWork) -> list[int]:
            kinds = {name: await _kind_id(work.session, name) for name in {item.kind for item in input.quotas}}
            wishes = [
                Wish(
                    decode_id(item.territory_id, "Territory", field="territoryId"),
                    item.period,
                    kinds[item.kind],
                    item.amount,
                    decode_optional_id(item.user_id, "User", field="userId"),
                    item.product_family,
                    item.expected_version,
                )
                for item in input.quotas
            ]
            return await service.set_quotas(work, decode_id(input.model_id, "TerritoryModel"), wishes)

        return await _quotas(info.context, input, use_case)

    @strawberry.mutation(description="Delete a quota.")
    @needs(Act.DELETE, Kind.FORECAST)
    async def quota_delete(self, info: ContextInfo, input: CrmDeleteInput) -> ForecastDeletePayload:
        """Delete a quota."""
        return await _deleted(
            info.context, input, "Quota", lambda work, n: service.delete_quota(work, n, input.expected_version)
        )

    @strawberry.mutation(description="Spread a territory's quota over those right below it, to the cent, from above.")
    @needs(Act.UPDATE, Kind.FORECAST)
    async def quota_spread(self, info: ContextInfo, input: QuotaSpreadInput) -> QuotasPayload:
        """Spread a quota."""
        territory_id = decode_id(input.territory_id, "Territory", field="territoryId")
        by = SpreadBy(input.by)
        if (by is SpreadBy.WEIGHTS) != bool(input.weights):
            raise Invalid("Weights are given with WEIGHTS, and only then.", field=["weights"])
        weights = {decode_id(w.territory_id, "Territory", field="weights"): w.weight for w in input.weights}
        if by is not SpreadBy.WEIGHTS:
            weights = _shares(await _spot(info.context, territory_id, input.period, input.kind), by)

        async def use_case(work: UnitOfWork) -> list[int]:
            kind = await _kind_id(work.session, input.kind)
            return await service.spread_quota(work, territory_id, input.period, kind, weights)

        return await _quotas(info.context, input, use_case)

    @strawberry.mutation(description="Make a territory's quota what the quotas below it add up to.")
    @needs(Act.UPDATE, Kind.FORECAST)
    async def quota_sum_up(self, info: ContextInfo, input: QuotaSumUpInput) -> QuotasPayload:
        """Sum up."""
        territory_id = decode_id(input.territory_id, "Territory", field="territoryId")
        spot = await _spot(info.context, territory_id, input.period, input.kind)
        below = spot.view.quotas[spot.period].below.get(spot.place, Decimal("0.00"))

        async def use_case(work: UnitOfWork) -> list[int]:
            kind = await _kind_id(work.session, input.kind)
            return await service.set_quotas(work, spot.model_id, [Wish(territory_id, input.period, kind, below)])

        return await _quotas(info.context, input, use_case)

    @strawberry.mutation(
        description="Say what an amount is: as forecast manager of the territory or one above, or of your own amounts."
    )
    @needs(Act.ADJUST, Kind.FORECAST)
    async def forecast_adjust(self, info: ContextInfo, input: ForecastAdjustInput) -> ForecastAdjustmentPayload:
        """Adjust."""
        wish = AdjustmentWish(
            decode_id(input.territory_id, "Territory", field="territoryId"),
            input.period,
            Measure(input.measure),
            input.amount,
            input.note,
            input.as_owner,
            input.expected_version,
        )
        outcome = await mutate(info.context, input, lambda work: service.adjust_forecast(work, wish))
        found = None if outcome.result is None else (await load_adjustments([outcome.result], info.context))[0]
        change = await load_change(info.context, outcome.changes)
        return ForecastAdjustmentPayload(forecast_adjustment=found, change=change, user_errors=outcome.errors)

    @strawberry.mutation(description="Take an adjustment back: your own, or one made below where you are manager.")
    @needs(Act.ADJUST, Kind.FORECAST)
    async def forecast_adjustment_delete(self, info: ContextInfo, input: CrmDeleteInput) -> ForecastDeletePayload:
        """Take back."""
        return await _deleted(
            info.context,
            input,
            "ForecastAdjustment",
            lambda work, n: service.delete_adjustment(work, n, input.expected_version),
        )

    @strawberry.mutation(description="Hand in a territory's forecast as it is shown now.")
    @needs(Act.SUBMIT, Kind.FORECAST)
    async def forecast_submit(self, info: ContextInfo, input: ForecastSubmitInput) -> ForecastSubmissionPayload:
        """Hand in."""
        territory_id = decode_id(input.territory_id, "Territory", field="territoryId")
        spot = await _spot(info.context, territory_id, input.period)
        kept, period = _snapshot(spot), spot.view.grid.periods[spot.period]
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.submit_forecast(work, territory_id, period, kept, input.note),
        )
        found = None if outcome.result is None else (await load_submissions([outcome.result], info.context))[0]
        change = await load_change(info.context, outcome.changes)
        return ForecastSubmissionPayload(forecast_submission=found, change=change, user_errors=outcome.errors)


def of_places(rows: Sequence[Any], spots: Sequence[Spot]) -> list[list[Any]]:
    """Rows of quotas or adjustments by cell: those of its territory whose period lies in it."""
    answer = []
    for spot in spots:
        period = spot.view.grid.periods[spot.period]
        territory = None if spot.is_unassigned else spot.view.grid.tree.ids[spot.place]
        inside = [
            row
            for row in rows
            if row.territory_id == territory and period.start <= row.period_start and row.period_end <= period.end
        ]
        answer.append(inside if spot.money else [])
    return answer
