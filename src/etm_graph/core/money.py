"""Money: whole cents, conversion half-even to the cent, and spreading that loses none."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal, localcontext

from etm_graph.core.errors import Invalid

CENT = Decimal("0.01")
DIGITS = 60
"""Enough for the product of any amount and any rate."""
EXACT = Context(prec=DIGITS, rounding=ROUND_HALF_EVEN)
"""The default context keeps 28 digits and would round an amount's scale away."""


def from_cents(cents: int) -> Decimal:
    """The amount of whole cents."""
    return EXACT.scaleb(Decimal(cents), -2)


def to_cents(amount: Decimal) -> int:
    """The whole cents of an amount that has no more than two places."""
    return int(EXACT.to_integral_exact(EXACT.scaleb(amount, 2)))


def convert(amount: Decimal, rate: Decimal) -> Decimal:
    """The amount in corporate currency: multiplied, then half-even to the cent."""
    with localcontext() as exact:
        exact.prec = DIGITS
        return (amount * rate).quantize(CENT, ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class DatedRates:
    """What one unit of each currency is worth; the last rate dated on or before a day holds, the first before all."""

    corporate: str
    dated: Mapping[str, Sequence[tuple[date, Decimal]]]

    @classmethod
    def of(cls, corporate: str, rows: Iterable[tuple[str, date, Decimal]]) -> "DatedRates":
        """Rates of rows in any order: currency, first day, rate."""
        dated: dict[str, list[tuple[date, Decimal]]] = {}
        for currency, day, rate in sorted(rows):
            dated.setdefault(currency, []).append((day, rate))
        return cls(corporate, dated)

    def rate(self, currency: str, day: date) -> Decimal:
        """The rate of a day. Raises `Invalid` for a currency without any."""
        found = self.dated.get(currency)
        if found:
            return found[max(0, bisect_right(found, day, key=lambda pair: pair[0]) - 1)][1]
        if currency == self.corporate:
            return Decimal(1)
        raise Invalid(f"There is no exchange rate for {currency!r}.", field=["currency"])


def spread(total: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """An amount to the cent in shares as the weights are; they add up to exactly the amount.

    What rounding down leaves over goes, a cent each, to the largest remainders, the first ones among equals.
    Raises `Invalid` when there is nobody to give to.
    """
    if not weights or any(weight < 0 for weight in weights) or not any(weights):
        raise Invalid("An amount can only be spread by weights that are not negative and not all zero.")
    with localcontext() as exact:
        exact.prec = DIGITS
        whole = sum(weights, Decimal(0))
        exact_shares = [total * weight / whole for weight in weights]
        shares = [share.quantize(CENT, ROUND_DOWN) for share in exact_shares]
        left = int((total - sum(shares, Decimal(0))).scaleb(2))
        order = sorted(range(len(weights)), key=lambda place: -abs(exact_shares[place] - shares[place]))
        step = CENT if left > 0 else -CENT
        for place in order[: abs(left)]:
            shares[place] += step
    return shares
