"""Roll-ups: parent = own + children."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etm_graph.core.rollup import (
    ADJUSTABLE,
    MEASURED,
    ZERO,
    Cumulative,
    ForecastCategory,
    Measure,
    adjust,
    bottom_up,
    cumulative,
    roll_up,
)

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


@pytest.mark.parametrize(
    ("measure", "parts"),
    [
        ("PIPELINE", "P"),
        ("BEST_CASE", "B"),
        ("MOST_LIKELY", "M"),
        ("COMMIT", "C"),
        ("CLOSED", "W"),
        ("OMITTED", "O"),
        ("OPEN_PIPELINE", "PBMC"),
        ("BEST_CASE_FORECAST", "BMCW"),
        ("MOST_LIKELY_FORECAST", "MCW"),
        ("COMMIT_FORECAST", "CW"),
    ],
)
def test_each_measure_adds_up_the_categories_that_territory_forecasts_have(measure: str, parts: str) -> None:
    letters = dict(zip("PBMCWO", ForecastCategory, strict=True))
    assert MEASURED[Measure(measure)] == tuple(letters[part] for part in parts)


def test_pipeline_and_closed_cannot_be_adjusted() -> None:
    assert set(Measure) - ADJUSTABLE == {
        Measure.PIPELINE,
        Measure.CLOSED,
        Measure.OMITTED,
        Measure.OPEN_PIPELINE,
    }


@st.composite
def trees(draw: st.DrawFn) -> list[int | None]:
    size = draw(st.integers(1, 12))
    return [None if place == 0 else draw(st.none() | st.integers(0, place - 1)) for place in range(size)]


@given(st.data(), trees())
def test_adjustments_are_carried_up_as_a_plain_recursion_does(data: st.DataObject, parents: list[int | None]) -> None:
    places = range(len(parents))
    own = [data.draw(st.integers(-50, 50)) for _ in places]
    owner = data.draw(st.dictionaries(st.sampled_from(places), st.integers(-50, 50), max_size=4))
    manager = data.draw(st.dictionaries(st.sampled_from(places), st.integers(-50, 50), max_size=4))
    below = {place: [child for child in places if parents[child] == place] for place in places}

    def total(place: int) -> int:
        return own[place] + sum(total(child) for child in below[place])

    def without(place: int) -> int:
        return own[place] + owner.get(place, 0) + sum(without(child) for child in below[place])

    def whole(place: int) -> int:
        if place in manager:
            return manager[place]
        return own[place] + owner.get(place, 0) + sum(whole(child) for child in below[place])

    found = adjust(parents, total, owner, manager)
    for place in places:
        assert total(place) + found.without_manager.get(place, 0) == without(place)
        assert total(place) + found.with_all.get(place, 0) == whole(place)


@given(st.data(), trees())
def test_quotas_from_below_are_what_a_plain_recursion_gives(data: st.DataObject, parents: list[int | None]) -> None:
    places = range(len(parents))
    numbers = st.decimals(0, 100, places=2)
    territory = data.draw(st.dictionaries(st.sampled_from(places), numbers, max_size=5))
    people = data.draw(st.dictionaries(st.sampled_from(places), numbers, max_size=5))

    def below(place: int) -> Decimal:
        children = [child for child in places if parents[child] == place]
        return people.get(place, ZERO) + sum((territory.get(c, below(c)) for c in children), ZERO)

    found = bottom_up(parents, territory, people)
    assert [found.get(place, ZERO) for place in places] == [below(place) for place in places]
