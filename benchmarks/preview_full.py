"""All assignments of a draft from its rules, at 1,000,000 accounts, beside a query written by hand for the same rules."""

import resource
from statistics import median
from time import perf_counter, process_time

import polars as pl

from benchmarks.by_hand import preview
from benchmarks.harness import Company, Result
from benchmarks.million import ACCOUNTS, Drawn, draw_rules, facts, prepared, rule_set
from etm_graph.analytics.copies import Snapshot
from etm_graph.analytics.matching import Matches, match_all
from etm_graph.analytics.plans import make_plan
from etm_graph.analytics.segments import Segment
from etm_graph.analytics.settling import NO_WILL, settle
from etm_graph.core.assignment import RuleSet, assign

RULES, MANY, TERRITORIES, SAMPLE, ROUNDS = 1_000, 10_000, 1_000, 200, 5


def snapshot_of(frame: pl.DataFrame) -> Snapshot:
    base = Segment(frame)
    return Snapshot(base, Segment(frame.clear()), base.ids[:0], 0, "")


def forget(segment: Segment) -> None:
    """Keep the encoded columns, which the copy has anyway; forget everything that rules asked."""
    segment.terms.clear()
    segment.rows_kept.clear()


def full(snapshot: Snapshot, found: RuleSet) -> tuple[Matches, int]:
    forget(snapshot.base)
    plan = make_plan(found)
    matches = match_all(plan, snapshot.base)
    settled = settle(snapshot, matches, match_all(plan, snapshot.overlay), NO_WILL)
    return matches, len(settled.pairs)


def seconds(work: object, rounds: int = ROUNDS) -> tuple[float, float]:
    """Median wall-clock and processor milliseconds."""
    walls, used = [], []
    for _ in range(rounds):
        began, busy = perf_counter(), process_time()
        work()  # type: ignore[operator]  # a function
        walls.append(1000 * (perf_counter() - began))
        used.append(1000 * (process_time() - busy))
    return round(median(walls), 1), round(median(used), 1)


def reference(frame: pl.DataFrame, found: RuleSet) -> float:
    """The reference, object by object, in milliseconds for all."""
    rows = frame.head(SAMPLE).to_dicts()
    objects = {row["id"]: {**row, "location": (row["latitude"], row["longitude"])} for row in rows}
    began = perf_counter()
    assign(found, objects)
    return round((perf_counter() - began) * 1000 * ACCOUNTS / SAMPLE)


def kinds(snapshot: Snapshot, drawn: list[Drawn], *, searching: bool) -> float:
    chosen = [item for item in drawn if (item.kind in {"contains", "within"}) == searching]
    found = rule_set(chosen, TERRITORIES)
    return seconds(lambda: full(snapshot, found), 3)[1]


async def measure(company: Company) -> Result:  # noqa: ARG001 - its accounts are made in memory
    raw = facts()
    frame = prepared(raw)
    drawn, many = draw_rules(RULES), draw_rules(MANY, finer=1)
    found = rule_set(drawn, TERRITORIES)
    began = perf_counter()
    snapshot = snapshot_of(frame)
    _, pairs = full(snapshot, found)
    cold = round((perf_counter() - began) * 1000)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    by_hand = preview(frame, drawn, found)
    assert pairs == by_hand.height, (pairs, by_hand.height)
    value, busy = seconds(lambda: full(snapshot, found))
    hand, hand_busy = seconds(lambda: preview(frame, drawn, found))
    few_indexed, many_indexed = (kinds(snapshot, rules, searching=False) for rules in (drawn, many))
    few_others, many_others = (kinds(snapshot, rules, searching=True) for rules in (drawn, many))
    return Result(
        "preview-full",
        value,
        "ms",
        "lower",
        f"{ACCOUNTS} accounts, {TERRITORIES} territories, {RULES} rules of 3 criteria, {pairs} pairs",
        {
            "processor time": busy,
            "with the columns encoded first": cold,
            "one query by hand": hand,
            "one query by hand, processor time": hand_busy,
            "memory of the process, MB": round(memory),
            f"{RULES} rules: the indexed 90 %, processor time": few_indexed,
            f"{RULES} rules: contains and within, processor time": few_others,
            f"{MANY} rules, each a tenth as wide: the indexed 90 %, processor time": many_indexed,
            f"{MANY} rules: contains and within, processor time": many_others,
            f"the reference, account by account (from {SAMPLE})": reference(raw, found),
        },
        {"ms": 2_000, "times the query by hand": 2, "MB": 1_500, f"times {RULES} for {MANY}, indexed": 3},
    )
