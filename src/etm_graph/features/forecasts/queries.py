"""Reading forecasts: one statement for all periods of a model, rolled up in memory."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy import CTE, ColumnElement, Numeric, Subquery, and_, case, cast, func, literal_column, or_, select

from etm_graph.core.calendar import Period, parse_period
from etm_graph.core.hierarchy import ancestor_paths
from etm_graph.core.rollup import Amounts, ForecastCategory, roll_up
from etm_graph.db.sessions import ReadSession
from etm_graph.features.alignment.queries import aligned_opportunities
from etm_graph.features.crm import queries as crm
from etm_graph.features.territories import queries as territories

CENT = Decimal("0.01")

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
    """Rounded to the cent, halves to the even one; PostgreSQL itself rounds them away from zero.

    That differs only where an even cent and a half is left over: there the cent that was added is taken back.
    """
    over = func.mod(amount, Decimal("0.02"))
    back = case((over == Decimal("0.005"), CENT), (over == -Decimal("0.005"), -CENT), else_=0)
    return cast(func.round(amount, 2) - back, Numeric(20, 2))


def _dated_rates() -> CTE:
    """Each currency's rates as ranges of days without gaps; the earliest holds since ever, the latest for ever."""
    rates = crm.exchange_rates.c
    first = func.row_number().over(partition_by=rates.currency, order_by=rates.effective_from) == 1
    following = func.lead(rates.effective_from).over(partition_by=rates.currency, order_by=rates.effective_from)
    return select(
        rates.currency,
        rates.rate,
        case((first, literal_column("date '-infinity'")), else_=rates.effective_from).label("since"),
        func.coalesce(following, literal_column("date 'infinity'")).label("until"),
    ).cte("dated_rates")


def _converted(model_id: int, periods: Sequence[Period]) -> Subquery:
    """A model's opportunities in the periods: place (of the period), path, category, amount in corporate currency."""
    found, rates = aligned_opportunities.c, _dated_rates()
    within = [found.close_date.between(period.start, period.end) for period in periods]
    dated = and_(
        rates.c.currency == found.currency, found.close_date >= rates.c.since, found.close_date < rates.c.until
    )
    return (
        select(
            case(*((condition, place) for place, condition in enumerate(within))).label("place"),
            func.coalesce(found.path, UNASSIGNED).label("path"),
            found.forecast_category,
            (found.amount * func.coalesce(rates.c.rate, 1)).label("amount"),
        )
        .outerjoin(rates, dated)
        .where(found.model_id == model_id, or_(*within))
        .subquery("converted")
    )


async def read_periods(session: ReadSession, keys: Sequence[str]) -> Sequence[Period]:
    """Periods by key, in the organisation's fiscal year. Raises `Invalid`."""
    organisation = await crm.organisation_of(session)
    return [parse_period(key, organisation.fiscal_year_start_month) for key in keys]


async def read_forecasts(session: ReadSession, model_id: int, periods: Sequence[Period]) -> Sequence[Forecast]:
    """The forecasts of a model whose alignment is stored, one a period: two statements in all."""
    found = _converted(model_id, periods).c
    keys = (found.place, found.path, found.forecast_category)
    statement = select(*keys, func.sum(half_even(found.amount)).label("amount"), func.count().label("n")).group_by(
        *keys
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
