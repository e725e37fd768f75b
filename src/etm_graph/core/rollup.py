"""Rolling amounts up a hierarchy (docs/domain.md, "Forecasts")."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from etm_graph.core.hierarchy import ancestor_paths

ZERO = Decimal("0.00")


class ForecastCategory(StrEnum):
    """How sure an opportunity is."""

    PIPELINE = "PIPELINE"
    BEST_CASE = "BEST_CASE"
    MOST_LIKELY = "MOST_LIKELY"
    COMMIT = "COMMIT"
    CLOSED = "CLOSED"
    OMITTED = "OMITTED"


class Cumulative(StrEnum):
    """What forecast managers read: each includes what is surer."""

    OPEN_PIPELINE = "OPEN_PIPELINE"
    BEST_CASE = "BEST_CASE"
    MOST_LIKELY = "MOST_LIKELY"
    COMMIT = "COMMIT"
    CLOSED = "CLOSED"


_C = ForecastCategory
PARTS: Mapping[Cumulative, tuple[ForecastCategory, ...]] = MappingProxyType(
    {
        Cumulative.OPEN_PIPELINE: (_C.PIPELINE, _C.BEST_CASE, _C.MOST_LIKELY, _C.COMMIT),
        Cumulative.BEST_CASE: (_C.BEST_CASE, _C.MOST_LIKELY, _C.COMMIT, _C.CLOSED),
        Cumulative.MOST_LIKELY: (_C.MOST_LIKELY, _C.COMMIT, _C.CLOSED),
        Cumulative.COMMIT: (_C.COMMIT, _C.CLOSED),
        Cumulative.CLOSED: (_C.CLOSED,),
    }
)
"""The categories that each cumulative amount adds up."""

Amounts = Mapping[ForecastCategory, Decimal]


def cumulative(amounts: Amounts) -> Mapping[Cumulative, Decimal]:
    """The cumulative amounts of individual ones; OMITTED is in none."""
    return {name: sum((amounts.get(part, ZERO) for part in parts), ZERO) for name, parts in PARTS.items()}


def add(left: Amounts, right: Amounts) -> Amounts:
    """Category by category."""
    return {category: left.get(category, ZERO) + right.get(category, ZERO) for category in {*left, *right}}


def roll_up(own: Mapping[str, Amounts], paths: Iterable[str]) -> Mapping[str, Amounts]:
    """Each territory's amounts with those of all below it, by path: parent = own + children.

    paths: every territory's path, also of those without amounts of their own.
    """
    total: dict[str, Amounts] = {path: own.get(path, {}) for path in paths}
    for path in sorted(total, key=len, reverse=True):
        above = ancestor_paths(path)
        if above and above[-1] in total:
            total[above[-1]] = add(total[above[-1]], total[path])
    return total
