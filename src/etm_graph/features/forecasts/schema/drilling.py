"""Drilling down: the opportunities behind a cell, from the very rows that it was summed up from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

import polars as pl
import strawberry

from etm_graph.core.access import Act, Kind
from etm_graph.core.money import from_cents
from etm_graph.core.rollup import MEASURED, ForecastCategory, Measure
from etm_graph.db.paging import Order, Page, decode_cursor
from etm_graph.features.crm import queries as crm
from etm_graph.features.crm.schema.types import Opportunity, load_opportunities
from etm_graph.features.forecasts.schema.types import ForecastCell, Spot
from etm_graph.features.territories.schema.types import Territory, load_territories
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.extending import extend
from etm_graph.graphql.pages import After, Before, Connection, First, Last, connect, make_page

BEHIND = Order("forecast opportunities", (crm.opportunities.c.id,))


@dataclass(frozen=True, slots=True)
class _Row:
    """An opportunity of a page."""

    order_0: int
    values: Mapping[str, Any]
    money: bool


async def _opportunities(items: "Sequence[ForecastOpportunity]", context: Context) -> list[Opportunity | None]:
    return await load_opportunities([item.key for item in items], context)


async def _territories(items: "Sequence[ForecastOpportunity]", context: Context) -> list[Territory | None]:
    ids = [item.territory_key for item in items]
    found = iter(await load_territories([number for number in ids if number is not None], context))
    return [None if number is None else next(found) for number in ids]


@needs(Act.READ_MONEY, Kind.FORECAST)
async def _amounts(
    items: "Sequence[ForecastOpportunity]",
    context: Context,  # noqa: ARG001 - what batch functions take
) -> list[Decimal | None]:
    return [None if item.cents is None else from_cents(item.cents) for item in items]


@strawberry.type(description="An opportunity as a forecast counts it.")
@needs(Act.READ, Kind.FORECAST)
class ForecastOpportunity:
    """One of the opportunities behind a cell."""

    key: strawberry.Private[int]
    territory_key: strawberry.Private[int | None]
    cents: strawberry.Private[int | None]
    category: ForecastCategory = strawberry.field(description="Its forecast category.")
    amount: Decimal | None = batched(
        _amounts, description="In corporate currency at its close date's rate; null for those who may not see money."
    )
    opportunity: Opportunity | None = batched(
        _opportunities, description="The opportunity; null for those who may not read the CRM."
    )
    territory: Territory | None = batched(_territories, description="The territory that it is aligned to.")

    @classmethod
    def of(cls, row: _Row) -> "ForecastOpportunity":
        """The opportunity of a row."""
        values = row.values
        return cls(
            key=row.order_0,
            territory_key=values["territory_id"],
            cents=(values["cents"] or 0) if row.money else None,
            category=ForecastCategory(values["category"]),
        )


def _behind(spot: Spot, measure: Measure | None, *, own: bool) -> pl.DataFrame:
    """The rows that a cell sums up, by id."""
    tree, period = spot.view.grid.tree, spot.view.grid.periods[spot.period]
    categories = list(ForecastCategory) if measure is None else MEASURED[measure]
    if spot.is_unassigned:
        known = pl.Series(tree.ids, dtype=pl.Int64)
        where = pl.col("territory_id").is_null() | ~pl.col("territory_id").is_in(known.implode())
    else:
        end = spot.place + 1 if own else tree.ends[spot.place]
        where = pl.col("territory_id").is_in(pl.Series(tree.ids[spot.place : end], dtype=pl.Int64).implode())
    chosen = where & pl.col("close_date").is_between(period.start, period.end)
    chosen &= pl.col("category").is_in([category.value for category in categories])
    if spot.view.family is not None:
        chosen &= pl.col("family") == spot.view.family
    return spot.view.book.rows().filter(chosen).sort("id")


def _page(frame: pl.DataFrame, page: Page) -> pl.DataFrame:
    if page.after is not None:
        frame = frame.filter(pl.col("id") > decode_cursor(BEHIND, page.after)[0])
    if page.before is not None:
        frame = frame.filter(pl.col("id") < decode_cursor(BEHIND, page.before)[0])
    return frame.tail(page.size + 1).reverse() if page.backward else frame.head(page.size + 1)


async def _count(
    keys: "Sequence[tuple[Spot, Measure | None, bool]]",
    context: Context,  # noqa: ARG001 - as above
) -> list[int]:
    return [_behind(spot, measure, own=own).height for spot, measure, own in keys]


async def _drill(
    cells: Sequence[ForecastCell],
    context: Context,
    measure: Annotated[
        Measure | None, strawberry.argument(description="Only what this amount adds up; everything when left out.")
    ] = None,
    own: Annotated[
        bool, strawberry.argument(description="Only those aligned to the territory itself, without those below.")
    ] = False,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> list[Connection[ForecastOpportunity]]:
    page = make_page(context, first, after, last, before)
    wanted = None if measure is None else Measure(measure)
    answer = []
    for cell in cells:
        spot = cell.spot
        found = _page(_behind(spot, wanted, own=own), page)
        rows = [_Row(values["id"], values, spot.money) for values in found.iter_rows(named=True)]
        answer.append(connect(rows, BEHIND, page, ForecastOpportunity.of, (_count, (spot, wanted, own), {})))
    return answer


extend(
    ForecastCell,
    "opportunities",
    Connection[ForecastOpportunity],
    batched(
        _drill,
        description="The opportunities behind the cell, by id: their amounts add up to `rolledUp`, or `own` to `own`.",
    ),
)
