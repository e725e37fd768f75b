"""What people have said about a cell, how it changed, and what an activation carried over."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

import polars as pl
import strawberry

from etm_graph.core.access import Act, Kind
from etm_graph.core.errors import Invalid
from etm_graph.core.money import from_cents
from etm_graph.core.rollup import MEASURED, Measure
from etm_graph.core.waterfall import Deal, Flow, Scope, Step, waterfall
from etm_graph.features.alignment.service import STORED
from etm_graph.features.crm.schema.types import User, load_users
from etm_graph.features.forecasts.queries import people
from etm_graph.features.forecasts.queries.history import deals_at
from etm_graph.features.forecasts.schema.amounts import ForecastAmounts
from etm_graph.features.forecasts.schema.people import ForecastAdjustment, ForecastSubmission, Quota
from etm_graph.features.forecasts.schema.saying import of_places
from etm_graph.features.forecasts.schema.types import ForecastCell, Spot, may
from etm_graph.features.models.schema.types import TerritoryModel, load_models
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needing, needs
from etm_graph.graphql.enums import describe
from etm_graph.graphql.extending import extend

MONEY = needing(Act.READ_MONEY, Kind.FORECAST)

describe(
    Step,
    "Why an amount came to a forecast or went from it; each opportunity has one reason, the first that applies.",
    {
        "NEW": "It was created since.",
        "REALIGNED": "It came from, or went to, a territory outside.",
        "MOVED_IN": "Its close date went into the period.",
        "SLIPPED": "Its close date went behind the period.",
        "MOVED_OUT": "Its close date went before the period.",
        "WON": "It was won.",
        "LOST": "It was lost, left out or deleted.",
        "CATEGORY_CHANGED": "It is in another category otherwise.",
        "AMOUNT_CHANGED": "It is still in, with another amount.",
    },
    name="ForecastStep",
)


@strawberry.type(description="What one reason changed.")
@needs(Act.READ_MONEY, Kind.FORECAST)
class ForecastFlow:
    """A step of a waterfall."""

    step: Step = strawberry.field(description="Why.")
    amount: Decimal = strawberry.field(description="By how much; negative when it went.", metadata=MONEY)
    opportunity_count: int = strawberry.field(description="How many opportunities.")


@strawberry.type(description="How an amount changed between two moments: start, plus all steps, is end.")
@needs(Act.READ_MONEY, Kind.FORECAST)
class ForecastWaterfall:
    """A waterfall."""

    since: datetime = strawberry.field(description="The first moment.")
    until: datetime = strawberry.field(description="The second moment.")
    start: Decimal = strawberry.field(description="What it was at the first.", metadata=MONEY)
    end: Decimal = strawberry.field(description="What it was at the second.", metadata=MONEY)
    steps: list[ForecastFlow] = strawberry.field(description="What happened, without steps that moved nothing.")


def _waterfall(
    spot: Spot, measure: Measure, moments: Sequence[tuple[Deal | None, Deal | None, Deal | None]]
) -> tuple[int, int, dict[Step, Flow]]:
    tree, grid = spot.view.grid.tree, spot.view.grid
    inside = frozenset(tree.ids[spot.place : tree.ends[spot.place]])
    scope = Scope(grid.periods[spot.period], inside, MEASURED[measure])
    now = grid.sums(measure, spot.period, spot.place, own=False)[0]
    start = now + sum(scope.counts(first) - scope.counts(last) for first, _, last in moments)
    end = now + sum(scope.counts(second) - scope.counts(last) for _, second, last in moments)
    return start, end, dict(waterfall(scope, ((first, second) for first, second, _ in moments)))


@needs(Act.READ_MONEY, Kind.FORECAST)
async def _waterfalls(
    cells: Sequence[ForecastCell],
    context: Context,
    since: Annotated[datetime, strawberry.argument(description="The first moment.")],
    until: Annotated[datetime | None, strawberry.argument(description="The second; now when left out.")] = None,
    measure: Annotated[Measure, strawberry.argument(description="Which amount.")] = Measure.OPEN_PIPELINE,
) -> list[ForecastWaterfall | None]:
    second = until or datetime.now(UTC)
    if since.tzinfo is None or second.tzinfo is None or second < since:
        raise Invalid("A waterfall goes from one moment to a later one, both with a time zone.", field=["since"])
    session = await context.session()
    answer: list[ForecastWaterfall | None] = []
    found = {}
    keys = sorted({cell.spot.model_id for cell in cells})
    models = dict(zip(keys, await load_models(keys, context), strict=True))
    for cell in cells:
        spot, model = cell.spot, models[cell.spot.model_id]
        if not spot.money or spot.is_unassigned or spot.view.family is not None or model is None:
            answer.append(None)
            continue
        if model.model_state not in STORED:
            answer.append(None)
            continue
        if spot.model_id not in found:
            found[spot.model_id] = await deals_at(session, spot.model_id, since, second)
        start, end, flows = _waterfall(spot, Measure(measure), found[spot.model_id])
        steps = [
            ForecastFlow(step=step, amount=from_cents(flows[step].cents), opportunity_count=flows[step].count)
            for step in Step
            if step in flows
        ]
        answer.append(
            ForecastWaterfall(since=since, until=second, start=from_cents(start), end=from_cents(end), steps=steps)
        )
    return answer


async def _said(cells: Sequence[ForecastCell], context: Context, read: object) -> list[list[object]]:
    spots = [cell.spot for cell in cells]
    start = min(cell.start for cell in cells)
    end = max(cell.end for cell in cells)
    models = sorted({spot.model_id for spot in spots})
    rows = await read(await context.session(), models, start, end)  # type: ignore[operator]  # one of two queries
    return of_places(rows, spots)


@needs(Act.READ_MONEY, Kind.FORECAST)
async def _quotas(cells: Sequence[ForecastCell], context: Context) -> list[list[Quota]]:
    return [[Quota.of(row) for row in rows] for rows in await _said(cells, context, people.quotas_within)]  # type: ignore[arg-type]  # rows


@needs(Act.READ_MONEY, Kind.FORECAST)
async def _adjustments(cells: Sequence[ForecastCell], context: Context) -> list[list[ForecastAdjustment]]:
    found = await _said(cells, context, people.adjustments_within)
    return [[ForecastAdjustment.of(row) for row in rows] for rows in found]  # type: ignore[arg-type]  # rows


@needs(Act.READ_MONEY, Kind.FORECAST)
async def _submissions(cells: Sequence[ForecastCell], context: Context) -> list[list[ForecastSubmission]]:
    keys = [
        None
        if cell.spot.is_unassigned or not cell.spot.money
        else (cell.spot.view.grid.tree.ids[cell.spot.place], cell.start, cell.end)
        for cell in cells
    ]
    found = await people.submissions_of(await context.session(), {key for key in keys if key is not None})
    return [[] if key is None else [ForecastSubmission.of(row) for row in found[key]] for key in keys]


@strawberry.type(description="What one person has of a cell.")
@needs(Act.READ, Kind.FORECAST)
class ForecastPerson:
    """The opportunities of one owner in a territory itself."""

    user_key: strawberry.Private[int | None]
    own: ForecastAmounts = strawberry.field(description="Of the person's opportunities aligned to the territory.")
    opportunity_count: int = strawberry.field(description="How many they are.")
    user: User | None = batched(
        lambda items, context: load_users([item.user_key for item in items], context),
        description="Who owns them; null for opportunities without an owner.",
    )


async def _people(cells: Sequence[ForecastCell], context: Context) -> list[list[ForecastPerson]]:  # noqa: ARG001 - what batch functions take
    return [_people_of(cell.spot) for cell in cells]


def _people_of(spot: Spot) -> list[ForecastPerson]:
    if spot.is_unassigned:
        return []
    grid = spot.view.grid
    period = grid.periods[spot.period]
    here = (pl.col("territory_id") == grid.tree.ids[spot.place]) & pl.col("close_date").is_between(
        period.start, period.end
    )
    if spot.view.family is not None:
        here &= pl.col("family") == spot.view.family
    sums = spot.view.book.rows().filter(here).group_by("owner_id", "category").agg(pl.col("cents").sum(), pl.len())
    found: dict[int | None, tuple[dict[str, int], int]] = {}
    for owner, category, cents, count in sums.sort("owner_id", "category").iter_rows():
        held, counted = found.get(owner, ({}, 0))
        found[owner] = ({**held, category: int(cents)}, counted + count)

    def amounts(held: dict[str, int]) -> ForecastAmounts:
        def cents(measure: Measure) -> int | None:
            return sum(held.get(c.value, 0) for c in MEASURED[measure]) if spot.money else None

        return ForecastAmounts.of(cents)

    return [
        ForecastPerson(user_key=owner, own=amounts(held), opportunity_count=count)
        for owner, (held, count) in found.items()
    ]


@strawberry.type(description="A quota or adjustment that an activation did not take over, or replaced.")
@needs(Act.READ_MONEY, Kind.FORECAST)
class LeftBehind:
    """One value that does not count any more; it is still there in its model."""

    what: str = strawberry.field(description="QUOTA or ADJUSTMENT.")
    reason: str = strawberry.field(
        description="NO_SUCCESSOR: no territory of that name; OWN_VALUE_KEPT: the model has its own; LATER_VALUE_TAKEN: "
        "after a restore, a later one of the former model counts instead."
    )
    territory: str = strawberry.field(description="Developer name of the territory.")
    path: str = strawberry.field(description="Where it was.")
    period: str = strawberry.field(description="The fiscal period.")
    amount: Decimal = strawberry.field(description="How much.", metadata=MONEY)


@strawberry.type(description="What the last activation did with the former model's quotas and adjustments.")
@needs(Act.READ_MONEY, Kind.FORECAST)
class ForecastCarryOver:
    """A row of forecast_carry."""

    former: str = strawberry.field(description="The former model.")
    at: datetime = strawberry.field(description="When.")
    copied: int = strawberry.field(description="How many values of periods that are not closed went over.")
    left: list[LeftBehind] = strawberry.field(description="What did not, and what was replaced.")


@needs(Act.READ_MONEY, Kind.FORECAST)
async def _carried(models: Sequence[TerritoryModel], context: Context) -> list[ForecastCarryOver | None]:
    found = await people.carried_to(await context.session(), {model.key for model in models})
    answer: list[ForecastCarryOver | None] = []
    for model in models:
        row = found.get(model.key)
        if row is None or not may(context, Act.READ_MONEY, model, "/"):
            answer.append(None)
            continue
        left = [
            LeftBehind(
                what=item["what"],
                reason=item["reason"],
                territory=item["territory"],
                path=item["path"],
                period=item["period"],
                amount=Decimal(item["amount"]),
            )
            for item in row.left
        ]
        answer.append(ForecastCarryOver(former=row.former, at=row.at, copied=row.copied, left=left))
    return answer


extend(
    ForecastCell,
    "waterfall",
    ForecastWaterfall | None,
    batched(
        _waterfalls,
        description="How an amount of the cell changed between two moments, at today's rates; null in drafts, for the "
        "unassigned and by product family.",
    ),
)
extend(
    ForecastCell,
    "quotas",
    list[Quota],
    batched(_quotas, description="Quotas of the territory and its people in periods within the cell's."),
)
extend(
    ForecastCell,
    "adjustments",
    list[ForecastAdjustment],
    batched(_adjustments, description="Adjustments of the territory in periods within the cell's."),
)
extend(
    ForecastCell,
    "submissions",
    list[ForecastSubmission],
    batched(_submissions, description="What was handed in for the territory and period, latest first."),
)
extend(
    ForecastCell,
    "people",
    list[ForecastPerson],
    batched(_people, description="The territory's own opportunities by owner."),
)
extend(
    TerritoryModel,
    "forecast_carry_over",
    ForecastCarryOver | None,
    batched(_carried, description="What its activation carried over from the former model; null when nothing was."),
)
