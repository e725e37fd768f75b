"""Columnar copies of tables, kept by the change log: an answer says the number of the crm stream that it reflects.

A copy is a large base, which keeps its encoded columns and whatever was computed over them, and a small overlay of the
rows that changed since; when the overlay has grown, both become a new base.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from etm_graph.analytics.arrays import Floats, Ints, Truths, among
from etm_graph.analytics.segments import Segment
from etm_graph.core.changes import CRM_STREAM
from etm_graph.db.sessions import ReadSession
from etm_graph.events.log import read_heads

OVERLAY_ROWS_MIN, OVERLAY_SHARE = 2_000, 0.01
"""An overlay becomes part of the base when it has more rows than this, and more than this share of the base."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What is new since a number: changed rows, whole, and the ids of deleted ones."""

    changed: pl.DataFrame
    deleted: Sequence[int]


@dataclass(frozen=True, slots=True)
class Source:
    """A table to copy; features register theirs (wiring.py). Frames have a column `id`.

    signature: changes when the columns do, so that the copy is read anew. load: everything. since: what is new.
    """

    signature: Callable[[ReadSession], Awaitable[str]]
    load: Callable[[ReadSession], Awaitable[pl.DataFrame]]
    since: Callable[[ReadSession, int], Awaitable[Delta]]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A copy as of a number of the crm stream.

    Rows are numbered through: those of the base, then those of the overlay. gone: ids of base rows that changed or were
    deleted since the base was made, ascending.
    """

    base: Segment
    overlay: Segment
    gone: Ints
    seq: int
    signature: str

    @property
    def count(self) -> int:
        """How many objects there are."""
        return self.base.height + self.overlay.height - len(self.gone_rows)

    @cached_property
    def gone_rows(self) -> Ints:
        """The rows of the base that are no more."""
        return np.flatnonzero(among(self.base.ids, self.gone))

    @cached_property
    def alive(self) -> Truths:
        """For every row of the base whether it still is."""
        alive = np.ones(self.base.height, np.bool_)
        alive[self.gone_rows] = False
        return alive

    @cached_property
    def frame(self) -> pl.DataFrame:
        """Everything in one frame, in no particular order."""
        if not len(self.gone):
            return self.base.frame
        return pl.concat([self.base.frame.filter(self.alive), self.overlay.frame])

    def ids(self, rows: Ints) -> Ints:
        """The ids of rows."""
        if not self.overlay.height:
            return self.base.ids[rows]
        return np.concatenate([self.base.ids, self.overlay.ids])[rows]

    def rows(self, ids: Ints) -> Ints:
        """The rows of ids; -1 for objects that are not there."""
        found = _find(self.base.ids, ids)
        found[found >= 0] = np.where(self.alive[found[found >= 0]], found[found >= 0], -1)
        late = _find(self.overlay.ids, ids)
        return np.where(late >= 0, late + self.base.height, found)

    def numbers(self, column: str) -> Floats:
        """A column of numbers by row, 0 where missing."""
        parts = [_numbers(segment, column) for segment in (self.base, self.overlay)]
        return parts[0] if not len(parts[1]) else np.concatenate(parts)

    def rows_where(self, column: str) -> Ints:
        """The rows that are there and have a true value in a column of truths."""
        base = np.flatnonzero(self.base.frame[column].fill_null(value=False).to_numpy() & self.alive)
        late = np.flatnonzero(self.overlay.frame[column].fill_null(value=False).to_numpy())
        return np.concatenate([base, late + self.base.height])


def _numbers(segment: Segment, column: str) -> Floats:
    return segment.frame[column].cast(pl.Float64).fill_null(0).to_numpy()


def _find(sorted_ids: Ints, ids: Ints) -> Ints:
    if not len(sorted_ids):
        return np.full(len(ids), -1, np.int64)
    places = np.searchsorted(sorted_ids, ids)
    places[places == len(sorted_ids)] = 0
    return np.where(sorted_ids[places] == ids, places, -1)


class Copy:
    """One table's copy in this process, brought up to the asking session's snapshot whenever it is asked for."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._latest: Snapshot | None = None
        self._turn = asyncio.Lock()

    async def at(self, session: ReadSession) -> Snapshot:
        """The table exactly as the session sees it."""
        head = (await read_heads(session, [CRM_STREAM]))[CRM_STREAM].head
        signature = await self._source.signature(session)
        async with self._turn:
            latest = self._latest
            if latest is not None and latest.signature == signature and latest.seq == head:
                return latest
            if latest is None or latest.signature != signature or latest.seq > head:
                base = Segment((await self._source.load(session)).sort("id"))
                empty = Segment(base.frame.clear())
                fresh = Snapshot(base, empty, np.empty(0, np.int64), head, signature)
            else:
                delta = await self._source.since(session, latest.seq)
                fresh = await asyncio.to_thread(apply_delta, latest, delta, head)
            if latest is None or latest.signature != signature or fresh.seq >= latest.seq:
                self._latest = fresh
            return fresh


def apply_delta(latest: Snapshot, delta: Delta, head: int) -> Snapshot:
    """The snapshot with what is new, as of a number of the crm stream."""
    touched = np.union1d(np.array(delta.deleted, np.int64), delta.changed["id"].cast(pl.Int64).to_numpy())
    if not len(touched):
        return Snapshot(latest.base, latest.overlay, latest.gone, head, latest.signature)
    kept = latest.overlay.frame.filter(~among(latest.overlay.ids, touched))
    overlay = pl.concat([kept, delta.changed], how="vertical_relaxed").sort("id")
    gone = np.union1d(latest.gone, touched)
    if overlay.height > max(OVERLAY_ROWS_MIN, OVERLAY_SHARE * latest.base.height):
        living = latest.base.frame.filter(~among(latest.base.ids, gone))
        whole = pl.concat([living, overlay], how="vertical_relaxed").sort("id")
        empty = Segment(overlay.clear())
        return Snapshot(Segment(whole), empty, np.empty(0, np.int64), head, latest.signature)
    return Snapshot(latest.base, Segment(overlay), gone, head, latest.signature)
