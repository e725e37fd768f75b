"""Rules that do nothing are those without which nothing changes."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import objects, rule_sets

from etm_graph.core.assignment import RuleSet, assign, rule_matches
from etm_graph.core.auditing import audit_rules, single_rules

Objects = dict[int, dict[str, object]]


def hits_of(rule_set: RuleSet, found: Objects) -> dict[int, frozenset[int]]:
    return {
        rule.id: frozenset(key for key, fields in found.items() if rule_matches(rule, fields))
        for rule in rule_set.rules
    }


def without(rule_set: RuleSet, rule_id: int) -> RuleSet:
    links = tuple(link for link in rule_set.links if link.rule_id != rule_id)
    return replace(rule_set, links=links)


@settings(deadline=None, max_examples=200)
@given(rule_sets(), st.lists(objects(), min_size=1, max_size=4))
def test_shadowed_rules_are_those_without_which_every_object_is_where_it_was(
    rule_set: RuleSet, some: list[dict[str, object]]
) -> None:
    found = dict(enumerate(some))
    hits = hits_of(rule_set, found)
    told = audit_rules(rule_set, hits)
    linked = {link.rule_id for link in rule_set.links}
    active = [rule.id for rule in rule_set.rules if rule.is_active]
    assert told.dead == [rule for rule in active if not hits[rule]]
    assert told.unlinked == [rule for rule in active if rule not in linked]
    now = set(assign(rule_set, found))
    expected = [
        rule for rule in active if hits[rule] and rule in linked and set(assign(without(rule_set, rule), found)) == now
    ]
    assert told.shadowed == expected


@settings(deadline=None, max_examples=100)
@given(rule_sets(), st.lists(objects(), min_size=1, max_size=4))
def test_single_rules_give_each_rule_what_it_matches(rule_set: RuleSet, some: list[dict[str, object]]) -> None:
    found = dict(enumerate(some))
    pairs = assign(single_rules(rule_set), found)
    assert {rule.id: {key for key, place in pairs if place == rule.id} for rule in rule_set.rules} == hits_of(
        rule_set, found
    )
