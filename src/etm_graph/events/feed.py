"""The feed: one reader of the log per process and stream, shared by all who follow it there.

A follower holds nothing but its position, so a slow one costs no memory and delays nobody: it reads recent changes from
the stream's ring and older ones from the log.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from sqlalchemy.exc import SQLAlchemyError

from etm_graph.core.changes import Change
from etm_graph.core.errors import NotFound
from etm_graph.db.sessions import Database
from etm_graph.events.log import StreamHead, read_changes, read_heads

logger = logging.getLogger(__name__)

RING = 1_000
"""Changes of a stream kept in memory for its followers."""

BATCH = 500
"""Most changes read from the log by one statement."""


@dataclass(slots=True)
class _Watched:
    """One stream that somebody in this process follows."""

    head: StreamHead
    ring: deque[Change] = field(default_factory=lambda: deque(maxlen=RING))
    hinted: int = 0
    followers: int = 0
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    reader: asyncio.Task[None] | None = None
    hint: asyncio.Event = field(default_factory=asyncio.Event)
    gone: bool = False

    def publish(self, changes: Sequence[Change], head: StreamHead) -> None:
        """Make changes visible to followers and wake them."""
        self.ring.extend(changes)
        self.head = head
        moved, self.moved = self.moved, asyncio.Event()
        moved.set()


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive changes after a follower's position, possibly none.

    head: where the stream stood when they were read. lagging: they came from the log, not from memory.
    """

    changes: Sequence[Change]
    head: StreamHead
    lagging: bool


class Feed:
    """All followed streams of one process."""

    def __init__(self, database: Database, *, poll_s: float) -> None:
        self._database = database
        self._poll_s = poll_s
        self._watched: dict[int, _Watched] = {}
        self._poller: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to poll the heads of followed streams, which repairs lost hints."""
        self._poller = asyncio.create_task(self._poll(), name="feed poll")

    async def stop(self) -> None:
        """Stop reading; followers end."""
        tasks = [watched.reader for watched in self._watched.values() if watched.reader]
        tasks += [self._poller] if self._poller else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def hint(self, stream_id: int, head: int) -> None:
        """A stream may have moved to `head`."""
        watched = self._watched.get(stream_id)
        if watched is not None and head > max(watched.head.head, watched.hinted):
            watched.hinted = head
            watched.hint.set()

    def nudge(self) -> None:
        """Let every follower look at its reader again: rights changed."""
        for watched in self._watched.values():
            watched.publish((), watched.head)

    @property
    def followed(self) -> int:
        """How many followers there are in this process."""
        return sum(watched.followers for watched in self._watched.values())

    @asynccontextmanager
    async def follow(self, stream_id: int) -> AsyncIterator["Follower"]:
        """Follow a stream; raises `NotFound` when there is none."""
        async with self._database.read() as session:
            heads = await read_heads(session, [stream_id])
        if stream_id not in heads:
            raise NotFound("There is no such stream.")
        watched = self._watched.setdefault(stream_id, _Watched(heads[stream_id]))
        watched.followers += 1
        if watched.reader is None:
            watched.reader = asyncio.create_task(self._read(stream_id, watched), name=f"feed {stream_id}")
        self.hint(stream_id, heads[stream_id].head)
        try:
            yield Follower(self._database, watched)
        finally:
            watched.followers -= 1
            if watched.followers == 0 and self._watched.get(stream_id) is watched:
                del self._watched[stream_id]
                watched.reader.cancel()

    async def _read(self, stream_id: int, watched: _Watched) -> None:
        while not watched.gone:
            await watched.hint.wait()
            watched.hint.clear()
            try:
                while await self._read_batch(stream_id, watched):
                    pass
            except (OSError, SQLAlchemyError):
                watched.hinted = 0  # so that the next poll hints again
                logger.warning("feed: the log could not be read, the next poll tries again", exc_info=True)

    async def _read_batch(self, stream_id: int, watched: _Watched) -> bool:
        """Publish the next changes; True when there may be more."""
        async with self._database.read() as session:
            changes = await read_changes(session, stream_id, watched.head.head, BATCH)
            heads = await read_heads(session, [stream_id])
        if stream_id not in heads:
            watched.gone = True
            watched.publish((), watched.head)
            return False
        reached = changes[-1].seq if changes else watched.head.head
        watched.publish(changes, replace(heads[stream_id], head=reached))
        return len(changes) == BATCH

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._poll_s)
            if not self._watched:
                continue
            try:
                async with self._database.read() as session:
                    heads = await read_heads(session, list(self._watched))
            except (OSError, SQLAlchemyError):
                logger.warning("feed: the heads could not be read, the next poll tries again", exc_info=True)
                continue
            for stream_id, watched in list(self._watched.items()):
                if stream_id in heads:
                    self.hint(stream_id, heads[stream_id].head)
                else:
                    watched.hint.set()


class Follower:
    """One follower of one stream."""

    def __init__(self, database: Database, watched: _Watched) -> None:
        self._database = database
        self._watched = watched

    @property
    def head(self) -> StreamHead:
        """Where the stream stands, as far as this process knows."""
        return self._watched.head

    async def after(self, seq: int, *, timeout_s: float) -> Batch:
        """The next changes after `seq`, waiting at most `timeout_s` seconds for one; an empty batch means none came."""
        moved = self._watched.moved
        if self._watched.gone:
            raise NotFound("The stream was deleted.")
        if self._watched.head.head <= seq:
            try:
                await asyncio.wait_for(moved.wait(), timeout_s)
            except TimeoutError:
                return Batch((), self._watched.head, lagging=False)
        head, ring = self._watched.head, self._watched.ring
        if head.head <= seq and not self._watched.gone:
            return Batch((), head, lagging=False)
        if ring and ring[0].seq <= seq + 1:
            start = seq + 1 - ring[0].seq
            return Batch([ring[index] for index in range(start, len(ring))], head, lagging=False)
        async with self._database.read() as session:
            return Batch(await read_changes(session, head.stream_id, seq, BATCH), head, lagging=True)
