"""Money: exact to the cent."""

from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from etm_graph.core.errors import Invalid
from etm_graph.core.money import DatedRates, convert, from_cents, spread, to_cents

cents = st.integers(-(10**20), 10**20)
rates = st.decimals("0.0000000001", 9_999_999_999, places=10)


@given(cents, rates)
@example(19538120653134247152, Decimal("976906032.6566146213"))
def test_a_conversion_is_the_exact_product_half_even_to_the_cent(amount: int, rate: Decimal) -> None:
    exact = Fraction(amount, 100) * Fraction(rate) * 100
    floor = exact.numerator // exact.denominator
    over = exact - floor
    up = over > Fraction(1, 2) or (over == Fraction(1, 2) and floor % 2 == 1)
    assert to_cents(convert(from_cents(amount), rate)) == floor + up


@given(cents)
def test_cents_and_amounts_are_the_same(amount: int) -> None:
    assert to_cents(from_cents(amount)) == amount


@given(cents, st.lists(st.decimals(0, 10**9, places=4), min_size=1, max_size=30).filter(any))
def test_what_is_spread_adds_up_and_no_share_is_a_cent_off(total: int, weights: list[Decimal]) -> None:
    shares = spread(from_cents(total), weights)
    with localcontext() as exact:
        exact.prec = 60
        assert sum(shares) == from_cents(total)
    whole = sum(Fraction(weight) for weight in weights)
    for share, weight in zip(shares, weights, strict=True):
        assert abs(Fraction(share) - Fraction(total, 100) * Fraction(weight) / whole) < Fraction(1, 100)


def test_a_cent_that_is_left_goes_to_the_largest_remainder_and_the_first_among_equals() -> None:
    assert spread(Decimal("1.00"), [Decimal(1)] * 3) == [Decimal("0.34"), Decimal("0.33"), Decimal("0.33")]
    assert spread(Decimal("0.05"), [Decimal(1), Decimal(3)]) == [Decimal("0.01"), Decimal("0.04")]


@pytest.mark.parametrize("weights", [[], [Decimal(0)], [Decimal(-1), Decimal(2)]])
def test_there_must_be_somebody_to_give_to(weights: list[Decimal]) -> None:
    with pytest.raises(Invalid):
        spread(Decimal(1), weights)


def test_the_rate_of_a_day_is_the_last_dated_on_or_before_it_and_the_first_before_all() -> None:
    rows = [("EUR", date(2026, 7, 1), Decimal("1.2")), ("EUR", date(2026, 2, 1), Decimal("1.1"))]
    dated = DatedRates.of("USD", rows)
    days = [date(2026, 1, 1), date(2026, 2, 1), date(2026, 6, 30), date(2026, 7, 1), date(2027, 1, 1)]
    assert [dated.rate("EUR", day) for day in days] == [Decimal(text) for text in ("1.1", "1.1", "1.1", "1.2", "1.2")]
    assert dated.rate("USD", days[0]) == 1
    assert (
        convert(Decimal("0.25"), Decimal("0.5")).as_tuple()
        == Decimal("0.12").quantize(Decimal("0.01"), ROUND_HALF_EVEN).as_tuple()
    )


def test_a_currency_without_a_rate_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        DatedRates.of("USD", []).rate("XAU", date(2026, 1, 1))
    assert caught.value.field == ("currency",)
