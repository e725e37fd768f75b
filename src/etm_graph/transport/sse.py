"""GraphQL over server-sent events, distinct connections mode: one operation a request (graphql-sse, PROTOCOL.md)."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from datetime import UTC, datetime

import orjson
from starlette.types import Receive, Send

from etm_graph.graphql.context import Context
from etm_graph.graphql.execution import Answer
from etm_graph.transport.gateway import fault

logger = logging.getLogger(__name__)

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]
_COMPLETE = b"event: complete\ndata:\n\n"
_STILL_HERE = b":\n\n"
EXPIRED = {
    "message": "The credentials have expired: come back with new ones.",
    "extensions": {"code": "UNAUTHENTICATED"},
}


def encode_next(body: Mapping[str, object]) -> bytes:
    """A `next` event. JSON holds no line breaks, so that one line suffices."""
    return b"event: next\ndata: " + orjson.dumps(body) + b"\n\n"


class Streams:
    """The event streams that are open, so that a stopping server can end them: their clients come back."""

    def __init__(self) -> None:
        self._open: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._open)

    def drain(self) -> None:
        """End all streams without `complete`."""
        for task in list(self._open):
            task.cancel()

    async def run(self, stream: "EventStream", receive: Receive, send: Send) -> None:
        """Send a stream until it ends, its client goes or the server stops."""
        pump = asyncio.create_task(stream.pump(send), name="event stream")
        gone = asyncio.create_task(_disconnected(receive), name="event stream's client")
        self._open.add(pump)
        try:
            await asyncio.wait({pump, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (pump, gone):
                task.cancel()
            await asyncio.gather(pump, gone, return_exceptions=True)
            self._open.discard(pump)
        with suppress(OSError, asyncio.CancelledError):
            pump.result()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class EventStream:
    """The events of one operation.

    It ends with its caller's credential. quiet_s: seconds of silence before a comment says that the connection is alive.
    """

    def __init__(self, answers: AsyncGenerator[Answer, None], context: Context, *, quiet_s: float) -> None:
        self._answers = answers
        self._context = context
        self._quiet_s = quiet_s

    async def pump(self, send: Send) -> None:
        """Send everything, headers first."""
        await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
        async with aclosing(self._events()) as events:
            async for event in events:
                await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _events(self) -> AsyncGenerator[bytes, None]:
        yield _STILL_HERE
        waiting: asyncio.Task[Mapping[str, object] | None] | None = None
        async with aclosing(self._answers):
            try:
                while not self._expired():
                    waiting = waiting or asyncio.create_task(self._next())
                    await asyncio.wait({waiting}, timeout=self._patience())
                    if not waiting.done():
                        yield _STILL_HERE
                        continue
                    answer, waiting = waiting.result(), None
                    if answer is None:
                        break
                    yield encode_next(answer)
                else:
                    yield encode_next({"errors": [EXPIRED]})
            finally:
                if waiting is not None:
                    waiting.cancel()
                    await asyncio.gather(waiting, return_exceptions=True)
        yield _COMPLETE

    async def _next(self) -> Mapping[str, object] | None:
        """The next body; None after the last one. A fault is one, too, and logged."""
        try:
            answer = await anext(self._answers, None)
        except Exception:
            request_id = self._context.request_id
            logger.exception("fault in an operation", extra={"request_id": request_id})
            return {"errors": [fault(request_id)]}
        return None if answer is None else answer.body()

    def _left(self) -> float:
        expires_at = self._context.principal.expires_at
        return float("inf") if expires_at is None else (expires_at - datetime.now(UTC)).total_seconds()

    def _expired(self) -> bool:
        return self._left() <= 0

    def _patience(self) -> float:
        return max(min(self._quiet_s, self._left()), 0)
