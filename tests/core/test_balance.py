"""Balance: every measure against its definition, and moves that do what they say."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etm_graph.core.balance import Unit, evenness, index, suggest

NAMES = ("accounts", "revenue")
fractions = st.integers(0, 1000).map(Fraction)
load = st.fixed_dictionaries(dict.fromkeys(NAMES, fractions))
loads = st.lists(load, min_size=1, max_size=8)
weights = st.fixed_dictionaries(dict.fromkeys(NAMES, st.integers(0, 3).map(Fraction)))


@given(loads, weights)
def test_the_mean_index_is_one_unless_nothing_weighs(
    given_loads: list[dict[str, Fraction]], by: dict[str, Fraction]
) -> None:
    found = index(given_loads, by)
    weighs = any(weight and any(item[name] for item in given_loads) for name, weight in by.items())
    assert sum(found) == (len(found) if weighs else 0)


def test_an_index_is_each_share_of_the_average_by_its_weight() -> None:
    given_loads = [{"accounts": Fraction(1), "revenue": Fraction(0)}, {"accounts": Fraction(3), "revenue": Fraction(8)}]
    found = index(given_loads, {"accounts": Fraction(2), "revenue": Fraction(1)})
    assert found == [Fraction(1, 3), Fraction(5, 3)]


@given(st.lists(fractions, min_size=1, max_size=12))
def test_every_measure_is_what_its_definition_says(values: list[Fraction]) -> None:
    found = evenness(values)
    count, mean = len(values), sum(values, Fraction(0)) / len(values)
    if not mean:
        assert (found.max_deviation, found.gini, found.variation) == (0, 0, 0)
        return
    off = [abs(value - mean) / mean for value in values]
    assert found.max_deviation == max(off)
    assert found.gini == sum(abs(a - b) for a in values for b in values) / (2 * count * count * mean)
    assert found.variation == pytest.approx(float(sum((v - mean) ** 2 for v in values) / count) ** 0.5 / float(mean))
    assert found.max_min == (max(values) / min(values) if min(values) else None)
    for band, share in found.within.items():
        assert share == Fraction(100 * len([o for o in off if o * 100 <= band]), count)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[dict[str, Fraction]], list[Unit]]:
    size = draw(st.integers(2, 4))
    units = [Unit(number, draw(st.integers(0, size - 1)), draw(load)) for number in range(draw(st.integers(0, 10)))]
    total = [
        {name: sum((unit.load[name] for unit in units if unit.place == place), Fraction(0)) for name in NAMES}
        for place in range(size)
    ]
    return total, units


@given(cases(), weights)
def test_every_suggested_move_makes_it_more_even_and_tells_its_effect(
    case: tuple[list[dict[str, Fraction]], list[Unit]], by: dict[str, Fraction]
) -> None:
    total, units = case
    targets = {place: [other for other in range(len(total)) if other != place] for place in range(len(total))}
    standing = [dict(item) for item in total]
    squares = sum((value - 1) ** 2 for value in index(standing, by))
    where = {unit.id: unit.place for unit in units}
    for move in suggest(total, units, by, targets, 5):
        assert where.pop(move.unit.id) == move.unit.place
        for name in NAMES:
            standing[move.unit.place][name] -= move.unit.load[name]
            standing[move.target][name] += move.unit.load[name]
        found = index(standing, by)
        assert sum((value - 1) ** 2 for value in found) < squares
        squares = sum((value - 1) ** 2 for value in found)
        assert move.deviation == max(abs(value - 1) for value in found)


def test_nothing_is_suggested_where_nothing_helps() -> None:
    even = [{"accounts": Fraction(1), "revenue": Fraction(1)}] * 2
    units = [Unit(0, 0, even[0]), Unit(1, 1, even[1])]
    assert suggest(even, units, {"accounts": Fraction(1), "revenue": Fraction(1)}, {0: [1], 1: [0]}, 5) == []
