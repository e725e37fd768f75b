"""The columnar engine against the slow, obvious reference."""

from collections.abc import Mapping

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import FIELDS, criteria, objects, rule_sets

from etm_graph.analytics.aligning import align_all
from etm_graph.analytics.matching import match_all
from etm_graph.analytics.predicates import criterion_expression, prepare
from etm_graph.core.assignment import Link, Node, Rule, RuleSet, assign
from etm_graph.core.criteria import compile_criterion, matches
from etm_graph.core.filter_logic import parse
from etm_graph.core.opportunities import Candidate, align

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


@settings(max_examples=300, deadline=None)
@given(criteria(1), st.lists(objects(), min_size=1, max_size=6))
def test_a_criterion_means_the_same_in_columns(criterion, found) -> None:
    compiled = compile_criterion(criterion, FIELDS[criterion.field])
    frame = frame_of(dict(enumerate(found)))
    answers = frame.select(criterion_expression(compiled).alias("truth"))["truth"].to_list()
    assert answers == [matches(compiled, fields[criterion.field]) for fields in found]


@settings(max_examples=150, deadline=None)
@given(rule_sets(), st.lists(objects(), min_size=1, max_size=6), st.data())
def test_assignments_are_those_of_the_reference(rule_set: RuleSet, found, data) -> None:
    numbered = dict(enumerate(found, 1))
    pairs = [(number, node.id) for number in numbered for node in rule_set.nodes]
    excluded = data.draw(st.sets(st.sampled_from(pairs), max_size=3))
    exclusions = pl.DataFrame(sorted(excluded), schema={"object_id": pl.Int64, "territory_id": pl.Int64}, orient="row")
    answer = match_all(rule_set, frame_of(numbered), exclusions)
    computed = {(row[0], row[1]): tuple(row[2]) for row in answer.iter_rows()}
    assert computed == assign(rule_set, numbered, excluded)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2)), min_size=1, max_size=5), st.data())
def test_alignment_is_that_of_the_reference(places, data) -> None:
    territories = pl.DataFrame(
        [(number, *place) for number, place in enumerate(places, 1)],
        schema={"territory_id": pl.Int64, "type_priority": pl.Int64, "depth": pl.Int64},
        orient="row",
    )
    chosen = data.draw(st.lists(st.sampled_from(range(1, len(places) + 1)), unique=True, min_size=1))
    pairs = pl.DataFrame({"object_id": [7] * len(chosen), "territory_id": chosen})
    (row,) = align_all(pairs, territories).iter_rows()
    decision = align([Candidate(number, *places[number - 1]) for number in chosen])
    assert row == (7, decision.territory_id, decision.reason.value)


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
    assert {(row[0], row[1]): tuple(row[2]) for row in match_all(rule_set, frame_of(numbered)).iter_rows()} == expected
