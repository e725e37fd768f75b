"""Waterfalls: every opportunity has one reason, and all of them lead from start to end."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etm_graph.core.calendar import parse_period
from etm_graph.core.rollup import MEASURED, ForecastCategory, Measure
from etm_graph.core.waterfall import Deal, Flow, Scope, Step, step_of, waterfall

PERIOD = parse_period("FY2026-Q3", 1)
IN, BEFORE, AFTER = date(2026, 8, 1), date(2026, 6, 30), date(2026, 10, 1)
C = ForecastCategory
deals = st.none() | st.builds(
    Deal,
    st.sampled_from([IN, BEFORE, AFTER]),
    st.sampled_from(ForecastCategory),
    st.sampled_from([None, 1, 2, 3]),
    st.integers(-5, 5),
)


@given(st.lists(st.tuples(deals, deals)), st.sampled_from(Measure))
def test_the_flows_add_up_to_the_difference(pairs: list[tuple[Deal | None, Deal | None]], measure: Measure) -> None:
    scope = Scope(PERIOD, {1, 2}, MEASURED[measure])
    flows = waterfall(scope, pairs)
    moved = sum(scope.counts(after) - scope.counts(before) for before, after in pairs)
    assert sum(flow.cents for flow in flows.values()) == moved


def deal(day: date = IN, category: C = C.COMMIT, where: int | None = 1, cents: int = 5) -> Deal:
    return Deal(day, category, where, cents)


@pytest.mark.parametrize(
    ("before", "after", "step"),
    [
        (None, deal(), Step.NEW),
        (deal(), None, Step.LOST),
        (deal(where=3), deal(), Step.REALIGNED),
        (deal(), deal(where=None), Step.REALIGNED),
        (deal(where=2), deal(where=1), Step.AMOUNT_CHANGED),
        (deal(AFTER), deal(), Step.MOVED_IN),
        (deal(BEFORE), deal(), Step.MOVED_IN),
        (deal(), deal(AFTER), Step.SLIPPED),
        (deal(), deal(BEFORE), Step.MOVED_OUT),
        (deal(), deal(category=C.CLOSED), Step.WON),
        (deal(), deal(category=C.OMITTED), Step.LOST),
        (deal(category=C.OMITTED), deal(), Step.CATEGORY_CHANGED),
        (deal(AFTER, where=3), deal(), Step.REALIGNED),
        (deal(), deal(cents=9), Step.AMOUNT_CHANGED),
        (deal(where=3), deal(where=None), None),
        (None, None, None),
    ],
)
def test_each_opportunity_has_the_first_reason_that_applies(
    before: Deal | None, after: Deal | None, step: Step | None
) -> None:
    scope = Scope(PERIOD, {1, 2}, MEASURED[Measure.OPEN_PIPELINE])
    assert step_of(scope, before, after) is step


def test_an_opportunity_that_is_won_comes_into_what_is_committed_and_won() -> None:
    scope = Scope(PERIOD, {1}, MEASURED[Measure.COMMIT_FORECAST])
    pairs = [(deal(category=C.PIPELINE), deal(category=C.CLOSED)), (deal(), deal())]
    assert waterfall(scope, pairs) == {Step.WON: Flow(5, 1)}
