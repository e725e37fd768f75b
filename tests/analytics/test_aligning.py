"""Opportunity alignment in columns against the decision for one account, and with a policy of somebody's own."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from etm_graph.analytics.aligning import REASONS, Territories, align_all
from etm_graph.core.opportunities import AlignmentReason, Candidate, Decision, align

places_of_models = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2)), min_size=1, max_size=5)


def territories_of(places: Sequence[tuple[int, int]]) -> Territories:
    columns = np.array([(number, *place) for number, place in enumerate(places, 101)], np.int64).T
    return Territories(*columns)


def the_last(candidates: Sequence[Candidate]) -> Decision:
    """A policy of somebody's own: the largest id."""
    chosen = max(candidate.territory_id for candidate in candidates)
    return Decision(chosen, AlignmentReason.HIGHEST_TYPE_PRIORITY)


@settings(max_examples=200, deadline=None)
@given(places_of_models, st.sampled_from((align, the_last)), st.data())
def test_alignment_of_all_accounts_is_that_of_each(places, policy, data) -> None:
    chosen = data.draw(
        st.lists(st.lists(st.sampled_from(range(len(places))), unique=True, min_size=1).map(sorted), max_size=4)
    )
    rows = np.array([row for row, held in enumerate(chosen) for _ in held], np.int64)
    held = np.array([place for found in chosen for place in found], np.int64)
    decided = align_all(rows, held, territories_of(places), policy)
    ids = [None if place < 0 else place + 101 for place in decided.places.tolist()]
    answers = list(zip(decided.rows.tolist(), ids, [REASONS[n] for n in decided.reasons.tolist()], strict=True))
    expected = []
    for row, found in enumerate(chosen):
        decision = policy([Candidate(place + 101, *places[place]) for place in found])
        expected.append((row, decision.territory_id, decision.reason))
    assert answers == expected


def test_without_assignments_nothing_is_decided() -> None:
    none = np.empty(0, np.int64)
    assert align_all(none, none, territories_of([(1, 0)])).rows.tolist() == []
