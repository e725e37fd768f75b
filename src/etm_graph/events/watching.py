"""Watching one stream for having moved, whatever moved in it: what makes processes forget what they remember."""

import asyncio
import logging
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from etm_graph.db.sessions import Database
from etm_graph.events.log import read_heads

POLL_S = 0.5
"""Seconds between two looks at the stream's head; the bound when the hint is lost."""

logger = logging.getLogger(__name__)


class Watch:
    """Calls `moved` whenever the head of a stream goes on: at once with a hint, within `POLL_S` without."""

    def __init__(
        self, database: Database, stream_id: int, moved: Callable[[], None], *, poll_s: float = POLL_S
    ) -> None:
        self._database = database
        self._stream_id = stream_id
        self._moved = moved
        self._poll_s = poll_s
        self._head = 0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._poll(), name=f"watch {self._stream_id}")

    async def stop(self) -> None:
        """Look no longer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def hint(self, stream_id: int, head: int) -> None:
        """A stream may have moved to `head`."""
        if stream_id == self._stream_id and head > self._head:
            self._head = head
            self._moved()

    async def _poll(self) -> None:
        while True:
            try:
                async with self._database.read() as session:
                    heads = await read_heads(session, [self._stream_id])
                self.hint(self._stream_id, heads[self._stream_id].head)
            except (OSError, SQLAlchemyError):
                logger.warning("watch: the head could not be read, the next look tries again", exc_info=True)
                self._moved()
            await asyncio.sleep(self._poll_s)
