"""From the text of a cell to a value."""

from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etm_graph.features.exchange.service import values
from etm_graph.features.exchange.service.values import DateOrder, Habits, Money

PLAIN = Habits()
COMMA = Habits(decimal=",")


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("1234", "1234.00", None),
        ("1,234.50", "1234.50", None),
        ("1.234,50", "1234.50", None),
        ("1,234", "1234.00", None),
        ("1.234.567", "1234567.00", None),
        ("1234.500", "1234.50", None),
        ("12,5", "12.50", None),
        ("0.125", "0.12", None),
        ("5.0E7", "50000000.00", None),
        ("-5", "-5.00", None),
        ("(500.00)", "-500.00", None),
        ("-$1,000.00", "-1000.00", "$"),
        ("$-1,000.00", "-1000.00", "$"),
        ("EUR 1.234,50", "1234.50", "EUR"),
        ("1 234 €", "1234.00", "EUR"),
        ("CHF 1'000.05", "1000.05", "CHF"),
        ("R$ 5", "5.00", "BRL"),
    ],
)
def test_money_is_read_however_it_is_written(text: str, amount: str, currency: str | None) -> None:
    assert values.parse_money(text, PLAIN) == Money(Decimal(amount), currency)


@pytest.mark.parametrize(
    "text", ["abc", "1,2,3", "1,234.567,8", "(5", "USD 5 EUR", "¥5", "1.234", "1e99", "--5", "12 34"]
)
def test_money_that_is_none_or_ambiguous_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        values.parse_money(text, PLAIN)


def test_a_named_decimal_mark_settles_what_is_ambiguous() -> None:
    assert values.parse_number("1.234", COMMA) == 1234
    assert values.parse_number("1,234", COMMA) == Decimal("1.234")
    assert values.parse_number("1.234", Habits(decimal=".")) == Decimal("1.234")


@given(st.decimals(-(10**15), 10**15, places=3), st.sampled_from([",.", ".,"]))
def test_grouped_money_is_read_back_to_the_cent(amount: Decimal, marks: str) -> None:
    written = f"{amount:,.3f}".translate(str.maketrans(",.", marks))
    read = values.parse_money(written, Habits(decimal=marks[1]))
    assert read.amount == amount.quantize(Decimal("0.01"), ROUND_HALF_EVEN)


@pytest.mark.parametrize(
    ("money", "named", "settled"),
    [
        (None, None, "USD"),
        (None, "EUR", "EUR"),
        (Money(Decimal(1)), "EUR", "EUR"),
        (Money(Decimal(1), "EUR"), None, "EUR"),
        (Money(Decimal(1), "$"), "CAD", "CAD"),
        (Money(Decimal(1), "$"), None, "USD"),
    ],
)
def test_the_currency_is_the_rows_then_the_amounts_then_the_usual(
    money: Money | None, named: str | None, settled: str
) -> None:
    assert values.settle_currency(money, named, "USD") == settled


@pytest.mark.parametrize(("own", "named"), [("EUR", "USD"), ("$", "EUR")])
def test_currencies_that_contradict_each_other_are_refused(own: str, named: str) -> None:
    with pytest.raises(ValueError, match="the amount is in"):
        values.settle_currency(Money(Decimal(1), own), named, "USD")


@pytest.mark.parametrize(
    "text",
    ["2026-09-30", "2026-09-30T10:00:00.000Z", "2026-09-30T10:00:00.000+0000", "9/30/2026", "30/9/2026", "30.9.2026"],
)
def test_dates_with_one_meaning_are_read(text: str) -> None:
    assert values.parse_date(text, PLAIN) == date(2026, 9, 30)


def test_a_date_with_two_meanings_needs_the_files_habit() -> None:
    with pytest.raises(ValueError, match="may mean two dates"):
        values.parse_date("1/2/2026", PLAIN)
    assert values.parse_date("1/2/2026", Habits(DateOrder.MDY)) == date(2026, 1, 2)
    assert values.parse_date("1/2/2026", Habits(DateOrder.DMY)) == date(2026, 2, 1)
    assert values.parse_date("2/2/2026", PLAIN) == date(2026, 2, 2)


@pytest.mark.parametrize("text", ["2026-02-30", "13/13/2026", "soon", "31.4.2026"])
def test_dates_that_do_not_exist_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no date"):
        values.parse_date(text, PLAIN)


def test_whole_numbers_and_percent_have_bounds() -> None:
    assert values.parse_integer("1,200", PLAIN) == 1200
    assert values.parse_percent("50 %", PLAIN) == 50
    for parse, text in (
        (values.parse_integer, "-1"),
        (values.parse_integer, "1.5"),
        (values.parse_integer, "2147483648"),
        (values.parse_percent, "101"),
    ):
        with pytest.raises(ValueError, match=r".+"):
            parse(text, PLAIN)


@pytest.mark.parametrize("text", ["90.5", "nan", "inf", "x"])
def test_degrees_outside_the_earth_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="degrees"):
        values.parse_degrees(90)(text, PLAIN)


@pytest.mark.parametrize(
    ("text", "category"),
    [("Best Case", "BEST_CASE"), ("MostLikely", "MOST_LIKELY"), ("Forecast", "COMMIT"), ("omitted", "OMITTED")],
)
def test_forecast_categories_are_known_by_label_and_by_api_name(text: str, category: str) -> None:
    assert values.parse_category(text, PLAIN) == category


def test_a_salesforce_id_of_15_characters_gets_its_check_characters() -> None:
    assert values.parse_id("001A0000006Vm9r", PLAIN) == "001A0000006Vm9rIAC"
    assert values.parse_id("001A0000006Vm9rIAC", PLAIN) == "001A0000006Vm9rIAC"
    assert values.parse_id("ACC-0000001", PLAIN) == "ACC-0000001"


def test_a_currency_may_carry_its_name() -> None:
    assert values.parse_currency("EUR - Euro", PLAIN) == "EUR"
    with pytest.raises(ValueError, match="is no currency"):
        values.parse_currency("Euro", PLAIN)
