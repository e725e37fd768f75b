"""What changed a forecast between two moments, opportunity by opportunity (docs/domain.md, "Forecasts")."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from etm_graph.core.calendar import Period
from etm_graph.core.rollup import ForecastCategory


class Step(StrEnum):
    """Why an amount came to a forecast or went from it."""

    NEW = "NEW"
    MOVED_IN = "MOVED_IN"
    MOVED_OUT = "MOVED_OUT"
    SLIPPED = "SLIPPED"
    WON = "WON"
    LOST = "LOST"
    AMOUNT_CHANGED = "AMOUNT_CHANGED"
    REALIGNED = "REALIGNED"
    CATEGORY_CHANGED = "CATEGORY_CHANGED"


@dataclass(frozen=True, slots=True)
class Deal:
    """An opportunity at a moment. territory: the one it rolls up to, None for none. cents: in corporate currency."""

    close_date: date
    category: ForecastCategory
    territory: int | None
    cents: int


@dataclass(frozen=True, slots=True)
class Scope:
    """Of what the waterfall is. territories: the subtree."""

    period: Period
    territories: Collection[int]
    categories: Collection[ForecastCategory]

    def counts(self, deal: Deal | None) -> int:
        """The cents of an opportunity that are in scope."""
        if deal is None or not self._inside(deal) or deal.category not in self.categories:
            return 0
        return deal.cents if self.period.start <= deal.close_date <= self.period.end else 0

    def _inside(self, deal: Deal) -> bool:
        return deal.territory in self.territories

    def holds(self, deal: Deal) -> bool:
        """Whether an opportunity is in scope, whatever its amount."""
        dated = self.period.start <= deal.close_date <= self.period.end
        return self._inside(deal) and dated and deal.category in self.categories


def step_of(scope: Scope, before: Deal | None, after: Deal | None) -> Step | None:
    """Why an opportunity's share changed: one reason each, the first that applies; None when it was in neither.

    It came into being or was deleted; it went to or from another territory; its close date went into the period, out
    before it, or slipped behind it; it was won or lost; its category changed otherwise; else its amount did.
    """
    was = before is not None and scope.holds(before)
    is_in = after is not None and scope.holds(after)
    if not was and not is_in:
        return None
    if before is None:
        return Step.NEW
    if after is None:
        return Step.LOST
    if was and is_in:
        return Step.AMOUNT_CHANGED
    return _crossed(scope, before, after, entered=is_in)


def _crossed(scope: Scope, before: Deal, after: Deal, *, entered: bool) -> Step:
    outside, inside = (before, after) if entered else (after, before)
    if (outside.territory in scope.territories) != (inside.territory in scope.territories):
        return Step.REALIGNED
    if not scope.period.start <= outside.close_date <= scope.period.end:
        if entered:
            return Step.MOVED_IN
        return Step.SLIPPED if outside.close_date > scope.period.end else Step.MOVED_OUT
    if after.category is ForecastCategory.CLOSED:
        return Step.WON
    if after.category is ForecastCategory.OMITTED:
        return Step.LOST
    return Step.CATEGORY_CHANGED


@dataclass(frozen=True, slots=True)
class Flow:
    """What one reason moved: cents, positive where they came, and how many opportunities."""

    cents: int = 0
    count: int = 0


def waterfall(scope: Scope, pairs: Iterable[tuple[Deal | None, Deal | None]]) -> Mapping[Step, Flow]:
    """Sum up (before, after) of opportunities; those that did not change may be left out.

    The sum of all flows is exactly what the scope's amount changed by.
    """
    flows: dict[Step, Flow] = {}
    for before, after in pairs:
        step = step_of(scope, before, after)
        moved = scope.counts(after) - scope.counts(before)
        if step is None or (step is Step.AMOUNT_CHANGED and not moved):
            continue
        flow = flows.get(step, Flow())
        flows[step] = Flow(flow.cents + moved, flow.count + 1)
    return flows
