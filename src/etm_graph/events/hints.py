"""Hints: "this stream has moved to that number", between the processes on one database.

A hint carries no payload and may be lost; the log is the truth. Hints are sent after the commit, on a connection of
their own, coalesced: however many commits happen while one is being sent, the next carries them all.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping

import asyncpg

CHANNEL = "etm_heads"
_RECONNECT_S = 1.0

logger = logging.getLogger(__name__)


class Hints:
    """Sends and receives hints for one process; `on_hint` is called with (stream, head) for every one, own or foreign."""

    def __init__(self, url: str, on_hint: Callable[[int, int], None]) -> None:
        self._url = url
        self._on_hint = on_hint
        self._waiting: dict[int, int] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen and to send."""
        self._task = asyncio.create_task(self._run(), name="hints")

    async def stop(self) -> None:
        """Stop both."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def send(self, moved: Mapping[int, int]) -> None:
        """Tell this process at once and the others soon; returns without waiting."""
        for stream_id, head in moved.items():
            self._on_hint(stream_id, head)
            self._waiting[stream_id] = max(head, self._waiting.get(stream_id, 0))
        self._wake.set()

    async def _run(self) -> None:
        while True:
            try:
                connection = await asyncpg.connect(self._url)
            except (OSError, asyncpg.PostgresError) as error:
                logger.warning("hints: no connection, polling goes on", extra={"error": str(error)})
                await asyncio.sleep(_RECONNECT_S)
                continue
            try:
                await connection.add_listener(CHANNEL, self._received)
                await self._send_waiting(connection)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                logger.warning("hints: connection lost, polling goes on", extra={"error": str(error)})
                await asyncio.sleep(_RECONNECT_S)
            finally:
                connection.terminate()

    async def _send_waiting(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._waiting = self._waiting, {}
            try:
                for stream_id, head in batch.items():
                    await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, f"{stream_id}:{head}")
            except BaseException:
                self._waiting = {**batch, **self._waiting}
                self._wake.set()
                raise

    def _received(self, *arguments: object) -> None:
        stream_id, _, head = str(arguments[-1]).partition(":")
        self._on_hint(int(stream_id), int(head))
