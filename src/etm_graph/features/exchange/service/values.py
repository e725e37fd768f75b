"""From a cell's text to a value: numbers, money, dates, yes or no. Every function raises `ValueError` with the reason."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from enum import StrEnum
from math import isfinite

from etm_graph.core.rollup import ForecastCategory

CENT = Decimal("0.01")
MONEY_MAX = Decimal(10) ** 18
INTEGER_MAX = 2**31 - 1
DOLLARS = frozenset({"USD", "CAD", "AUD", "NZD", "SGD", "HKD", "TWD", "MXN", "CLP", "COP", "ARS"})
"""Currencies that are written with $."""

SYMBOLS = {"R$": "BRL", "€": "EUR", "£": "GBP", "₹": "INR", "₩": "KRW", "₪": "ILS", "₺": "TRY", "฿": "THB", "₫": "VND"}
"""Signs that stand for exactly one currency."""

_MONEY = re.compile(
    r"(?P<open>\()?\s*(?P<minus>[-−])?\s*(?P<before>[A-Z]{3}|R\$|[^\s\w\d.,()−-])?\s*(?P<sign>[-−])?"
    r"\s*(?P<digits>\d[\d.,'’\s]*)\s*(?P<after>[A-Z]{3}|[^\s\w\d.,()−-])?\s*(?P<close>\))?"
)
_SCIENTIFIC = re.compile(r"-?\d+(\.\d+)?[eE][+-]?\d{1,2}")
_SPACED = re.compile(r"[-−]?\d{1,3}([\s'’]\d{3})+([.,]\d*)?")
_SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_SALESFORCE_ID = re.compile(r"[A-Za-z0-9]{15}")
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


class DateOrder(StrEnum):
    """How dates with slashes are meant."""

    MDY = "MDY"
    DMY = "DMY"


@dataclass(frozen=True, slots=True)
class Habits:
    """How a file writes things. dates, decimal: None when only what is unambiguous is to be believed."""

    dates: DateOrder | None = None
    decimal: str | None = None


@dataclass(frozen=True, slots=True)
class Money:
    """An amount to the cent. currency: what its own sign or code says, None when it has none; "$" for a dollar sign."""

    amount: Decimal
    currency: str | None = None


def parse_number(text: str, habits: Habits) -> Decimal:
    """A number with or without thousands separators (comma, dot, apostrophe, space), or as Data Loader has it: 5.0E7."""
    if _SCIENTIFIC.fullmatch(text):
        return Decimal(text)
    digits = re.sub(r"[\s'’]", "", text).replace("−", "-")
    if digits != text.replace("−", "-") and not _SPACED.fullmatch(text):
        raise ValueError(f"{text!r} is no number")
    mark = habits.decimal or _decimal_mark(digits.lstrip("-"))
    other = "," if mark == "." else "."
    whole, _, fraction = digits.partition(mark)
    if not re.fullmatch(rf"-?(\d+|\d{{1,3}}([{other}]\d{{3}})+)", whole) or not re.fullmatch(r"\d*", fraction):
        raise ValueError(f"{text!r} is no number")
    try:
        return Decimal(f"{whole.replace(other, '')}.{fraction or 0}")
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is no number") from error


def _decimal_mark(digits: str) -> str:
    """Which of comma and dot is the decimal mark; raises `ValueError` when it could be either."""
    last = max(digits.rfind(","), digits.rfind("."))
    if last < 0:
        return "."
    mark = digits[last]
    other = "," if mark == "." else "."
    if other in digits:
        return mark
    if digits.count(mark) > 1:
        return other
    if len(digits) - last - 1 != 3 or last > 3 or digits.startswith("0"):  # noqa: PLR2004 - a group of thousands
        return mark
    if mark == ",":
        return "."
    raise ValueError(f"{digits!r} may mean thousands or a fraction; say which decimal mark the file uses")


def parse_money(text: str, habits: Habits) -> Money:
    """An amount such as 1,234.50, $1,234, EUR 1.234,50, 1 234 €, (500.00): rounded half-even to the cent."""
    if _SCIENTIFIC.fullmatch(text):
        return Money(_cents(text, Decimal(text)))
    found = _MONEY.fullmatch(text)
    if found is None or bool(found["open"]) != bool(found["close"]):
        raise ValueError(f"{text!r} is no amount")
    amount = parse_number(found["digits"].strip(), habits)
    negative = [sign for sign in ("open", "minus", "sign") if found[sign]]
    if len(negative) > 1:
        raise ValueError(f"{text!r} is no amount")
    if negative:
        amount = -amount
    signs = {_currency(sign) for sign in (found["before"], found["after"]) if sign}
    if len(signs) > 1:
        raise ValueError(f"{text!r} names two currencies")
    return Money(_cents(text, amount), next(iter(signs), None))


def _cents(text: str, amount: Decimal) -> Decimal:
    if abs(amount) >= MONEY_MAX:
        raise ValueError(f"{text!r} is not below 10^18")
    return amount.quantize(CENT, ROUND_HALF_EVEN)


def _currency(sign: str) -> str:
    if sign == "$" or (sign.isascii() and sign.isalpha()):
        return sign
    if sign not in SYMBOLS:
        raise ValueError(f"{sign!r} does not say which currency is meant")
    return SYMBOLS[sign]


def settle_currency(money: Money | None, named: str | None, usual: str) -> str:
    """The currency of a row. named: what its currency column says. usual: the organisation's."""
    own = None if money is None else money.currency
    if own is None:
        return named or usual
    if own == "$":
        settled = named or usual
        if settled not in DOLLARS:
            raise ValueError(f"the amount is in dollars, the row in {settled}")
        return settled
    if named is not None and named != own:
        raise ValueError(f"the amount is in {own}, the row in {named}")
    return own


