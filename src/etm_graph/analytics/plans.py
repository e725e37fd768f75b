"""A model's rules laid out for the engine: territories in preorder, each with the rules at work in it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from etm_graph.analytics.arrays import Ints
from etm_graph.core.assignment import EffectiveRules, Rule, RuleSet, effective_rules


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides whether a territory matches: its own rules, and inherited ones, which must all match."""

    own: tuple[Rule, ...]
    inherited: tuple[Rule, ...]
    any_own: bool

    @property
    def rule_ids(self) -> tuple[int, ...]:
        """The ids of all its rules, ascending."""
        return tuple(sorted(rule.id for rule in (*self.own, *self.inherited)))


@dataclass(frozen=True, slots=True)
class Plan:
    """A model's territories in preorder.

    territory_ids: by place. ends: the last place of each subtree. recipes: None where a territory cannot match.
    """

    territory_ids: Ints
    ends: Ints
    recipes: tuple[Recipe | None, ...]

    def rules(self) -> Iterator[Rule]:
        """Every rule at work, once."""
        seen: dict[int, Rule] = {}
        for recipe in self.recipes:
            for rule in () if recipe is None else (*recipe.own, *recipe.inherited):
                seen.setdefault(rule.id, rule)
        return iter(seen.values())


def _recipe(rules: Mapping[int, Rule], effective: EffectiveRules) -> Recipe | None:
    if not effective.can_match:
        return None
    own, inherited = (tuple(rules[rule_id] for rule_id in ids) for ids in (effective.own, effective.inherited))
    return Recipe(own, inherited, effective.any_own)


def make_plan(rule_set: RuleSet, object_type: str = "ACCOUNT") -> Plan:
    """The plan of a model for one type of objects."""
    nodes = sorted(rule_set.nodes, key=lambda node: node.path)
    effective = effective_rules(rule_set, object_type)
    rules = {rule.id: rule for rule in rule_set.rules}
    ends = list(range(len(nodes)))
    open_nodes: list[int] = []
    for place, node in enumerate(nodes):
        while open_nodes and not node.path.startswith(nodes[open_nodes[-1]].path):
            ends[open_nodes.pop()] = place - 1
        open_nodes.append(place)
    for place in open_nodes:
        ends[place] = len(nodes) - 1
    return Plan(
        np.array([node.id for node in nodes], np.int64),
        np.array(ends, np.int64),
        tuple(_recipe(rules, effective[node.id]) for node in nodes),
    )
