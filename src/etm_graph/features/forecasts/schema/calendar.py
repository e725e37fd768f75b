"""Fiscal periods in GraphQL, and how the arguments that name them are checked."""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Annotated

import strawberry
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.core.calendar import Period, PeriodKind, parse_period, periods_within
from etm_graph.core.errors import Invalid, LimitExceeded
from etm_graph.features.crm import queries as crm
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs

PERIODS_MAX = 40

PeriodKey = Annotated[str, strawberry.argument(description="A fiscal period: FY2026, FY2026-Q3 or FY2026-M07.")]
PeriodKeys = Annotated[
    list[str], strawberry.argument(description="Fiscal periods that do not overlap, such as FY2026-Q3; at most 40.")
]


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
    beyond = LimitExceeded(f"At most {PERIODS_MAX} periods at a time; {start} to {end} has more.")
    if (end - start).days > PERIODS_MAX * 366:
        raise beyond
    found = periods_within(start, end, kind, first_month)
    if len(found) > PERIODS_MAX:
        raise beyond
    return found


async def read_periods(context: Context, keys: Sequence[str]) -> list[Period]:
    """The periods of keys. Raises `Invalid` for what is none or overlaps, `LimitExceeded` for too many."""
    if not 0 < len(keys) <= PERIODS_MAX:
        raise LimitExceeded(f"A forecast has 1 to {PERIODS_MAX} periods; {len(keys)} were asked for.")
    organisation = await crm.organisation_of(await context.session())
    periods = [parse_period(key, organisation.fiscal_year_start_month) for key in keys]
    ordered = sorted(periods, key=lambda period: period.start)
    if any(later.start <= earlier.end for earlier, later in pairwise(ordered)):
        raise Invalid("The periods overlap; ask for each kind by itself.", field=["periods"])
    return periods


@strawberry.type
class CalendarQuery:
    """Root fields of the fiscal calendar."""

    @strawberry.field(description="The fiscal periods of a kind with a day in a range of days, in order; at most 40.")
    @needs(Act.READ, Kind.ORGANISATION)
    async def fiscal_periods(
        self,
        info: Info[Context, None],
        start: Annotated[date, strawberry.argument(description="First day of the range.")],
        end: Annotated[date, strawberry.argument(description="Last day of the range.")],
        kind: Annotated[PeriodKind, strawberry.argument(description="How long they are.")] = PeriodKind.QUARTER,
    ) -> list[FiscalPeriod]:
        """Periods by day."""
        info.context.viewer.require(Act.READ, Kind.ORGANISATION)
        organisation = await crm.organisation_of(await info.context.session())
        found = _periods_between(start, end, PeriodKind(kind), organisation.fiscal_year_start_month)
        return [FiscalPeriod(kind=p.kind, key=p.key, start=p.start, end=p.end) for p in found]