def parse_integer(text: str, habits: Habits) -> int:
    """A whole number from 0 to 2^31 - 1."""
    number = parse_number(text, habits)
    if number != number.to_integral_value() or not 0 <= number <= INTEGER_MAX:
        raise ValueError(f"{text!r} is no whole number from 0 to {INTEGER_MAX}")
    return int(number)


def parse_percent(text: str, habits: Habits) -> int:
    """Whole percent from 0 to 100, with or without the sign."""
    percent = parse_integer(text.removesuffix("%").rstrip(), habits)
    if percent > 100:  # noqa: PLR2004 - percent
        raise ValueError(f"{text!r} is above 100 percent")
    return percent


def parse_degrees(limit: int) -> Callable[[str, Habits], float]:
    """A parser of degrees from -limit to limit."""

    def parse(text: str, habits: Habits) -> float:  # noqa: ARG001 - coordinates have no thousands
        try:
            degrees = float(text.replace(",", "."))
        except ValueError as error:
            raise ValueError(f"{text!r} is no number of degrees") from error
        if not (isfinite(degrees) and -limit <= degrees <= limit):
            raise ValueError(f"{text!r} is not between -{limit} and {limit} degrees")
        return degrees

    return parse


def parse_date(text: str, habits: Habits) -> date:
    """A date: ISO 8601 (a time after it is dropped), 30.9.2026, or with slashes when it has only one meaning."""
    try:
        if found := _DOTTED.fullmatch(text):
            return date(int(found[3]), int(found[2]), int(found[1]))
        if found := _SLASHED.fullmatch(text.split(" ", maxsplit=1)[0]):
            return _slashed(text, int(found[1]), int(found[2]), int(found[3]), habits.dates)
        return datetime.fromisoformat(text).date()
    except ValueError as error:
        reason = str(error) if "may mean" in str(error) else f"{text!r} is no date"
        raise ValueError(reason) from error


def _slashed(text: str, first: int, second: int, year: int, order: DateOrder | None) -> date:
    if order is None:
        if first <= 12 and second <= 12 and first != second:  # noqa: PLR2004 - months
            raise ValueError(f"{text!r} may mean two dates; say MDY or DMY in the mapping file")
        order = DateOrder.DMY if first > 12 else DateOrder.MDY  # noqa: PLR2004 - months
    month, day = (first, second) if order is DateOrder.MDY else (second, first)
    return date(year, month, day)


def parse_boolean(text: str, habits: Habits) -> bool:  # noqa: ARG001 - every parser takes the habits
    """True, yes, 1 or checked; false, no, 0 or unchecked; in any case."""
    lowered = text.lower()
    if lowered in {"true", "yes", "1", "checked"}:
        return True
    if lowered in {"false", "no", "0", "unchecked"}:
        return False
    raise ValueError(f"{text!r} is neither true nor false")


def parse_text(text: str, habits: Habits) -> str:  # noqa: ARG001 - every parser takes the habits
    """The text itself."""
    return text


def parse_currency(text: str, habits: Habits) -> str:  # noqa: ARG001 - every parser takes the habits
    """An ISO 4217 code; Salesforce appends a name: "EUR - Euro"."""
    code = text.split(" - ", maxsplit=1)[0].strip().upper()
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise ValueError(f"{text!r} is no currency: three letters, ISO 4217")
    return code


def parse_category(text: str, habits: Habits) -> str:  # noqa: ARG001 - every parser takes the habits
    """A forecast category by its label or its name in Salesforce's API, where Commit is called Forecast."""
    letters = re.sub(r"[^A-Z]", "", text.upper())
    known = {category.value.replace("_", ""): category.value for category in ForecastCategory}
    known["FORECAST"] = ForecastCategory.COMMIT.value
    if letters not in known:
        raise ValueError(f"{text!r} is no forecast category")
    return known[letters]


def parse_id(text: str, habits: Habits) -> str:  # noqa: ARG001 - every parser takes the habits
    """An id; a Salesforce id of 15 characters becomes its form of 18, so that reports and exports agree."""
    if not (_SALESFORCE_ID.fullmatch(text) and text.startswith("00")):
        return text
    chunks = (text[start : start + 5] for start in (0, 5, 10))
    return text + "".join(
        _CHECK[sum(1 << place for place, letter in enumerate(chunk) if "A" <= letter <= "Z")] for chunk in chunks
    )
