"""All rules of a model on all objects at once (docs/domain.md, "Rules"); the meaning is core/assignment.py's.

A match is one number: the object's row, the territory's place in preorder, and which of the territory's combinations
of rules held. In ascending order the matches of an object follow each other with every subtree in one piece, so that
"the lowest on each branch" is a comparison of each match with the next.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from etm_graph.analytics.arrays import NO_ROWS, Ints, Rows, Truths
from etm_graph.analytics.compiling import compile_all
from etm_graph.analytics.plans import Plan, Recipe
from etm_graph.analytics.segments import Segment
from etm_graph.analytics.selecting import Selection, select_rows, select_rule
from etm_graph.core.assignment import Rule
from etm_graph.core.errors import LimitExceeded

CAUSE_BITS, PLACE_BITS, RULE_BITS = 18, 18, 18
CAUSES_MAX, TERRITORIES_MAX, OBJECTS_MAX = 2**CAUSE_BITS, 2**PLACE_BITS, 2 ** (63 - CAUSE_BITS - PLACE_BITS)

Causes = tuple[tuple[int, ...], ...]
"""The combinations of rules that hold somewhere in a territory, each as rule ids in ascending order."""


@dataclass(frozen=True, slots=True)
class TerritoryMatch:
    """The rows that match a territory, and for each the number of its combination of rules."""

    rows: Rows
    cause: Ints | int
    causes: Causes


@dataclass(frozen=True, slots=True)
class Matches:
    """What matches what in one segment.

    keys: every match, ascending. causes: by the territory's place.
    """

    plan: Plan
    segment: Segment
    keys: Ints
    causes: tuple[Causes, ...]

    def lowest(self) -> Ints:
        """The matches that no territory below takes (docs/domain.md, "Rules" 3)."""
        return self.keys[lowest_on_each_branch(self.keys, self.plan.ends)]


def rows_of(keys: Ints) -> Ints:
    """The rows of matches."""
    return keys >> (PLACE_BITS + CAUSE_BITS)


def places_of(keys: Ints) -> Ints:
    """The territories' places of matches."""
    return pairs_of(keys) & np.int64(TERRITORIES_MAX - 1)


def pairs_of(keys: Ints) -> Ints:
    """Matches without their causes."""
    return keys >> CAUSE_BITS


def lowest_on_each_branch(keys: Ints, ends: Ints) -> Truths:
    """Which of all matches have no match of the same object below them."""
    lowest = np.ones(len(keys), np.bool_)
    if len(keys) > 1:
        pairs = pairs_of(keys)
        last = (pairs & ~np.int64(TERRITORIES_MAX - 1)) | ends[pairs & (TERRITORIES_MAX - 1)]
        lowest[:-1] = pairs[1:] > last[:-1]
    return lowest


class Selector:
    """The selections of rules over one segment, each made once."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self._made: dict[int, Selection] = {}

    def of(self, rule: Rule) -> Selection:
        """A rule's selection."""
        found = self._made.get(rule.id)
        if found is None:
            found = self._made[rule.id] = select_rule(self.segment, rule.criteria, rule.logic)
        return found

    def rows(self, rule: Rule) -> Rows:
        """The rows that satisfy a rule; kept, because other territories, models and moments ask for the same."""
        key = (rule.criteria, rule.logic)
        found = self.segment.rows_kept.get(key)
        if found is None:
            found = select_rows(self.of(rule))
            self.segment.rows_kept.keep(key, found)
        return found

    def narrow(self, rows: Rows, rules: Iterable[Rule]) -> Rows:
        """Those of the rows that satisfy all rules."""
        for rule in rules:
            if not len(rows):
                break
            rows = rows[self.of(rule).check(rows)]
        return rows


def _all_match(selector: Selector, recipe: Recipe) -> TerritoryMatch:
    first, *others = sorted((*recipe.own, *recipe.inherited), key=lambda rule: selector.of(rule).count)
    rows = selector.narrow(selector.rows(first), others)
    return TerritoryMatch(rows, 0, (recipe.rule_ids,))


