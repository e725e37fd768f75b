"""Grids and cells."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from functools import partial
from typing import Annotated, Optional

import strawberry

from etm_graph.core.access import Act, Kind
from etm_graph.core.errors import Invalid, LimitExceeded
from etm_graph.core.lifecycle import GROUP_OF
from etm_graph.core.money import from_cents
from etm_graph.core.rollup import Measure
from etm_graph.features.forecasts import service
from etm_graph.features.forecasts.queries import people
from etm_graph.features.forecasts.schema.amounts import ForecastAmounts
from etm_graph.features.forecasts.schema.calendar import PeriodKey, PeriodKeys, read_periods
from etm_graph.features.forecasts.service import Basis, ForecastCube, View
from etm_graph.features.models.schema.types import TerritoryModel, load_models
from etm_graph.features.territories.schema.types import Territory, load_territories
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.extending import extend
from etm_graph.graphql.ids import decode_optional_id

CELLS_MAX = 100_000
"""Most cells of one grid."""

RATIO = Decimal("0.0001")

MaxDepth = Annotated[int | None, strawberry.argument(description="Only territories down to this depth.")]
Family = Annotated[
    str | None,
    strawberry.argument(description="Only opportunities of this product family; such a forecast is not adjusted."),
]
QuotaKindName = Annotated[str, strawberry.argument(description="Developer name of the kind of quota to compare with.")]
AgainstMeasure = Annotated[Measure, strawberry.argument(description="Which amount is compared with the quota.")]


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a cell is, and what its reader may see. place: the tree's size for the bucket of what has no territory."""

    view: View
    model_id: int
    period: int
    place: int
    money: bool

    @property
    def is_unassigned(self) -> bool:
        """Whether it is the bucket of opportunities without a territory."""
        return self.place == len(self.view.grid.tree.ids)

    def cents(self, basis: Basis, measure: Measure) -> int | None:
        """An amount in cents, None when it is hidden."""
        return self.view.cents(basis, measure, self.period, self.place) if self.money else None

    def quantity(self, measure: Measure) -> int | None:
        """A quantity in hundredths, None when it is hidden."""
        return self.view.grid.sums(measure, self.period, self.place, own=False)[1] if self.money else None

    def quota(self) -> Decimal | None:
        """The territory's quota, None when there is none or it is hidden."""
        return self.view.quotas[self.period].territory.get(self.place) if self.money else None


async def _territories(cells: "Sequence[ForecastCell]", context: Context) -> list[Territory | None]:
    ids = [None if cell.spot.is_unassigned else cell.spot.view.grid.tree.ids[cell.spot.place] for cell in cells]
    found = iter(await load_territories([number for number in ids if number is not None], context))
    return [None if number is None else next(found) for number in ids]


@strawberry.type(description="How many opportunities there are by category, with those of all territories below.")
@needs(Act.READ, Kind.FORECAST)
class ForecastCounts:
    """Counts of a cell."""

    pipeline: int = strawberry.field(description="Of category PIPELINE.")
    best_case: int = strawberry.field(description="Of category BEST_CASE.")
    most_likely: int = strawberry.field(description="Of category MOST_LIKELY.")
    commit: int = strawberry.field(description="Of category COMMIT.")
    closed: int = strawberry.field(description="Of category CLOSED.")
    omitted: int = strawberry.field(description="Of category OMITTED.")


@needs(Act.READ_MONEY, Kind.FORECAST)
async def _attainments(
    cells: "Sequence[ForecastCell]",
    context: Context,  # noqa: ARG001 - what batch functions take
    measure: AgainstMeasure = Measure.CLOSED,
) -> list[Decimal | None]:
    return [_ratio(cell.spot, Measure(measure)) for cell in cells]


def _ratio(spot: Spot, measure: Measure) -> Decimal | None:
    quota, cents = spot.quota(), spot.cents(Basis.ADJUSTED, measure)
    if not quota or cents is None:
        return None
    return (from_cents(cents) / quota).quantize(RATIO, ROUND_HALF_EVEN)


@needs(Act.READ_MONEY, Kind.FORECAST)
async def _gaps(
    cells: "Sequence[ForecastCell]",
    context: Context,  # noqa: ARG001 - what batch functions take
    measure: AgainstMeasure = Measure.CLOSED,
) -> list[Decimal | None]:
    answer = []
    for cell in cells:
        quota, cents = cell.spot.quota(), cell.spot.cents(Basis.ADJUSTED, Measure(measure))
        answer.append(None if quota is None or cents is None else quota - from_cents(cents))
    return answer


