"""The rows that satisfy a rule: found through its most selective part, the rest is checked on those only."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from etm_graph.analytics.arrays import Rows, Truths, union
from etm_graph.analytics.compiling import term_of
from etm_graph.analytics.segments import Segment
from etm_graph.analytics.terms import Term
from etm_graph.core.criteria import CompiledCriterion
from etm_graph.core.filter_logic import And, Logic, Not, Or, Ref


@dataclass(frozen=True, slots=True)
class One:
    """One term."""

    term: Term

    @property
    def count(self) -> int:
        """How many rows there are."""
        return self.term.count

    def rows(self) -> Rows:
        """The rows, in no particular order."""
        return self.term.rows()

    def check(self, rows: Rows) -> Truths:
        """Which of these rows are among them."""
        return self.term.check(rows)


@dataclass(frozen=True, slots=True)
class Every:
    """What is in all parts, the smallest first."""

    parts: tuple["Selection", ...]

    @property
    def count(self) -> int:
        """At most how many rows there are."""
        return self.parts[0].count

    def rows(self) -> Rows:
        """The rows, in no particular order."""
        rows = self.parts[0].rows()
        for part in self.parts[1:]:
            rows = rows[part.check(rows)]
        return rows

    def check(self, rows: Rows) -> Truths:
        """Which of these rows are among them."""
        truths = self.parts[0].check(rows)
        for part in self.parts[1:]:
            truths &= part.check(rows)
        return truths


@dataclass(frozen=True, slots=True)
class Some:
    """What is in any part."""

    parts: tuple["Selection", ...]

    @property
    def count(self) -> int:
        """At most how many rows there are."""
        return sum(part.count for part in self.parts)

    def rows(self) -> Rows:
        """The rows, in no particular order."""
        return union([part.rows() for part in self.parts])

    def check(self, rows: Rows) -> Truths:
        """Which of these rows are among them."""
        truths = self.parts[0].check(rows)
        for part in self.parts[1:]:
            truths |= part.check(rows)
        return truths


Selection = One | Every | Some


def select_rule(segment: Segment, criteria: tuple[CompiledCriterion, ...], logic: Logic) -> Selection:
    """A rule over a segment."""
    terms = {criterion.number: term_of(segment, criterion) for criterion in criteria}
    return _select(logic, terms.__getitem__, negated=False)


def _select(logic: Logic, term: Callable[[int], Term], *, negated: bool) -> Selection:
    """NOT is pushed down to the terms, so that every part can be counted."""
    match logic:
        case Ref(number):
            return One(term(number).opposite() if negated else term(number))
        case Not(inner):
            return _select(inner, term, negated=not negated)
        case And(inner_terms) | Or(inner_terms):
            parts = [_select(part, term, negated=negated) for part in inner_terms]
            if isinstance(logic, And) != negated:
                return Every(tuple(sorted(parts, key=lambda part: part.count)))
            return Some(tuple(parts))


def select_rows(selection: Selection) -> Rows:
    """The rows, ascending."""
    return np.sort(selection.rows())
