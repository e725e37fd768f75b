"""All rules of a model on one object, without columns: for the few objects that an edit touches.

A rule is looked at only where its territory is, and a criterion only where those before it leave the answer open.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from etm_graph.analytics.plans import Plan, Recipe
from etm_graph.core.assignment import Rule
from etm_graph.core.criteria import CompiledCriterion, holds, typed_value
from etm_graph.core.filter_logic import And, Logic, Not, Or, Ref


@dataclass(eq=False)
class Judged:
    """An object, by the fields of rules, and what was found out about it. values: as the database has them."""

    values: Mapping[str, object]
    _typed: dict[str, object] = field(default_factory=dict)
    _rules: dict[int, bool] = field(default_factory=dict)

    def _criterion(self, criterion: CompiledCriterion) -> bool:
        name = criterion.field
        if name not in self._typed:
            self._typed[name] = typed_value(criterion.data_type, self.values.get(name))
        return holds(criterion, self._typed[name])

    def _logic(self, logic: Logic, criteria: Mapping[int, CompiledCriterion]) -> bool:
        match logic:
            case Ref(number):
                return self._criterion(criteria[number])
            case Not(term):
                return not self._logic(term, criteria)
            case And(terms):
                return all(self._logic(term, criteria) for term in terms)
            case Or(terms):
                return any(self._logic(term, criteria) for term in terms)

    def satisfies(self, rule: Rule) -> bool:
        """Whether it satisfies a rule."""
        found = self._rules.get(rule.id)
        if found is None:
            numbered = {criterion.number: criterion for criterion in rule.criteria}
            found = self._rules[rule.id] = self._logic(rule.logic, numbered)
        return found

    def matches(self, recipe: Recipe) -> bool:
        """Whether a territory's rules hold for it (docs/domain.md, "Rules" 2)."""
        if recipe.own:
            combined = any if recipe.any_own else all
            if not combined(self.satisfies(rule) for rule in recipe.own):
                return False
        return all(self.satisfies(rule) for rule in recipe.inherited)

    def causes(self, recipe: Recipe) -> tuple[int, ...]:
        """The rules of a matching territory that hold."""
        return tuple(sorted(rule.id for rule in (*recipe.own, *recipe.inherited) if self.satisfies(rule)))


def match_one(plan: Plan, values: Mapping[str, object]) -> dict[int, tuple[int, ...]]:
    """The places of the territories that rules give an object to, and the rules behind each.

    values: by field: text, number, date, bool, list, or a pair of latitude and longitude.
    """
    judged = Judged(values)
    matching = [place for place, recipe in enumerate(plan.recipes) if recipe is not None and judged.matches(recipe)]
    ends = plan.ends
    lowest = [
        place
        for number, place in enumerate(matching)
        if number + 1 == len(matching) or matching[number + 1] > ends[place]
    ]
    return {place: judged.causes(recipe) for place in lowest if (recipe := plan.recipes[place]) is not None}
