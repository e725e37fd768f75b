"""What stands in the end: matches of the rules, and what people decided about them (docs/domain.md, "Rules" 4, 5)."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from etm_graph.analytics.arrays import Ints, Truths, among
from etm_graph.analytics.copies import Snapshot
from etm_graph.analytics.matching import CAUSES_MAX, PLACE_BITS, Causes, Matches, pairs_of, places_of

FROZEN = "excluded_from_realignment"
"""The column that says which objects runs leave alone."""

NO_CAUSE = 0
"""The number of "no rule" among causes."""


@dataclass(frozen=True, slots=True)
class PeoplesWill:
    """What people decided, as pairs of row and place: by hand, excluded; frozen rows, and the pairs that they keep."""

    manual: Ints
    excluded: Ints
    frozen: Ints
    carried: Ints


@dataclass(frozen=True, slots=True)
class Settled:
    """Assignments of a model: pairs of row and place, ascending, and the causes of each.

    cause: a number in `causes`, which holds rule ids.
    """

    pairs: Ints
    manual: Truths
    by_rule: Truths
    cause: Ints
    causes: Causes

    @property
    def rows(self) -> Ints:
        """The objects' rows."""
        return self.pairs >> PLACE_BITS

    @property
    def places(self) -> Ints:
        """The territories' places."""
        return self.pairs & ((1 << PLACE_BITS) - 1)


def make_pairs(rows: Ints, places: Ints) -> Ints:
    """Pairs as one number each, ascending, without those of which a side is unknown (-1)."""
    known = (rows >= 0) & (places >= 0)
    return np.unique((rows[known] << PLACE_BITS) | places[known])


def places_by_id(territory_ids: Ints, wanted: Ints) -> Ints:
    """The places of territories; -1 for unknown ones."""
    if not len(territory_ids):
        return np.full(len(wanted), -1, np.int64)
    order = np.argsort(territory_ids)
    found = np.minimum(np.searchsorted(territory_ids[order], wanted), len(order) - 1)
    return np.where(territory_ids[order][found] == wanted, order[found], -1)


def will_of(
    snapshot: Snapshot,
    territory_ids: Ints,
    manual: pl.DataFrame,
    excluded: pl.DataFrame,
    carried: pl.DataFrame,
    *,
    freezing: bool = True,
) -> PeoplesWill:
    """What people decided, from frames of object_id and territory_id; what is not there any more is left out.

    freezing: whether frozen objects keep what is carried, instead of being evaluated.
    """

    def numbered(pairs: pl.DataFrame) -> Ints:
        rows = snapshot.rows(pairs["object_id"].to_numpy())
        return make_pairs(rows, places_by_id(territory_ids, pairs["territory_id"].to_numpy()))

    frozen = snapshot.rows_where(FROZEN) if freezing else np.empty(0, np.int64)
    return PeoplesWill(numbered(manual), numbered(excluded), frozen, numbered(carried))


def _numbered(parts: Iterable[Matches]) -> tuple[list[Ints], Causes]:
    """For every part the number of the first cause of each place, and all causes."""
    causes: list[tuple[int, ...]] = [()]
    firsts = []
    for part in parts:
        sizes = [len(found) for found in part.causes]
        first = np.cumsum([len(causes), *sizes[:-1]]) if sizes else np.empty(0)
        firsts.append(first.astype(np.int64))
        for found in part.causes:
            causes.extend(found)
    return firsts, tuple(causes)


def _ruled(snapshot: Snapshot, base: Matches, overlay: Matches) -> tuple[Ints, Ints, Causes]:
    """Pairs that the rules make in the whole snapshot, the number of each one's cause, and the causes."""
    found = [base.lowest(), overlay.lowest()]
    if len(snapshot.gone_rows):
        found[0] = found[0][snapshot.alive[pairs_of(found[0]) >> PLACE_BITS]]
    firsts, causes = _numbered((base, overlay))
    numbers = [first[places_of(keys)] + (keys & (CAUSES_MAX - 1)) for first, keys in zip(firsts, found, strict=True)]
    late = pairs_of(found[1]) + (np.int64(snapshot.base.height) << PLACE_BITS)
    if not len(late):
        return pairs_of(found[0]), numbers[0], causes
    return np.concatenate([pairs_of(found[0]), late]), np.concatenate(numbers), causes


def settle(snapshot: Snapshot, base: Matches, overlay: Matches, will: PeoplesWill) -> Settled:
    """Exclusions take pairs away, frozen objects keep theirs, and what people assigned is there as well."""
    pairs, cause, causes = _ruled(snapshot, base, overlay)
    if len(will.excluded) or len(will.frozen):
        kept = ~among(pairs, will.excluded) & ~among(pairs >> PLACE_BITS, will.frozen)
        pairs, cause = pairs[kept], cause[kept]
    pairs, cause = _with(pairs, cause, will.carried)
    by_rule = np.ones(len(pairs), np.bool_)
    manual = among(pairs, will.manual)
    added = will.manual[~among(will.manual, pairs)]
    if len(added):
        at = np.searchsorted(pairs, added)
        pairs, cause = np.insert(pairs, at, added), np.insert(cause, at, NO_CAUSE)
        by_rule, manual = np.insert(by_rule, at, values=False), np.insert(manual, at, values=True)
    return Settled(pairs, manual, by_rule, cause, causes)


def _with(pairs: Ints, cause: Ints, more: Ints) -> tuple[Ints, Ints]:
    if not len(more):
        return pairs, cause
    at = np.searchsorted(pairs, more)
    return np.insert(pairs, at, more), np.insert(cause, at, NO_CAUSE)


NO_WILL = PeoplesWill(*(np.empty(0, np.int64) for _ in range(4)))
"""Nobody decided anything."""
