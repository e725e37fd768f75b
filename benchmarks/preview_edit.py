"""One rule of a draft is edited: its new impact at 1,000,000 accounts, beside a full preview."""

import asyncio
from collections.abc import Callable
from statistics import median
from time import perf_counter, process_time

import numpy as np

from benchmarks.harness import Company, Result
from benchmarks.million import ACCOUNTS, Drawn, draw_rules, edited, facts, prepared, rule_set, tree
from benchmarks.preview_full import RULES, TERRITORIES, full, seconds, snapshot_of
from etm_graph.analytics.aligning import Decisions, Territories, align_all
from etm_graph.analytics.matching import Matches, match_again, match_all
from etm_graph.analytics.plans import make_plan
from etm_graph.analytics.settling import NO_WILL, Settled, settle
from etm_graph.core.assignment import RuleSet
from etm_graph.features.alignment.service import Assignments

EDITED = {"postal": 501, "range": 507, "contains": 509, "within": 519}
"""A rule of each kind."""


def changed(drawn: list[Drawn], number: int, turn: int) -> Drawn:
    """The rule with another threshold and another key."""
    old = drawn[number - 1]
    prefix = old.prefix[:-1] + str((int(old.prefix[-1]) + turn) % 10) if old.prefix else ""
    return Drawn(
        old.id, old.kind, prefix, old.low + turn, old.high, old.employees, old.latitude + turn / 100, old.longitude, 50
    )


def measure_one(work: Callable[[int], object], rounds: int = 7) -> tuple[float, float]:
    """Median wall-clock and processor milliseconds."""
    times, used = [], []
    for turn in range(1, rounds + 1):
        began, busy = perf_counter(), process_time()
        work(turn)
        times.append(1000 * (perf_counter() - began))
        used.append(1000 * (process_time() - busy))
    return round(median(times), 1), round(median(used), 1)


async def measure(company: Company) -> Result:  # noqa: ARG001 - its accounts are made in memory
    return await asyncio.to_thread(_measure)


def _measure() -> Result:
    snapshot = snapshot_of(prepared(facts()))
    drawn = draw_rules(RULES)
    found: RuleSet = rule_set(drawn, TERRITORIES)
    nodes = sorted(tree(TERRITORIES), key=lambda node: node.path)
    depths = np.array([node.path.count("/") - 2 for node in nodes], np.int64)
    places = Territories(np.array([node.id for node in nodes], np.int64), np.zeros(len(nodes), np.int64), depths)
    pipeline = np.ones(snapshot.base.height)
    standing: list[Matches] = [match_all(make_plan(found), snapshot.base)]
    nothing = match_all(make_plan(found), snapshot.overlay)

    def impact(rules: RuleSet) -> Assignments:
        """Matches, assignments, alignment and each territory's sums."""
        plan = make_plan(rules)
        standing[0] = match_again(standing[0], plan)
        settled: Settled = settle(snapshot, standing[0], nothing, NO_WILL)
        decided: Decisions = align_all(settled.rows, settled.places, places)
        answer = Assignments(snapshot, places, settled, decided, 0, 0)
        answer.sums(pipeline)
        return answer

    impact(edited(found, changed(drawn, EDITED["contains"], 9).rule()))  # the first search joins the names
    values = {
        kind: measure_one(lambda turn, n=number: impact(edited(found, changed(drawn, n, turn).rule())))  # type: ignore[misc]  # n is bound
        for kind, number in EDITED.items()
    }
    last = edited(found, changed(drawn, EDITED["within"], 7).rule())
    assert np.array_equal(standing[0].keys, match_all(make_plan(last), snapshot.base).keys)
    again, _ = seconds(lambda: full(snapshot, found), 3)
    shown = {f"a rule with {kind}": wall for kind, (wall, _) in values.items()}
    shown |= {f"a rule with {kind}, processor time": busy for kind, (_, busy) in values.items()}
    return Result(
        "preview-edit",
        max(wall for wall, _ in values.values()),
        "ms",
        "lower",
        f"{ACCOUNTS} accounts, {TERRITORIES} territories, {RULES} rules; assignments, alignment and sums",
        {**shown, "a full preview, matches only": again},
        {"ms": 150},
    )