@strawberry.type(description="What a territory is to sell, from above and from below; null for those without money.")
@needs(Act.READ_MONEY, Kind.FORECAST)
class ForecastQuota:
    """The quotas of a cell."""

    amount: Decimal | None = strawberry.field(description="The territory's own; null when nobody has set it.")
    of_people: Decimal = strawberry.field(description="What its people's quotas add up to.")
    from_below: Decimal = strawberry.field(
        description="Bottom up: its people's, and of each child its own quota or else what is below that."
    )
    difference: Decimal | None = strawberry.field(
        description="`amount` less `fromBelow`: what has not been spread; negative when more was spread than there is."
    )
    inherited: bool = strawberry.field(
        description="Whether it is that of the active model's territory of the same name, shown in a draft."
    )


async def _quotas(
    cells: "Sequence[ForecastCell]",
    context: Context,  # noqa: ARG001 - as above
) -> list[ForecastQuota | None]:
    return [_quota(cell.spot) if cell.spot.money and not cell.spot.is_unassigned else None for cell in cells]


def _quota(spot: Spot) -> ForecastQuota:
    quotas, place = spot.view.quotas[spot.period], spot.place
    amount, below = quotas.territory.get(place), quotas.below.get(place, Decimal("0.00"))
    return ForecastQuota(
        amount=amount,
        of_people=quotas.people.get(place, Decimal("0.00")),
        from_below=below,
        difference=None if amount is None else amount - below,
        inherited=place in quotas.inherited,
    )


async def _counts(
    cells: "Sequence[ForecastCell]",
    context: Context,  # noqa: ARG001 - as above
) -> list[ForecastCounts]:
    individual = [Measure.PIPELINE, Measure.BEST_CASE, Measure.MOST_LIKELY, Measure.COMMIT, Measure.CLOSED]
    answer = []
    for cell in cells:
        spot, grid = cell.spot, cell.spot.view.grid
        values = {
            measure.value.lower(): grid.sums(measure, spot.period, spot.place, own=False)[2]
            for measure in (*individual, Measure.OMITTED)
        }
        answer.append(ForecastCounts(**values))
    return answer


@strawberry.type(description="One territory in one fiscal period.")
@needs(Act.READ, Kind.FORECAST)
class ForecastCell:
    """A cell of the grid."""

    spot: strawberry.Private[Spot]
    period: str = strawberry.field(description="The period's key.")
    start: date = strawberry.field(description="The period's first day.")
    end: date = strawberry.field(description="The period's last day.")
    product_family: str | None = strawberry.field(description="The product family that it was asked for; null for all.")
    own: ForecastAmounts = strawberry.field(description="Of the opportunities aligned to the territory itself.")
    rolled_up: ForecastAmounts = strawberry.field(
        description="With those of all territories below, without any adjustment."
    )
    without_manager_adjustment: ForecastAmounts = strawberry.field(
        description="The members' view: rolled up, with what owners say about their own amounts. Null in periods that "
        "are finer than forecasts are adjusted by, and by product family."
    )
    adjusted: ForecastAmounts = strawberry.field(
        description="The forecast manager's view: with all adjustments. Null where `withoutManagerAdjustment` is."
    )
    quantity: ForecastAmounts = strawberry.field(description="Quantities instead of amounts, rolled up.")
    opportunity_count: int = strawberry.field(description="How many opportunities are rolled up.")
    counts: ForecastCounts = batched(_counts, description="How many opportunities are rolled up, by category.")
    quota: ForecastQuota | None = batched(_quotas, description="Quotas of the kind that was asked for.")
    attainment: Decimal | None = batched(
        _attainments, description="An adjusted amount divided by the quota, to four places; null without a quota."
    )
    gap: Decimal | None = batched(_gaps, description="The quota less an adjusted amount; null without a quota.")
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
    is_draft: bool = strawberry.field(description="Whether it is what a draft would make of today's opportunities.")


def may(context: Context, act: Act, model: TerritoryModel, path: str) -> bool:
    """Whether the caller may do something to a model's forecast below a path."""
    return context.viewer.may(act, Kind.FORECAST, state=GROUP_OF[model.model_state], model_id=model.key, path=path)


def make_cell(view: View, model_id: int, period: int, place: int, *, money: bool) -> ForecastCell:
    """A cell of a view."""
    spot = Spot(view, model_id, period, place, money)
    found = view.grid.periods[period]
    return ForecastCell(
        spot=spot,
        period=found.key,
        start=found.start,
        end=found.end,
        product_family=view.family,
        own=ForecastAmounts.of(partial(spot.cents, Basis.OWN)),
        rolled_up=ForecastAmounts.of(partial(spot.cents, Basis.ROLLED_UP)),
        without_manager_adjustment=ForecastAmounts.of(partial(spot.cents, Basis.WITHOUT_MANAGER)),
        adjusted=ForecastAmounts.of(partial(spot.cents, Basis.ADJUSTED)),
        quantity=ForecastAmounts.of(spot.quantity),
        opportunity_count=view.grid.count(period, place),
    )


