"""Explanations of pairs agree with what is assigned."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import objects, rule_sets

from etm_graph.core.assignment import RuleSet, assign
from etm_graph.core.explaining import Circumstances, PairReason, explain_pair
from etm_graph.core.opportunities import Candidate, Standing, align, judge

KINDS_OF_PAIR = st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans())

ASSIGNED = {PairReason.BY_HAND, PairReason.BY_RULE, PairReason.BY_HAND_AND_RULE, PairReason.FROZEN_IN}


@settings(deadline=None, max_examples=150)
@given(rule_sets(), st.lists(objects(), min_size=1, max_size=3), st.data())
def test_an_explanation_of_every_pair_agrees_with_what_is_assigned(
    rule_set: RuleSet, found: list[dict[str, object]], data: st.DataObject
) -> None:
    numbered = dict(enumerate(found))
    frozen = data.draw(st.sets(st.sampled_from(sorted(numbered))))
    pairs = [(key, node.id) for key in numbered for node in rule_set.nodes]
    some = st.sets(st.sampled_from(pairs), max_size=4)
    manual, excluded, carried = data.draw(some), data.draw(some), data.draw(some)
    by_rule = {pair for pair in assign(rule_set, numbered, excluded) if pair[0] not in frozen}
    by_rule |= {pair for pair in carried if pair[0] in frozen}
    for key, node_id in pairs:
        pair = (key, node_id)
        around = Circumstances(
            manual=pair in manual, excluded=pair in excluded, frozen=key in frozen, carried=pair in carried
        )
        told = explain_pair(rule_set, numbered[key], node_id, around)
        assert (told.by_rule, told.manual) == (pair in by_rule, pair in manual)
        assert told.assigned == (told.reason in ASSIGNED)
        assert told.reason is not PairReason.AS_STORED
        for truth in told.rules.rules:
            assert truth.rule.is_active


@settings(deadline=None, max_examples=60)
@given(rule_sets(), objects(), KINDS_OF_PAIR, st.booleans())
def test_what_is_stored_is_told_as_it_is(
    rule_set: RuleSet, found: dict[str, object], flags: tuple[bool, bool, bool, bool], stored: bool
) -> None:
    manual, excluded, frozen, carried = flags
    around = Circumstances(manual=manual, excluded=excluded, frozen=frozen, carried=carried, stored=stored)
    told = explain_pair(rule_set, found, rule_set.nodes[0].id, around)
    assert (told.by_rule, told.manual) == (stored, manual)
    if not manual and not frozen and stored != told.rules.assigned:
        assert told.reason is PairReason.AS_STORED


CANDIDATES = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2)), max_size=5)


@settings(deadline=None)
@given(CANDIDATES)
def test_candidates_are_judged_as_they_are_aligned(given: list[tuple[int, int]]) -> None:
    candidates = [Candidate(number, priority, depth) for number, (priority, depth) in enumerate(given)]
    standings = judge(candidates)
    chosen = [one.territory_id for one, far in zip(candidates, standings, strict=True) if far is Standing.CHOSEN]
    decision = align(candidates)
    assert chosen == ([] if decision.territory_id is None else [decision.territory_id])
    tied = [one for one, far in zip(candidates, standings, strict=True) if far is Standing.TIED]
    assert (len(tied) > 1) == (decision.reason.value == "TIE")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([(1, 1, 0)], ["CHOSEN"]),
        ([(1, 2, 0), (2, 1, 5)], ["CHOSEN", "LOWER_PRIORITY"]),
        ([(1, 2, 0), (2, 2, 3), (3, 1, 9)], ["LESS_DEEP", "CHOSEN", "LOWER_PRIORITY"]),
        ([(1, 2, 3), (2, 2, 3), (3, 2, 1)], ["TIED", "TIED", "LESS_DEEP"]),
        ([], []),
    ],
)
def test_how_far_candidates_come(given: list[tuple[Any, ...]], expected: list[str]) -> None:
    assert [standing.value for standing in judge([Candidate(*one) for one in given])] == expected
