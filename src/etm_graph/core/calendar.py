"""Fiscal periods of an organisation whose year may begin in any month."""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from etm_graph.core.errors import Invalid

MONTHS = 12


class PeriodKind(StrEnum):
    """How long a period is."""

    MONTH = "MONTH"
    QUARTER = "QUARTER"
    YEAR = "YEAR"


LENGTHS = {PeriodKind.MONTH: 1, PeriodKind.QUARTER: 3, PeriodKind.YEAR: MONTHS}
"""Months of a period."""

_LETTERS = {PeriodKind.MONTH: "M", PeriodKind.QUARTER: "Q"}
_KEY = re.compile(r"FY(?P<year>\d{4})(?:-(?P<letter>[MQ])(?P<number>\d{1,2}))?")


@dataclass(frozen=True, slots=True)
class Period:
    """A fiscal period. key: FY2026, FY2026-Q3, FY2026-M07. start, end: first and last day."""

    kind: PeriodKind
    key: str
    start: date
    end: date


def _first_day(year: int, first_month: int, months: int) -> date:
    """The day `months` months after the fiscal year began that ends in calendar year `year` (or is it)."""
    began = year if first_month == 1 else year - 1
    ordinal = began * MONTHS + first_month - 1 + months
    return date(ordinal // MONTHS, ordinal % MONTHS + 1, 1)


def _make(kind: PeriodKind, year: int, number: int, first_month: int) -> Period:
    length = LENGTHS[kind]
    start = _first_day(year, first_month, (number - 1) * length)
    after = _first_day(year, first_month, number * length)
    suffix = {PeriodKind.YEAR: "", PeriodKind.QUARTER: f"-Q{number}", PeriodKind.MONTH: f"-M{number:02d}"}[kind]
    return Period(kind, f"FY{year}{suffix}", start, date.fromordinal(after.toordinal() - 1))


def parse_period(key: str, first_month: int) -> Period:
    """The period of a key such as FY2026-Q3; the fiscal year is named by the calendar year in which it ends.

    first_month: 1 for January to 12. Raises `Invalid` with the form.
    """
    found = _KEY.fullmatch(key.strip().upper())
    wrong = Invalid(f"{key!r} is no period; write FY2026, FY2026-Q3 or FY2026-M07.", field=["period"])
    if found is None or not 1 < int(found["year"]) < 9999:  # noqa: PLR2004 - the years that dates have
        raise wrong
    if found["letter"] is None:
        return _make(PeriodKind.YEAR, int(found["year"]), 1, first_month)
    kind = PeriodKind.MONTH if found["letter"] == "M" else PeriodKind.QUARTER
    number = int(found["number"])
    if not 1 <= number <= MONTHS // LENGTHS[kind]:
        raise wrong
    return _make(kind, int(found["year"]), number, first_month)


def period_of(day: date, kind: PeriodKind, first_month: int) -> Period:
    """The period of a kind that a day is in."""
    months = (day.month - first_month) % MONTHS
    year = day.year if day.month >= first_month else day.year - 1
    named = year if first_month == 1 else year + 1
    return _make(kind, named, months // LENGTHS[kind] + 1, first_month)


def periods_within(start: date, end: date, kind: PeriodKind, first_month: int) -> list[Period]:
    """The periods of a kind that have a day from `start` to `end`, in order."""
    found = [period_of(start, kind, first_month)]
    while found[-1].end < end:
        found.append(period_of(date.fromordinal(found[-1].end.toordinal() + 1), kind, first_month))
    return found


def is_finer(kind: PeriodKind, than: PeriodKind) -> bool:
    """Whether periods of one kind are shorter than those of another."""
    return LENGTHS[kind] < LENGTHS[than]
