"""The columnar engine against the slow, obvious reference."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analytics.reference import assigned, criterion_holds
from tests.strategies import FIELDS, compiled_rule_set, criteria, entered_rule_sets, entered_rules, objects

from etm_graph.analytics.compiling import term_of
from etm_graph.analytics.matching import CAUSES_MAX, Matches, match_again, match_all, places_of, rows_of
from etm_graph.analytics.plans import make_plan
from etm_graph.analytics.pointwise import match_one
from etm_graph.analytics.preparing import prepare
from etm_graph.analytics.segments import Segment
from etm_graph.core.assignment import Link, Node, Rule, RuleSet, assign
from etm_graph.core.criteria import compile_criterion, matches
from etm_graph.core.filter_logic import parse

TYPES = {
    "name": pl.String,
    "type": pl.String,
    "zip": pl.String,
    "revenue": pl.Float64,
    "employees": pl.Float64,
    "since": pl.Date,
    "strategic": pl.Boolean,
    "channels": pl.List(pl.String),
}


def frame_of(found: Mapping[int, Mapping[str, object]]) -> pl.DataFrame:
    columns: dict[str, pl.Series] = {"id": pl.Series("id", list(found), dtype=pl.Int64)}
    for name, data_type in TYPES.items():
        raw = [fields[name] for fields in found.values()]
        if data_type == pl.Float64:
            raw = [None if value is None else float(str(value)) for value in raw]
        columns[name] = pl.Series(name, raw, dtype=data_type)
    for place, name in enumerate(("latitude", "longitude")):
        points = [fields["location"] for fields in found.values()]
        columns[name] = pl.Series(name, [None if p is None else p[place] for p in points], dtype=pl.Float64)  # type: ignore[index]  # a pair
    return prepare(pl.DataFrame(columns), FIELDS.values())


def computed(matches: Matches, ids: list[int]) -> dict[tuple[int, int], tuple[int, ...]]:
    """(object, territory) and the rules behind it, of the lowest matches."""
    found = {}
    for key in matches.lowest():
        place = int(places_of(key))
        pair = (ids[int(rows_of(key))], int(matches.plan.territory_ids[place]))
        found[pair] = matches.causes[place][int(key) & (CAUSES_MAX - 1)]
    return found


@settings(max_examples=300, deadline=None)
@given(criteria(1), st.lists(objects(), min_size=1, max_size=6))
def test_a_criterion_means_the_same_in_columns(criterion, found) -> None:
    compiled = compile_criterion(criterion, FIELDS[criterion.field])
    segment = Segment(frame_of(dict(enumerate(found))))
    term = term_of(segment, compiled)
    expected = [criterion_holds(criterion, FIELDS[criterion.field], fields[criterion.field]) for fields in found]
    every = np.arange(len(found), dtype=np.int32)
    assert term.check(every).tolist() == expected
    assert sorted(term.rows().tolist()) == [row for row, holds in enumerate(expected) if holds]
    assert term.count == sum(expected)
    assert term.opposite().check(every).tolist() == [not holds for holds in expected]
    assert sorted(term.opposite().rows().tolist()) == [row for row, holds in enumerate(expected) if not holds]
    assert [matches(compiled, fields[criterion.field]) for fields in found] == expected


@settings(max_examples=200, deadline=None)
@given(entered_rule_sets(), st.lists(objects(), min_size=1, max_size=6))
def test_assignments_are_those_of_the_reference(entered, found) -> None:
    numbered = dict(enumerate(found, 1))
    rule_set = compiled_rule_set(entered)
    answer = computed(match_all(make_plan(rule_set), Segment(frame_of(numbered))), list(numbered))
    assert set(answer) == assigned(*entered, FIELDS, numbered)
    assert answer == assign(rule_set, numbered)
    plan = make_plan(rule_set)
    one_by_one = {
        (number, int(plan.territory_ids[place])): causes
        for number, item in numbered.items()
        for place, causes in match_one(plan, item).items()
    }
    assert one_by_one == answer


@settings(max_examples=200, deadline=None)
@given(entered_rule_sets(), st.lists(objects(), min_size=1, max_size=6), st.data())
def test_an_edited_rule_set_matched_again_is_matched_as_from_scratch(entered, found, data) -> None:
    numbered = dict(enumerate(found, 1))
    nodes, rules, links = entered
    segment = Segment(frame_of(numbered))
    standing = match_all(make_plan(compiled_rule_set(entered)), segment)
    for _ in range(data.draw(st.integers(1, 3))):
        edit = data.draw(st.sampled_from(("rule", "link", "tree")))
        if edit == "rule":
            rules = {**rules, data.draw(st.sampled_from(sorted(rules))): data.draw(entered_rules())}
        elif edit == "link" and links:
            gone = data.draw(st.sampled_from(links))
            links = tuple(link for link in links if link is not gone)
        elif edit == "tree":
            turned = data.draw(st.sampled_from(nodes))
            nodes = tuple(
                replace(node, rule_combination="ANY" if node.rule_combination == "ALL" else "ALL")
                if node is turned
                else node
                for node in nodes
            )
        standing = match_again(standing, make_plan(compiled_rule_set((nodes, rules, links))))
        assert set(computed(standing, list(numbered))) == assigned(nodes, rules, links, FIELDS, numbered)
    fresh = match_all(make_plan(compiled_rule_set((nodes, rules, links))), Segment(frame_of(numbered)))
    assert computed(standing, list(numbered)) == computed(fresh, list(numbered))


def _rule(number: int, field: str, value: str) -> Rule:
    from etm_graph.core.criteria import Criterion, Operator

    compiled = compile_criterion(Criterion(1, field, Operator.EQUALS, (value,)), FIELDS[field])
    return Rule(number, f"R{number}", "ACCOUNT", True, (compiled,), parse(None, [1]))


def test_the_worked_example_of_inheritance() -> None:
    """docs/domain.md, "Rules" 3: the parent's rule is passed down, the child has one of its own."""
    nodes = (Node(1, None, "/P/", "ALL", False), Node(2, 1, "/P/C/", "ALL", False))
    rule_set = RuleSet(
        nodes, (_rule(1, "name", "Agriculture"), _rule(2, "type", "Prospect")), (Link(1, 1, True), Link(2, 2, False))
    )
    empty = dict.fromkeys([*FIELDS])
    numbered = {
        1: {**empty, "name": "Agriculture"},
        2: {**empty, "type": "Prospect"},
        3: {**empty, "name": "agriculture", "type": "PROSPECT"},
    }
    expected = {(1, 1): (1,), (3, 2): (1, 2)}
    assert assign(rule_set, numbered) == expected
    assert computed(match_all(make_plan(rule_set), Segment(frame_of(numbered))), list(numbered)) == expected
