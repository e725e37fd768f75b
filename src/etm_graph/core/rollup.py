"""Rolling amounts up a hierarchy (docs/domain.md, "Forecasts")."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
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


class Measure(StrEnum):
    """An amount that a forecast shows: a category by itself, or a cumulative one."""

    PIPELINE = "PIPELINE"
    BEST_CASE = "BEST_CASE"
    MOST_LIKELY = "MOST_LIKELY"
    COMMIT = "COMMIT"
    CLOSED = "CLOSED"
    OMITTED = "OMITTED"
    OPEN_PIPELINE = "OPEN_PIPELINE"
    BEST_CASE_FORECAST = "BEST_CASE_FORECAST"
    MOST_LIKELY_FORECAST = "MOST_LIKELY_FORECAST"
    COMMIT_FORECAST = "COMMIT_FORECAST"


MEASURED: Mapping[Measure, tuple[ForecastCategory, ...]] = MappingProxyType(
    {
        **{Measure(category.value): (category,) for category in ForecastCategory},
        Measure.OPEN_PIPELINE: PARTS[Cumulative.OPEN_PIPELINE],
        Measure.BEST_CASE_FORECAST: PARTS[Cumulative.BEST_CASE],
        Measure.MOST_LIKELY_FORECAST: PARTS[Cumulative.MOST_LIKELY],
        Measure.COMMIT_FORECAST: PARTS[Cumulative.COMMIT],
    }
)
"""The categories that each measure adds up."""

ADJUSTABLE = frozenset(
    {
        Measure.BEST_CASE,
        Measure.MOST_LIKELY,
        Measure.COMMIT,
        Measure.BEST_CASE_FORECAST,
        Measure.MOST_LIKELY_FORECAST,
        Measure.COMMIT_FORECAST,
    }
)
"""What can be adjusted; pipeline and closed are facts."""


@dataclass(frozen=True, slots=True)
class Adjusted:
    """By how much adjustments move the totals of territories, by place in the tree; absent means not at all.

    without_manager: owner adjustments only. with_all: those of managers, too.
    """

    without_manager: Mapping[int, int]
    with_all: Mapping[int, int]


def adjust(
    parents: Sequence[int | None], total: Callable[[int], int], owner: Mapping[int, int], manager: Mapping[int, int]
) -> Adjusted:
    """Carry adjustments of one measure and period up the tree, in cents.

    parents: each territory's parent by place, parents first. total: a territory's unadjusted total. owner: by how much
    owners move what is their own there. manager: what a manager says that a territory's total is, in place of all that
    is below.
    """
    without: dict[int, int] = {}
    whole: dict[int, int] = {}
    touched = set(owner) | set(manager)
    for place in range(len(parents) - 1, -1, -1):
        if place not in touched:
            continue
        without[place] = without.get(place, 0) + owner.get(place, 0)
        whole[place] = whole.get(place, 0) + owner.get(place, 0)
        if place in manager:
            whole[place] = manager[place] - total(place)
        above = parents[place]
        if above is not None:
            touched.add(above)
            without[above] = without.get(above, 0) + without[place]
            whole[above] = whole.get(above, 0) + whole[place]
    return Adjusted(without, whole)


def bottom_up(
    parents: Sequence[int | None], territory: Mapping[int, Decimal], people: Mapping[int, Decimal]
) -> Mapping[int, Decimal]:
    """What quotas below a territory add up to: those of its people and, for each child, its own or else its own sum.

    parents: each territory's parent by place, parents first. territory: quotas of territories. people: the sum of the
    quotas of people in each territory.
    """
    sums = dict(people)
    for place in range(len(parents) - 1, -1, -1):
        above = parents[place]
        counts = territory.get(place, sums.get(place))
        if above is not None and counts is not None:
            sums[above] = sums.get(above, ZERO) + counts
    return sums
