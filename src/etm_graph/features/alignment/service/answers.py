"""The engine's answers: a model's assignments at one position, and what they sum up to."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from etm_graph.analytics.aligning import REASONS, Decisions, Territories
from etm_graph.analytics.arrays import Ints
from etm_graph.analytics.copies import Snapshot
from etm_graph.analytics.evaluating import frame_of
from etm_graph.analytics.settling import Settled


@dataclass(frozen=True, slots=True)
class Sums:
    """What a territory has: accounts, their revenue, and open pipeline of the opportunities aligned to it."""

    accounts: int = 0
    annual_revenue: float = 0.0
    pipeline: float = 0.0


def decisions_frame(ids: Ints, decided: Decisions, territories: Territories) -> pl.DataFrame:
    """Decisions as account_id, territory_id (null at a tie), reason. ids: of the accounts that were decided about."""
    places = decided.places
    return pl.DataFrame(
        {
            "account_id": ids,
            "territory_id": pl.Series(np.append(territories.ids, 0)[places]).set(pl.Series(places < 0), None),
            "reason": pl.Series([reason.value for reason in REASONS]).gather(decided.reasons),
        },
        schema={"account_id": pl.Int64, "territory_id": pl.Int64, "reason": pl.String},
    )


@dataclass(frozen=True, slots=True)
class AssignedRow:
    """An object in a territory, and why."""

    object_id: int
    manual: bool
    by_rule: bool
    rule_ids: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Assignments:
    """A model's assignments at one position.

    head: of the model's stream. crm_seq: of the crm stream. Rows are those of the snapshot, places those of territories.
    """

    snapshot: Snapshot
    territories: Territories
    settled: Settled
    decided: Decisions
    head: int
    crm_seq: int

    @property
    def accounts(self) -> int:
        """How many objects there are."""
        return self.snapshot.count

    @property
    def count(self) -> int:
        """How many (object, territory) pairs there are."""
        return len(self.settled.pairs)

    @property
    def assigned(self) -> int:
        """How many objects have a territory."""
        return len(self.decided.rows)

    @cached_property
    def overlaps(self) -> int:
        """How many objects have several territories."""
        rows = self.settled.rows
        return len(np.unique(rows[1:][rows[1:] == rows[:-1]]))

    def ruled(self) -> pl.DataFrame:
        """object_id, territory_id and rules (ids parted by blanks) of every pair that rules make."""
        found = self.settled
        texts = pl.Series([" ".join(map(str, rules)) for rules in found.causes], dtype=pl.String)
        chosen = np.flatnonzero(found.by_rule)
        return pl.DataFrame(
            {
                "object_id": self.snapshot.ids(found.rows[chosen]),
                "territory_id": self.territories.ids[found.places[chosen]],
                "rules": texts.gather(found.cause[chosen]),
            },
            schema={"object_id": pl.Int64, "territory_id": pl.Int64, "rules": pl.String},
        )

    @cached_property
    def pairs(self) -> pl.DataFrame:
        """object_id, territory_id, manual, by_rule, rule_ids of every pair."""
        return frame_of(self.snapshot, self.territories.ids, self.settled)

    @cached_property
    def decisions(self) -> pl.DataFrame:
        """account_id, territory_id (null at a tie), reason of every account that has a territory."""
        return decisions_frame(self.snapshot.ids(self.decided.rows), self.decided, self.territories)

    def page_of(self, territory_id: int, after_id: int, size: int) -> tuple[list[AssignedRow], bool]:
        """A territory's pairs of objects after an id, by object, and whether there are more."""
        places = np.flatnonzero(self.territories.ids == territory_id)
        chosen = np.flatnonzero(self.settled.places == places[0]) if len(places) else places
        ids = self.snapshot.ids(self.settled.rows[chosen])
        chosen = chosen[np.argsort(ids, kind="stable")][np.count_nonzero(ids <= after_id) :]
        found = self.settled
        rows = [
            AssignedRow(int(object_id), bool(found.manual[at]), bool(found.by_rule[at]), found.causes[found.cause[at]])
            for at, object_id in zip(chosen[:size], self.snapshot.ids(found.rows[chosen[:size]]), strict=True)
        ]
        return rows, len(chosen) > size

    def subtree(self, territory_id: int) -> list[int]:
        """A territory and those below it."""
        ids, depths = self.territories.ids, self.territories.depths
        start = int(np.flatnonzero(ids == territory_id)[0])
        later = np.flatnonzero(depths[start + 1 :] <= depths[start])
        return ids[start : start + 1 + int(later[0]) if len(later) else None].tolist()  # type: ignore[no-any-return]  # ids

    def sums(self, pipeline: np.ndarray) -> Mapping[int, Sums]:
        """Each territory's sums, by territory. pipeline: open pipeline by row."""
        size = len(self.territories.ids)
        places = self.settled.places
        counts = np.bincount(places, minlength=size)
        revenue = np.bincount(places, self.snapshot.numbers("annual_revenue")[self.settled.rows], minlength=size)
        given = self.decided.places >= 0
        rows = self.decided.rows[given]
        money = np.bincount(self.decided.places[given], pipeline[rows], minlength=size)
        columns = zip(self.territories.ids.tolist(), counts.tolist(), revenue.tolist(), money.tolist(), strict=True)
        return {
            territory_id: Sums(count, amount, open_amount)
            for territory_id, count, amount, open_amount in columns
            if count or open_amount
        }
