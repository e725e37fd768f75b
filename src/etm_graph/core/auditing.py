"""Which rules of a model do nothing: they match nothing, work nowhere, or change nothing (docs/domain.md, "Reports")."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from etm_graph.core.assignment import EffectiveRules, Link, Node, RuleSet, effective_rules

Hits = Mapping[int, AbstractSet[int]]
"""The objects that each rule matches by itself, by rule."""


@dataclass(frozen=True, slots=True)
class RuleFindings:
    """Rule ids, each list ascending.

    dead: active ones that match no object. unlinked: active ones that work in no territory. shadowed: those that match
    something, but without them every object would be where it is: all that they match is taken further down, or decided
    by other rules as well.
    """

    dead: Sequence[int]
    unlinked: Sequence[int]
    shadowed: Sequence[int]


def single_rules(rule_set: RuleSet) -> RuleSet:
    """Every rule by itself, switched on, in a territory of its own that has its id: what it matches."""
    nodes = tuple(Node(rule.id, None, f"/R{rule.id}/", "ALL", inherit_only=False) for rule in rule_set.rules)
    links = tuple(Link(rule.id, rule.id, applies_to_descendants=False) for rule in rule_set.rules)
    return RuleSet(nodes, tuple(replace(rule, is_active=True) for rule in rule_set.rules), links)


def _matching(rules: EffectiveRules, hits: Hits) -> AbstractSet[int]:
    """The objects that satisfy a territory's rules."""
    if not rules.can_match:
        return frozenset()
    parts = sorted((hits[rule] for rule in rules.inherited), key=len)
    own = [hits[rule] for rule in rules.own]
    either = rules.any_own and len(own) > 0
    parts = [frozenset[int]().union(*own), *parts] if either else sorted([*own, *parts], key=len)
    found = parts[0]
    for part in parts[1:]:
        found = found & part
    return found


def _without(rules: EffectiveRules, node: Node, rule_id: int) -> EffectiveRules:
    own = tuple(rule for rule in rules.own if rule != rule_id)
    inherited = tuple(rule for rule in rules.inherited if rule != rule_id)
    return EffectiveRules(own, inherited, rules.any_own, bool(own) or (node.inherit_only and bool(inherited)))


def _taken(objects: AbstractSet[int], below: Iterable[AbstractSet[int]]) -> bool:
    """Whether all objects are matched further down."""
    left = objects
    for found in below:
        if not left:
            break
        left = left - found
    return not left


@dataclass(frozen=True, slots=True)
class _Layout:
    """Rules at work in a tree: nodes in tree order, what each has and matches."""

    nodes: Sequence[Node]
    effective: Mapping[int, EffectiveRules]
    matched: Mapping[int, AbstractSet[int]]

    def below(self, place: int) -> Iterable[AbstractSet[int]]:
        """What each territory below the one at a place matches."""
        for other in self.nodes[place + 1 :]:
            if not other.path.startswith(self.nodes[place].path):
                return
            yield self.matched[other.id]

    def changes_nothing(self, rule_id: int, places: Iterable[int], hits: Hits) -> bool:
        """Whether every object would be where it is without a rule; places: where the rule is own or inherited."""
        for place in places:
            node = self.nodes[place]
            otherwise = _matching(_without(self.effective[node.id], node, rule_id), hits)
            if not _taken(self.matched[node.id] ^ otherwise, self.below(place)):
                return False
        return True


def audit_rules(rule_set: RuleSet, hits: Hits) -> RuleFindings:
    """What there is to say of a rule set, given what each of its rules matches."""
    effective = effective_rules(rule_set)
    nodes = sorted(rule_set.nodes, key=lambda node: node.path)
    layout = _Layout(nodes, effective, {node.id: _matching(effective[node.id], hits) for node in nodes})
    at_work: dict[int, list[int]] = {}
    for place, node in enumerate(nodes):
        for rule in (*effective[node.id].own, *effective[node.id].inherited):
            at_work.setdefault(rule, []).append(place)
    active = sorted(rule.id for rule in rule_set.rules if rule.is_active)
    return RuleFindings(
        [rule for rule in active if not hits[rule]],
        [rule for rule in active if rule not in at_work],
        [
            rule
            for rule in active
            if hits[rule] and rule in at_work and layout.changes_nothing(rule, at_work[rule], hits)
        ],
    )
