"""The GraphQL of forecasts."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Optional

import strawberry
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.core.calendar import Period, PeriodKind, period_of
from etm_graph.core.errors import Invalid, LimitExceeded
from etm_graph.core.lifecycle import GROUP_OF
from etm_graph.core.rollup import ZERO, Amounts, Cumulative, ForecastCategory, cumulative
from etm_graph.features.alignment.service import STORED
from etm_graph.features.crm import queries as crm
from etm_graph.features.forecasts import queries
from etm_graph.features.models.schema.types import TerritoryModel, load_models
from etm_graph.features.territories import queries as territories
from etm_graph.features.territories.schema.types import Territory, load_territories
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.enums import describe
from etm_graph.graphql.extending import extend

PERIODS_MAX = 40

PeriodKey = Annotated[str, strawberry.argument(description="A fiscal period: FY2026, FY2026-Q3 or FY2026-M07.")]
PeriodKeys = Annotated[
    list[str], strawberry.argument(description="Fiscal periods that do not overlap, such as FY2026-Q3; at most 40.")
]


@strawberry.type(description="Amounts by category in corporate currency; null for those who may not see money.")
@needs(Act.READ_MONEY, Kind.FORECAST)
class ForecastAmounts:
    """Individual and cumulative amounts."""

    pipeline: Decimal | None = strawberry.field(description="Category PIPELINE by itself.")
    best_case: Decimal | None = strawberry.field(description="Category BEST_CASE by itself.")
    most_likely: Decimal | None = strawberry.field(description="Category MOST_LIKELY by itself.")
    commit: Decimal | None = strawberry.field(description="Category COMMIT by itself.")
    closed: Decimal | None = strawberry.field(description="Category CLOSED: won.")
    omitted: Decimal | None = strawberry.field(description="Category OMITTED, for reconciliation only.")
    open_pipeline: Decimal | None = strawberry.field(description="All that is open: pipeline to commit.")
    best_case_forecast: Decimal | None = strawberry.field(description="Best case and what is surer, won included.")
    most_likely_forecast: Decimal | None = strawberry.field(description="Most likely and what is surer, won included.")
    commit_forecast: Decimal | None = strawberry.field(description="Commit and won.")

    @staticmethod
    def of(amounts: Amounts, *, money: bool) -> "ForecastAmounts":
        """The GraphQL form of amounts."""

        def show(value: Decimal) -> Decimal | None:
            return value if money else None

        single = {category: show(amounts.get(category, ZERO)) for category in ForecastCategory}
        sums = cumulative(amounts)
        return ForecastAmounts(
            pipeline=single[ForecastCategory.PIPELINE],
            best_case=single[ForecastCategory.BEST_CASE],
            most_likely=single[ForecastCategory.MOST_LIKELY],
            commit=single[ForecastCategory.COMMIT],
            closed=single[ForecastCategory.CLOSED],
            omitted=single[ForecastCategory.OMITTED],
            open_pipeline=show(sums[Cumulative.OPEN_PIPELINE]),
            best_case_forecast=show(sums[Cumulative.BEST_CASE]),
            most_likely_forecast=show(sums[Cumulative.MOST_LIKELY]),
            commit_forecast=show(sums[Cumulative.COMMIT]),
        )


async def _territories(cells: "Sequence[ForecastCell]", context: Context) -> list[Territory | None]:
    return await load_territories([cell.territory_key for cell in cells], context)


@strawberry.type(description="One territory in one fiscal period.")
@needs(Act.READ, Kind.FORECAST)
class ForecastCell:
    """A cell of the grid."""

    territory_key: strawberry.Private[int | None]
    period: str = strawberry.field(description="The period's key.")
    start: date = strawberry.field(description="The period's first day.")
    end: date = strawberry.field(description="The period's last day.")
    own: ForecastAmounts = strawberry.field(description="Of the opportunities aligned to the territory itself.")
    rolled_up: ForecastAmounts = strawberry.field(description="With those of all territories below.")
    opportunity_count: int = strawberry.field(description="How many opportunities are rolled up.")
    territory: Territory | None = batched(
        _territories, description="The territory; null for the bucket of opportunities without one."
    )


@strawberry.type(description="A model's forecast: a cell for every territory that you may read and every period.")
@needs(Act.READ, Kind.FORECAST)
class ForecastGrid:
    """All cells, and what belongs to no territory."""

    cells: list[ForecastCell] = strawberry.field(description="By territory in tree order, then by period.")
    unassigned: list[ForecastCell] | None = strawberry.field(
        description="Opportunities without a territory, by period; null without a right at the root."
    )


def _may(context: Context, act: Act, model: TerritoryModel, path: str) -> bool:
    return context.viewer.may(act, Kind.FORECAST, state=GROUP_OF[model.model_state], model_id=model.key, path=path)


def _cell(
    context: Context, model: TerritoryModel, forecast: queries.Forecast, path: str, territory_id: int | None
) -> ForecastCell:
    money = _may(context, Act.READ_MONEY, model, path or "/")
    own = forecast.own.get(path, {})
    return ForecastCell(
        territory_key=territory_id,
        period=forecast.period.key,
        start=forecast.period.start,
        end=forecast.period.end,
        own=ForecastAmounts.of(own, money=money),
        rolled_up=ForecastAmounts.of(forecast.total.get(path, own), money=money),
        opportunity_count=forecast.counts.get(path, 0),
    )


async def _forecasts(context: Context, model_id: int, keys: Sequence[str]) -> Sequence[queries.Forecast]:
    if not 0 < len(keys) <= PERIODS_MAX:
        raise LimitExceeded(f"A forecast has 1 to {PERIODS_MAX} periods; {len(keys)} were asked for.")
    session = await context.session()
    periods = await queries.read_periods(session, keys)
    ordered = sorted(periods, key=lambda period: period.start)
    if any(later.start <= earlier.end for earlier, later in pairwise(ordered)):
        raise Invalid("The periods overlap; ask for each kind by itself.", field=["periods"])
    return await queries.read_forecasts(session, model_id, periods)


async def _grids(
    models: Sequence[TerritoryModel],
    context: Context,
    periods: PeriodKeys,
    max_depth: Annotated[int | None, strawberry.argument(description="Only territories down to this depth.")] = None,
) -> list[ForecastGrid | None]:
    grids: list[ForecastGrid | None] = []
    for model in models:
        if model.model_state not in STORED:
            grids.append(None)
            continue
        forecasts = await _forecasts(context, model.key, periods)
        nodes = [
            node
            for node in await territories.all_nodes(await context.session(), model.key)
            if (max_depth is None or node.depth <= max_depth) and _may(context, Act.READ, model, node.path)
        ]
        cells = [_cell(context, model, forecast, node.path, node.id) for node in nodes for forecast in forecasts]
        root = _may(context, Act.READ, model, "/")
        unassigned = [_cell(context, model, forecast, queries.UNASSIGNED, None) for forecast in forecasts]
        grids.append(ForecastGrid(cells=cells, unassigned=unassigned if root else None))
    return grids


async def _of_territories(
    parents: Sequence[Territory], context: Context, period: PeriodKey
) -> list[ForecastCell | None]:
    by_model: dict[int, list[Territory]] = defaultdict(list)
    for territory in parents:
        by_model[territory.model_key].append(territory)
    keys = sorted(by_model)
    models = dict(zip(keys, await load_models(keys, context), strict=True))
    cells: dict[int, ForecastCell] = {}
    for key in keys:
        model = models[key]
        if model is None or model.model_state not in STORED:
            continue
        (forecast,) = await _forecasts(context, key, [period])
        for territory in by_model[key]:
            if _may(context, Act.READ, model, territory.path):
                cells[territory.key] = _cell(context, model, forecast, territory.path, territory.key)
    return [cells.get(territory.key) for territory in parents]


extend(
    Territory,
    "forecast",
    Optional[ForecastCell],
    batched(_of_territories, description="Its forecast in a period; null when you may not read it and in drafts."),
)
extend(
    TerritoryModel,
    "forecast",
    Optional[ForecastGrid],
    batched(
        _grids,
        description="Its forecast as a grid, for forecast tools; null for a model that is neither active nor archived, "
        "whose opportunities are not aligned yet.",
    ),
)


describe(
    PeriodKind,
    "How long a fiscal period is.",
    {"MONTH": "One month.", "QUARTER": "Three months.", "YEAR": "Twelve months."},
    name="FiscalPeriodKind",
)


@strawberry.type(description="A period of the organisation's fiscal year.")
class FiscalPeriod:
    """A period with its days."""

    kind: PeriodKind = strawberry.field(description="How long it is.")
    key: str = strawberry.field(
        description="FY2026, FY2026-Q3 or FY2026-M07, by the calendar year the fiscal one ends in."
    )
    start: date = strawberry.field(description="Its first day.")
    end: date = strawberry.field(description="Its last day.")


def _periods_between(start: date, end: date, kind: PeriodKind, first_month: int) -> list[Period]:
    """The periods of a kind with a day from `start` to `end`. Raises `Invalid`, `LimitExceeded`."""
    if end < start:
        raise Invalid("The last day is before the first one.", field=["end"])
    found = [period_of(start, kind, first_month)]
    while found[-1].end < end:
        if len(found) == PERIODS_MAX:
            raise LimitExceeded(f"At most {PERIODS_MAX} periods at a time; {start} to {end} has more.")
        found.append(period_of(found[-1].end + timedelta(days=1), kind, first_month))
    return found


@strawberry.type
class ForecastQuery:
    """Root fields of forecasts."""

    @strawberry.field(description="The fiscal periods of a kind with a day in a range of days, in order; at most 40.")
    @needs(Act.READ, Kind.ORGANISATION)
    async def fiscal_periods(
        self,
        info: Info[Context, None],
        start: Annotated[date, strawberry.argument(description="First day of the range.")],
        end: Annotated[date, strawberry.argument(description="Last day of the range.")],
        kind: Annotated[PeriodKind, strawberry.argument(description="How long they are.")] = PeriodKind.QUARTER,
    ) -> list[FiscalPeriod]:
        """Periods by day; everybody signed in may read the calendar."""
        organisation = await crm.organisation_of(await info.context.session())
        found = _periods_between(start, end, PeriodKind(kind), organisation.fiscal_year_start_month)
        return [FiscalPeriod(kind=p.kind, key=p.key, start=p.start, end=p.end) for p in found]