async def view_of(
    context: Context, model: TerritoryModel, periods: Sequence[str], family: str | None, kind: str
) -> View:
    """A model's forecast for the keys of periods. Raises `Invalid`, `LimitExceeded`."""
    found = await read_periods(context, periods)
    session = await context.session()
    if kind not in {row.developer_name for row in await people.list_quota_kinds(session)}:
        raise Invalid(f"There is no kind of quota named {kind!r}.", field=["quotaKind"])
    cube = context.services.get(ForecastCube)
    return await service.make_view(session, cube, model.key, model.model_state, found, family=family, kind=kind)


def cells_of(context: Context, model: TerritoryModel, view: View, places: Sequence[int]) -> list[ForecastCell]:
    """The cells of those places that the caller may read, by place and then by period. Raises `LimitExceeded`."""
    paths = view.grid.tree.paths
    allowed = [place for place in places if may(context, Act.READ, model, paths[place])]
    count = len(allowed) * len(view.grid.periods)
    if count > CELLS_MAX:
        raise LimitExceeded(
            f"A grid has at most {CELLS_MAX} cells (forecast cells); this one would have {count}. Ask for fewer periods, "
            "a subtree, or a bulk export."
        )
    money = {place: may(context, Act.READ_MONEY, model, paths[place]) for place in allowed}
    return [
        make_cell(view, model.key, period, place, money=money[place])
        for place in allowed
        for period in range(len(view.grid.periods))
    ]


async def _grids(
    models: Sequence[TerritoryModel],
    context: Context,
    periods: PeriodKeys,
    max_depth: MaxDepth = None,
    rooted_at: Annotated[
        strawberry.ID | None, strawberry.argument(description="Only this territory and what is below it.")
    ] = None,
    product_family: Family = None,
    quota_kind: QuotaKindName = people.DEFAULT_KIND,
) -> list[ForecastGrid | None]:
    grids: list[ForecastGrid | None] = []
    root_id = decode_optional_id(rooted_at, "Territory", field="rootedAt")
    for model in models:
        view = await view_of(context, model, periods, product_family, quota_kind)
        tree = view.grid.tree
        first, last = 0, len(tree.ids)
        if root_id is not None:
            first = tree.place_of.get(root_id, last)
            last = tree.ends[first] if first < last else last
        places = [
            place for place in range(first, last) if max_depth is None or tree.paths[place].count("/") - 2 <= max_depth
        ]
        cells = cells_of(context, model, view, places)
        money = may(context, Act.READ_MONEY, model, "/")
        unassigned = [make_cell(view, model.key, period, len(tree.ids), money=money) for period in range(len(periods))]
        shown = may(context, Act.READ, model, "/") and root_id is None
        draft = people.shows_inherited(model.model_state)
        grids.append(ForecastGrid(cells=cells, unassigned=unassigned if shown else None, is_draft=draft))
    return grids


async def _of_territories(
    parents: Sequence[Territory],
    context: Context,
    period: PeriodKey,
    product_family: Family = None,
    quota_kind: QuotaKindName = people.DEFAULT_KIND,
) -> list[ForecastCell | None]:
    by_model: dict[int, list[Territory]] = defaultdict(list)
    for territory in parents:
        by_model[territory.model_key].append(territory)
    keys = sorted(by_model)
    models: Mapping[int, TerritoryModel | None] = dict(zip(keys, await load_models(keys, context), strict=True))
    cells: dict[int, ForecastCell] = {}
    for key in keys:
        model = models[key]
        if model is None:
            continue
        view = await view_of(context, model, [period], product_family, quota_kind)
        places = [view.grid.tree.place_of[territory.key] for territory in by_model[key]]
        for cell in cells_of(context, model, view, places):
            cells[view.grid.tree.ids[cell.spot.place]] = cell
    return [cells.get(territory.key) for territory in parents]


extend(
    Territory,
    "forecast",
    Optional[ForecastCell],
    batched(_of_territories, description="Its forecast in a period; null when you may not read it."),
)
extend(
    TerritoryModel,
    "forecast",
    Optional[ForecastGrid],
    batched(
        _grids,
        description="Its forecast as a grid, for forecast tools. A draft's is what it would make of today's "
        "opportunities.",
    ),
)