def _any_match(selector: Selector, recipe: Recipe) -> TerritoryMatch:
    found = [selector.rows(rule).astype(np.int64) << RULE_BITS | number for number, rule in enumerate(recipe.own)]
    hits = np.sort(np.concatenate(found))
    rows, numbers = (hits >> RULE_BITS).astype(np.int32), hits & (2**RULE_BITS - 1)
    firsts = np.flatnonzero(np.append(True, rows[1:] != rows[:-1])) if len(rows) else np.empty(0, np.int64)
    sizes = np.diff(np.append(firsts, len(rows)))
    cause, combinations = _combine(numbers, firsts, sizes, len(recipe.own))
    kept = rows[firsts]
    holds = np.ones(len(kept), np.bool_)
    for rule in recipe.inherited:
        holds[holds] = selector.of(rule).check(kept[holds])
    own, passed = [rule.id for rule in recipe.own], [rule.id for rule in recipe.inherited]
    causes = tuple(tuple(sorted([*passed, *(own[number] for number in held)])) for held in combinations)
    return TerritoryMatch(kept[holds], cause[holds], causes)


def _combine(numbers: Ints, firsts: Ints, sizes: Ints, rules: int) -> tuple[Ints, list[tuple[int, ...]]]:
    """For each row which combination of rules holds, and the combinations: those of one rule, then others that occur."""
    combinations: list[tuple[int, ...]] = [(number,) for number in range(rules)]
    cause = numbers[firsts].copy()
    several = sizes > 1
    if several.any():
        held = np.zeros((int(several.sum()), rules), np.bool_)
        held[np.repeat(np.arange(len(held)), sizes[several]), numbers[np.repeat(several, sizes)]] = True
        distinct, inverse = np.unique(np.packbits(held, axis=1), axis=0, return_inverse=True)
        if len(distinct) + rules > CAUSES_MAX:
            raise LimitExceeded(f"At most {CAUSES_MAX} combinations of rules hold in a territory.")
        cause[several] = rules + inverse.ravel()
        unpacked = np.unpackbits(distinct, axis=1, count=rules)
        combinations += [tuple(np.flatnonzero(row).tolist()) for row in unpacked]
    return cause, combinations


def match_territory(selector: Selector, recipe: Recipe | None) -> TerritoryMatch:
    """The rows that match one territory (docs/domain.md, "Rules" 2)."""
    if recipe is None:
        return TerritoryMatch(NO_ROWS, 0, ((),))
    if recipe.any_own and len(recipe.own) > 1:
        return _any_match(selector, recipe)
    return _all_match(selector, recipe)


def _keys(place: int, match: TerritoryMatch) -> Ints:
    return ((match.rows.astype(np.int64) << PLACE_BITS | place) << CAUSE_BITS) | match.cause


def _check_limits(plan: Plan, segment: Segment) -> None:
    if len(plan.recipes) > TERRITORIES_MAX or segment.height > OBJECTS_MAX:
        raise LimitExceeded(
            f"A model has at most {TERRITORIES_MAX} territories; there are {OBJECTS_MAX} objects at most."
        )


def match_all(plan: Plan, segment: Segment) -> Matches:
    """Everything that matches, from scratch but for the rows of rules that the segment has kept."""
    _check_limits(plan, segment)
    compile_all(segment, (criterion for rule in plan.rules() for criterion in rule.criteria))
    selector = Selector(segment)
    found = [match_territory(selector, recipe) for recipe in plan.recipes]
    parts = [_keys(place, match) for place, match in enumerate(found) if len(match.rows)]
    keys = np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)
    return Matches(plan, segment, keys, tuple(match.causes for match in found))


def match_again(before: Matches, plan: Plan) -> Matches:
    """What matches after an edit of the rules: only territories whose rules changed are computed anew."""
    same_tree = np.array_equal(plan.territory_ids, before.plan.territory_ids) and np.array_equal(
        plan.ends, before.plan.ends
    )
    if not same_tree:
        return match_all(plan, before.segment)
    pairs = zip(plan.recipes, before.plan.recipes, strict=True)
    edited = [place for place, (now, then) in enumerate(pairs) if now is not then and now != then]
    if not edited:
        return Matches(plan, before.segment, before.keys, before.causes)
    if len(edited) > len(plan.recipes) // 4:
        return match_all(plan, before.segment)
    changed = np.zeros(len(plan.recipes), np.bool_)
    changed[edited] = True
    kept = before.keys[~changed[places_of(before.keys)]]
    selector = Selector(before.segment)
    found = {place: match_territory(selector, plan.recipes[place]) for place in edited}
    new = np.sort(np.concatenate([_keys(place, match) for place, match in found.items()]))
    keys = np.insert(kept, np.searchsorted(kept, new), new)
    causes = tuple(found[place].causes if place in found else old for place, old in enumerate(before.causes))
    return Matches(plan, before.segment, keys, causes)
