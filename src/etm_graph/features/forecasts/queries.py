"""Reading forecasts: one statement for all periods of a model, rolled up in memory."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy import ColumnElement, Numeric, case, cast, func, select

from etm_graph.core.calendar import Period, parse_period
from etm_graph.core.hierarchy import ancestor_paths
from etm_graph.core.rollup import Amounts, ForecastCategory, roll_up
from etm_graph.db.sessions import ReadSession
from etm_graph.features.alignment.queries import aligned_opportunities
from etm_graph.features.crm import queries as crm
from etm_graph.features.territories import queries as territories

UNASSIGNED = ""
"""Where opportunities without a territory are, in place of a path."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """One period of a model, by territory path: amounts in corporate currency and counts.

    own: of the opportunities aligned to the territory itself. total: with those below. `UNASSIGNED` is a path of own.
    """

    period: Period
    own: Mapping[str, Amounts]
    total: Mapping[str, Amounts]
    counts: Mapping[str, int] = field(default_factory=dict)


def half_even(amount: ColumnElement[Decimal]) -> ColumnElement[Decimal]:
    """Rounded to the cent, halves to the even one; PostgreSQL itself rounds them away from zero."""
    cents = amount * 100
    down = func.floor(cents)
    halfway = cents - down == Decimal("0.5")
    even = case((func.mod(down, 2) == 0, down), else_=down + 1)
    return cast(case((halfway, even), else_=func.round(cents)) / 100, Numeric(20, 2))


def _rate() -> ColumnElement[Decimal]:
    """The rate dated last on or before the close date; the earliest when there is none before."""
    rates, found = crm.exchange_rates, aligned_opportunities.c
    mine = select(rates.c.rate).where(rates.c.currency == found.currency)
    before = mine.where(rates.c.effective_from <= found.close_date).order_by(rates.c.effective_from.desc()).limit(1)
    earliest = mine.order_by(rates.c.effective_from).limit(1)
    return func.coalesce(before.scalar_subquery(), earliest.scalar_subquery(), 1)


async def read_periods(session: ReadSession, keys: Sequence[str]) -> Sequence[Period]:
    """Periods by key, in the organisation's fiscal year. Raises `Invalid`."""
    organisation = await crm.organisation_of(session)
    return [parse_period(key, organisation.fiscal_year_start_month) for key in keys]


async def read_forecasts(session: ReadSession, model_id: int, periods: Sequence[Period]) -> Sequence[Forecast]:
    """The forecasts of a model whose alignment is stored, one a period: two statements in all."""
    found = aligned_opportunities.c
    within = [found.close_date.between(period.start, period.end) for period in periods]
    which = case(*((condition, place) for place, condition in enumerate(within)))
    place, path = which.label("place"), func.coalesce(found.path, UNASSIGNED).label("path")
    statement = (
        select(
            place,
            path,
            found.forecast_category,
            func.sum(half_even(found.amount * _rate())).label("amount"),
            func.count().label("n"),
        )
        .where(found.model_id == model_id, found.close_date.between(_start(periods), _end(periods)), which.is_not(None))
        .group_by(place, path, found.forecast_category)
    )
    own: list[dict[str, dict[ForecastCategory, Decimal]]] = [defaultdict(dict) for _ in periods]
    counts: list[dict[str, int]] = [defaultdict(int) for _ in periods]
    for row in await session.rows(statement):
        own[row.place][row.path][ForecastCategory(row.forecast_category)] = row.amount
        for above in (*ancestor_paths(row.path), row.path) if row.path else (UNASSIGNED,):
            counts[row.place][above] += row.n
    paths = [row.path for row in await territories.all_nodes(session, model_id)]
    return [
        Forecast(period, own[index], roll_up(own[index], paths), counts[index]) for index, period in enumerate(periods)
    ]


def _start(periods: Sequence[Period]) -> ColumnElement[object]:
    return cast(min(period.start for period in periods), aligned_opportunities.c.close_date.type)


def _end(periods: Sequence[Period]) -> ColumnElement[object]:
    return cast(max(period.end for period in periods), aligned_opportunities.c.close_date.type)
