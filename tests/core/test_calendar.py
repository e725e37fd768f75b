"""Fiscal periods."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etm_graph.core.calendar import PeriodKind, parse_period, period_of
from etm_graph.core.errors import Invalid

days = st.dates(date(1990, 1, 1), date(2090, 12, 31))


@given(days, st.sampled_from(PeriodKind), st.integers(1, 12))
def test_a_day_is_in_its_period_and_the_key_names_it(day: date, kind: PeriodKind, first: int) -> None:
    period = period_of(day, kind, first)
    assert period.start <= day <= period.end
    assert parse_period(period.key, first) == period


@given(days, st.sampled_from(PeriodKind), st.integers(1, 12))
def test_periods_follow_each_other_without_gap(day: date, kind: PeriodKind, first: int) -> None:
    period = period_of(day, kind, first)
    assert period_of(period.end + timedelta(days=1), kind, first).start == period.end + timedelta(days=1)


def test_a_fiscal_year_is_named_by_the_year_in_which_it_ends() -> None:
    period = parse_period("FY2027-Q1", 7)
    assert (period.start, period.end) == (date(2026, 7, 1), date(2026, 9, 30))
    assert parse_period("FY2026", 1).end == date(2026, 12, 31)


@pytest.mark.parametrize("key", ["2026-Q1", "FY2026-Q5", "FY2026-Q0", "FY2026-M13", "FY26", "", "FY2026-W1"])
def test_what_is_no_period_is_refused(key: str) -> None:
    with pytest.raises(Invalid):
        parse_period(key, 1)
