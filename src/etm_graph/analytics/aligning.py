"""Opportunity alignment for all accounts at once; the meaning is core/opportunities.py's.

All opportunities of one account have the same territories to choose from, so one decision an account is enough.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from etm_graph.analytics.arrays import Ints
from etm_graph.core.opportunities import AlignmentPolicy, AlignmentReason, Candidate, align

REASONS = tuple(AlignmentReason)
_ONLY, _PRIORITY, _DEEPEST, _TIE = (
    REASONS.index(reason)
    for reason in (
        AlignmentReason.ONLY_TERRITORY,
        AlignmentReason.HIGHEST_TYPE_PRIORITY,
        AlignmentReason.DEEPEST,
        AlignmentReason.TIE,
    )
)


@dataclass(frozen=True, slots=True)
class Territories:
    """A model's territories by place: ids, type priorities in the model, depths (0 for a root)."""

    ids: Ints
    priorities: Ints
    depths: Ints


@dataclass(frozen=True, slots=True)
class Decisions:
    """For every account that has a territory: where its opportunities go (-1 at a tie), and the reason's number."""

    rows: Ints
    places: Ints
    reasons: Ints


def _pick(groups: Ints, values: Ints) -> tuple[Ints, Ints]:
    """For every entry the best value of its group, and for every group how many entries have it."""
    best = np.maximum.reduceat(values, groups)
    sizes = np.diff(np.append(groups, len(values)))
    spread = np.repeat(best, sizes)
    return spread, np.add.reduceat((values == spread).astype(np.int64), groups)


def align_all(rows: Ints, places: Ints, territories: Territories, policy: AlignmentPolicy = align) -> Decisions:
    """Decide for every account. rows: of accounts, those of one account together; places: of its territories."""
    if not len(rows):
        return Decisions(rows, places, places)
    groups = np.flatnonzero(np.append(True, rows[1:] != rows[:-1]))
    if policy is not align:
        return _by_policy(rows[groups], np.split(places, groups[1:]), territories, policy)
    sizes = np.diff(np.append(groups, len(rows)))
    decided = places[groups].copy()
    reasons = np.full(len(groups), _ONLY, np.int64)
    several = np.flatnonzero(sizes > 1)
    if len(several):
        inside = np.repeat(sizes > 1, sizes)
        some = places[inside]
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes[several])[:-1]])
        priorities, depths = territories.priorities[some], territories.depths[some]
        top, tops = _pick(starts, priorities)
        rank = np.where(priorities == top, depths, -1)
        deepest, deeps = _pick(starts, rank)
        winner = np.maximum.reduceat(np.where(rank == deepest, some, -1), starts)
        reasons[several] = np.where(tops == 1, _PRIORITY, np.where(deeps == 1, _DEEPEST, _TIE))
        decided[several] = np.where(deeps == 1, winner, -1)
    return Decisions(rows[groups], decided, reasons)


def _by_policy(rows: Ints, choices: Sequence[Ints], territories: Territories, policy: AlignmentPolicy) -> Decisions:
    """Ask a policy of somebody's own, once for each set of territories that occurs."""
    known: dict[tuple[int, ...], tuple[int, int]] = {}
    decided = np.empty(len(rows), np.int64)
    reasons = np.empty(len(rows), np.int64)
    for number, choice in enumerate(choices):
        key = tuple(choice.tolist())
        if key not in known:
            ids, priorities, depths = territories.ids, territories.priorities, territories.depths
            asked = [Candidate(int(ids[p]), int(priorities[p]), int(depths[p])) for p in key]
            decision = policy(asked)
            places = {candidate.territory_id: place for candidate, place in zip(asked, key, strict=True)}
            place = -1 if decision.territory_id is None else places[decision.territory_id]
            known[key] = place, REASONS.index(decision.reason)
        decided[number], reasons[number] = known[key]
    return Decisions(rows, decided, reasons)
