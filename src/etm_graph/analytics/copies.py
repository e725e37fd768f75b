"""Columnar copies of tables, kept by the change log: an answer says the number of the crm stream that it reflects."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import polars as pl

from etm_graph.core.changes import CRM_STREAM
from etm_graph.db.sessions import ReadSession
from etm_graph.events.log import read_heads


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


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy as of a number of the crm stream."""

    frame: pl.DataFrame
    seq: int
    signature: str


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
                fresh = Snapshot(await self._source.load(session), head, signature)
            else:
                delta = await self._source.since(session, latest.seq)
                fresh = Snapshot(_apply(latest.frame, delta), head, signature)
            if latest is None or latest.signature != signature or fresh.seq >= latest.seq:
                self._latest = fresh
            return fresh


def _apply(frame: pl.DataFrame, delta: Delta) -> pl.DataFrame:
    gone = [*delta.deleted, *delta.changed["id"].to_list()]
    if not gone:
        return frame
    return pl.concat([frame.filter(~pl.col("id").is_in(gone)), delta.changed], how="vertical_relaxed")
