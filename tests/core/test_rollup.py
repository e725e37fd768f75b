"""Roll-ups: parent = own + children."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from etm_graph.core.rollup import ZERO, Cumulative, ForecastCategory, cumulative, roll_up

amounts = st.dictionaries(st.sampled_from(ForecastCategory), st.decimals(-1000, 1000, places=2), max_size=3)
PATHS = ["/A/", "/A/B/", "/A/B/C/", "/A/D/", "/AB/", "/AB/X/"]


@given(st.dictionaries(st.sampled_from(PATHS), amounts))
def test_a_total_is_the_sum_of_the_subtree(own: dict[str, dict[ForecastCategory, Decimal]]) -> None:
    total = roll_up(own, PATHS)
    for path in PATHS:
        for category in ForecastCategory:
            expected = sum((own[p].get(category, ZERO) for p in own if p.startswith(path)), ZERO)
            assert total[path].get(category, ZERO) == expected


def test_cumulative_amounts_include_what_is_surer_and_never_the_omitted() -> None:
    each = {category: Decimal(10**place) for place, category in enumerate(ForecastCategory)}
    assert cumulative(each) == {
        Cumulative.OPEN_PIPELINE: Decimal(1111),
        Cumulative.BEST_CASE: Decimal(11110),
        Cumulative.MOST_LIKELY: Decimal(11100),
        Cumulative.COMMIT: Decimal(11000),
        Cumulative.CLOSED: Decimal(10000),
    }
