"""Which objects rules give to which territories: the meaning, as a slow and obvious reference, and its explanation.

docs/domain.md, "Rules". The columnar engine (analytics/matching.py) computes the same set-wise.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from etm_graph.core.criteria import CompiledCriterion, matches
from etm_graph.core.filter_logic import Logic, evaluate


@dataclass(frozen=True, slots=True)
class Rule:
    """An assignment rule, compiled."""

    id: int
    developer_name: str
    object_type: str
    is_active: bool
    criteria: tuple[CompiledCriterion, ...]
    logic: Logic


@dataclass(frozen=True, slots=True)
class Link:
    """A rule at work in a territory."""

    rule_id: int
    territory_id: int
    applies_to_descendants: bool


@dataclass(frozen=True, slots=True)
class Node:
    """A territory as rules see it. rule_combination: ALL or ANY."""

    id: int
    parent_id: int | None
    path: str
    rule_combination: str
    inherit_only: bool


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All that decides a model's assignments by rule."""

    nodes: tuple[Node, ...]
    rules: tuple[Rule, ...]
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class EffectiveRules:
    """The active rules of one territory: its own, and those passed down to it that are not its own."""

    own: tuple[int, ...]
    inherited: tuple[int, ...]
    any_own: bool
    can_match: bool


def effective_rules(rule_set: RuleSet, object_type: str = "ACCOUNT") -> Mapping[int, EffectiveRules]:
    """Own and inherited rules of every territory, by territory (docs/domain.md, "Rules" 2); one pass, parents first."""
    usable = {rule.id for rule in rule_set.rules if rule.is_active and rule.object_type == object_type}
    linked: dict[int, list[Link]] = {}
    for link in rule_set.links:
        if link.rule_id in usable:
            linked.setdefault(link.territory_id, []).append(link)
    passed: dict[int | None, tuple[int, ...]] = {None: ()}
    effective: dict[int, EffectiveRules] = {}
    for node in sorted(rule_set.nodes, key=lambda node: node.path):
        links = linked.get(node.id, ())
        own = tuple(sorted(link.rule_id for link in links))
        from_above = passed[node.parent_id]
        inherited = tuple(rule for rule in from_above if rule not in own)
        down = {*from_above, *(link.rule_id for link in links if link.applies_to_descendants)}
        passed[node.id] = tuple(sorted(down))
        can_match = bool(own) or (node.inherit_only and bool(inherited))
        effective[node.id] = EffectiveRules(own, inherited, node.rule_combination == "ANY", can_match)
    return effective


def rule_matches(rule: Rule, fields: Mapping[str, object]) -> bool:
    """Whether an object with these fields satisfies a rule; a field that is not there is missing."""
    truth = {criterion.number: matches(criterion, fields.get(criterion.field)) for criterion in rule.criteria}
    return evaluate(rule.logic, truth)


def _territory_matches(effective: EffectiveRules, truth: Mapping[int, bool]) -> bool:
    if not effective.can_match or not all(truth[rule] for rule in effective.inherited):
        return False
    if not effective.own:
        return True
    return (any if effective.any_own else all)(truth[rule] for rule in effective.own)


def _causes(effective: EffectiveRules, truth: Mapping[int, bool]) -> tuple[int, ...]:
    return tuple(sorted(rule for rule in (*effective.own, *effective.inherited) if truth[rule]))


def assign(
    rule_set: RuleSet,
    objects: Mapping[int, Mapping[str, object]],
    exclusions: AbstractSet[tuple[int, int]] = frozenset(),
) -> dict[tuple[int, int], tuple[int, ...]]:
    """The rules behind each (object, territory) that rules assign (docs/domain.md, "Rules" 1 to 4).

    exclusions: (object, territory) pairs that rules must not create.
    """
    effective = effective_rules(rule_set)
    assigned: dict[tuple[int, int], tuple[int, ...]] = {}
    for object_id, fields in objects.items():
        truth = {rule.id: rule_matches(rule, fields) for rule in rule_set.rules}
        matching = [node for node in rule_set.nodes if _territory_matches(effective[node.id], truth)]
        for node in matching:
            lower = any(other.path != node.path and other.path.startswith(node.path) for other in matching)
            if not lower and (object_id, node.id) not in exclusions:
                assigned[object_id, node.id] = _causes(effective[node.id], truth)
    return assigned


@dataclass(frozen=True, slots=True)
class CriterionTruth:
    """A criterion, the object's value, and whether it matches."""

    criterion: CompiledCriterion
    value: object
    matches: bool


@dataclass(frozen=True, slots=True)
class RuleTruth:
    """A rule, each of its criteria, and whether the rule matches."""

    rule: Rule
    inherited: bool
    criteria: tuple[CriterionTruth, ...]
    matches: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why rules do or do not give an object to a territory.

    matches: whether the territory's rules hold. taken_by: the lowest descendants that have it instead.
    excluded: whether the pair is excluded. assigned: the verdict.
    """

    rules: tuple[RuleTruth, ...]
    matches: bool
    taken_by: tuple[int, ...]
    excluded: bool
    assigned: bool


def explain(
    rule_set: RuleSet, fields: Mapping[str, object], territory_id: int, *, excluded: bool = False
) -> Explanation:
    """The reasons for one (object, territory); raises `KeyError` for an unknown territory."""
    effective = effective_rules(rule_set)
    node = {node.id: node for node in rule_set.nodes}[territory_id]
    rules = {rule.id: rule for rule in rule_set.rules}
    truth = {rule.id: rule_matches(rule, fields) for rule in rule_set.rules}
    own = effective[territory_id]
    shown = [
        RuleTruth(
            rules[rule_id],
            rule_id in own.inherited,
            tuple(
                CriterionTruth(criterion, fields.get(criterion.field), matches(criterion, fields.get(criterion.field)))
                for criterion in rules[rule_id].criteria
            ),
            truth[rule_id],
        )
        for rule_id in (*own.own, *own.inherited)
    ]
    below = _lowest_matching(rule_set.nodes, node, effective, truth)
    holds = _territory_matches(own, truth)
    return Explanation(tuple(shown), holds, below, excluded, holds and not below and not excluded)


def _lowest_matching(
    nodes: Sequence[Node], node: Node, effective: Mapping[int, EffectiveRules], truth: Mapping[int, bool]
) -> tuple[int, ...]:
    below = [
        other
        for other in nodes
        if other.path != node.path
        and other.path.startswith(node.path)
        and _territory_matches(effective[other.id], truth)
    ]
    return tuple(
        other.id
        for other in below
        if not any(third.path != other.path and third.path.startswith(other.path) for third in below)
    )
