"""A copy that follows changes, and what people decided, against assignments computed from scratch, row by row."""

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analytics.reference import assigned
from tests.analytics.test_matching import frame_of
from tests.strategies import FIELDS, compiled_rule_set, entered_rule_sets, objects

from etm_graph.analytics import copies
from etm_graph.analytics.arrays import Ints
from etm_graph.analytics.copies import Delta, Snapshot, apply_delta
from etm_graph.analytics.matching import match_all
from etm_graph.analytics.plans import Plan, make_plan
from etm_graph.analytics.segments import Segment
from etm_graph.analytics.settling import PeoplesWill, Settled, make_pairs, places_by_id, settle

Pair = tuple[int, int]


def facts_of(numbered: dict[int, dict[str, object]], frozen: set[int] = frozenset()) -> pl.DataFrame:  # type: ignore[assignment]  # an empty one
    return frame_of(dict(sorted(numbered.items()))).with_columns(
        pl.col("id").is_in(sorted(frozen)).alias("excluded_from_realignment")
    )


def first_snapshot(frame: pl.DataFrame) -> Snapshot:
    base = Segment(frame)
    return Snapshot(base, Segment(frame.clear()), base.ids[:0], 1, "")


def numbers_of(snapshot: Snapshot, plan: Plan, pairs: set[Pair]) -> Ints:
    objects_, territories = np.array(sorted(pairs), np.int64).reshape(-1, 2).T
    return make_pairs(snapshot.rows(objects_), places_by_id(plan.territory_ids, territories))


def will_of(snapshot: Snapshot, plan: Plan, manual: set[Pair], excluded: set[Pair], carried: set[Pair]) -> PeoplesWill:
    numbered = [numbers_of(snapshot, plan, pairs) for pairs in (manual, excluded, carried)]
    return PeoplesWill(numbered[0], numbered[1], snapshot.rows_where("excluded_from_realignment"), numbered[2])


def standing(snapshot: Snapshot, plan: Plan, settled: Settled) -> dict[Pair, tuple[bool, bool]]:
    ids = snapshot.ids(settled.rows).tolist()
    territories = plan.territory_ids[settled.places].tolist()
    truths = zip(settled.manual.tolist(), settled.by_rule.tolist(), strict=True)
    return dict(zip(zip(ids, territories, strict=True), truths, strict=True))


@settings(max_examples=150, deadline=None)
@given(entered_rule_sets(), st.lists(objects(), min_size=2, max_size=6), st.data())
def test_a_copy_that_followed_changes_and_peoples_will_is_settled_as_from_scratch(entered, found, data) -> None:
    numbered = dict(enumerate(found, 1))
    nodes = entered[0]
    plan = make_plan(compiled_rule_set(entered))
    snapshot = first_snapshot(facts_of(numbered))
    frozen: set[int] = set()
    for seq in range(2, 2 + data.draw(st.integers(0, 3))):
        changed = {
            number: data.draw(objects()) for number in data.draw(st.sets(st.integers(1, len(found) + 2), max_size=2))
        }
        deleted = data.draw(st.sets(st.sampled_from(sorted(numbered)), max_size=1)) - set(changed)
        frozen = (frozen - set(changed) - deleted) | data.draw(
            st.sets(st.sampled_from(sorted(changed)) if changed else st.nothing())
        )
        numbered = {n: item for n, item in (numbered | changed).items() if n not in deleted}
        delta = Delta(facts_of(changed, frozen), sorted(deleted))
        snapshot = apply_delta(snapshot, delta, seq)
        if not numbered:
            return
    every = [(number, node.id) for number in [*numbered, 99] for node in nodes]
    manual, excluded, kept = (data.draw(st.sets(st.sampled_from(every), max_size=3)) for _ in range(3))
    carried = {pair for pair in kept if pair[0] in frozen}
    will = will_of(snapshot, plan, manual, excluded, carried)
    settled = settle(snapshot, match_all(plan, snapshot.base), match_all(plan, snapshot.overlay), will)
    ruled = {pair for pair in assigned(*entered, FIELDS, numbered) if pair[0] not in frozen} - excluded
    ruled |= {pair for pair in carried if pair[0] in numbered}
    by_hand = {pair for pair in manual if pair[0] in numbered}
    assert standing(snapshot, plan, settled) == {p: (p in by_hand, p in ruled) for p in by_hand | ruled}
    assert snapshot.count == len(numbered)
    assert settled.pairs.tolist() == sorted(settled.pairs.tolist())


def test_a_grown_overlay_becomes_part_of_the_base(monkeypatch) -> None:
    monkeypatch.setattr(copies, "OVERLAY_ROWS_MIN", 1)
    empty = dict.fromkeys(FIELDS)
    snapshot = first_snapshot(facts_of(dict.fromkeys(range(1, 5), empty)))
    small = apply_delta(snapshot, Delta(facts_of({2: {**empty, "name": "x"}}), [1]), 2)
    assert (small.base is snapshot.base, small.overlay.ids.tolist(), small.count) == (True, [2], 3)
    grown = apply_delta(small, Delta(facts_of({5: empty, 6: empty}), []), 3)
    assert (grown.base.ids.tolist(), grown.overlay.height, grown.count) == ([2, 3, 4, 5, 6], 0, 5)
    assert grown.rows(np.array([1, 2, 6])).tolist() == [-1, 0, 4]
