"""graphql-transport-ws, the one WebSocket protocol spoken here (graphql-ws, PROTOCOL.md).

Every operation has a context of its own. A token that expires closes the socket with 4403, which tells clients to
come back with a new one; a draining server closes with 4440 for the same reason. A client that leaves the server's
pings unanswered is taken to be gone.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from etm_graph.core.errors import LimitExceeded, Refused, Unauthenticated
from etm_graph.graphql.execution import Operation, refusal
from etm_graph.identity.principal import Principal
from etm_graph.transport.gateway import Gateway, fault
from etm_graph.transport.parameters import Malformed, read_operation

PROTOCOL = "graphql-transport-ws"

INVALID = 4400
UNAUTHORIZED = 4401
FORBIDDEN = 4403
BAD_PROTOCOL = 4406
INIT_TIMEOUT = 4408
DUPLICATE = 4409
TOO_MANY_INITS = 4429
RESTART = 4440
TERMINATED = 4499

REASON_BYTES_MAX = 123
"""A close frame has no room for more (RFC 6455, section 5.5)."""

logger = logging.getLogger(__name__)


class _Close(Exception):
    """End this socket."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore")


class _Connection:
    """One socket after its handshake."""

    def __init__(self, gateway: Gateway, websocket: WebSocket) -> None:
        self._gateway = gateway
        self._websocket = websocket
        self._principal: Principal | None = None
        self._initialised = False
        self._silent = False
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._timers: list[asyncio.TimerHandle] = []
        self._closing: asyncio.Future[_Close] = asyncio.get_running_loop().create_future()

    def close_soon(self, code: int, reason: str) -> None:
        """Ask the socket to close with a code."""
        if not self._closing.done():
            self._closing.set_result(_Close(code, reason))

    async def serve(self) -> None:
        """Read messages until somebody closes."""
        self._later(self._gateway.settings.socket_init_timeout_s, self._require_initialised)
        reader = asyncio.create_task(self._read(), name="socket reader")
        pinger = asyncio.create_task(self._ping_regularly(), name="socket pinger")
        try:
            waiting: set[asyncio.Future[Any]] = {reader, self._closing}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if self._closing.done():
                await self._close(self._closing.result())
            else:
                reader.result()
        except _Close as close:
            await self._close(close)
        except WebSocketDisconnect:
            pass
        finally:
            for timer in self._timers:
                timer.cancel()
            tasks = [reader, pinger, *self._operations.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _later(self, seconds: float, callback: Callable[..., None], *arguments: object) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(seconds, callback, *arguments))

    async def _ping_regularly(self) -> None:
        every = self._gateway.settings.socket_ping_interval_s
        while every > 0:
            await asyncio.sleep(every)
            if self._silent:
                self.close_soon(TERMINATED, "No pong")
                return
            if self._principal is not None:
                self._silent = True
                with suppress(RuntimeError, WebSocketDisconnect):
                    await self._send({"type": "ping"})

    async def _close(self, close: _Close) -> None:
        if self._websocket.application_state is WebSocketState.CONNECTED:
            with suppress(RuntimeError, WebSocketDisconnect):
                await self._websocket.close(close.code, close.reason)

    def _require_initialised(self) -> None:
        if not self._initialised:
            self.close_soon(INIT_TIMEOUT, "Connection initialisation timeout")

    async def _read(self) -> None:
        while True:
            received = await self._websocket.receive()
            if received["type"] == "websocket.disconnect":
                return
            self._silent = False
            await self._handle(_parse(received.get("text"), self._gateway.settings.message_bytes_max))

    async def _handle(self, message: dict[str, Any]) -> None:
        handlers: dict[object, Callable[[dict[str, Any]], Coroutine[Any, Any, None]]] = {
            "connection_init": self._init,
            "ping": self._ping,
            "pong": self._pong,
            "subscribe": self._subscribe,
            "complete": self._complete,
        }
        kind = message.get("type")
        handler = handlers.get(kind) if isinstance(kind, str) else None
        if handler is None:
            raise _Close(INVALID, "Unknown message type")
        await handler(message)

    async def _init(self, message: dict[str, Any]) -> None:
        if self._initialised:
            raise _Close(TOO_MANY_INITS, "Too many initialisation requests")
        self._initialised = True
        payload = _payload(message) or {}
        header = next((str(value) for name, value in payload.items() if name.lower() == "authorization"), None)
        try:
            self._principal = await self._gateway.authenticate(header or self._websocket.headers.get("authorization"))
        except Unauthenticated as error:
            raise _Close(FORBIDDEN, "Forbidden") from error
        self._close_at_expiry(self._principal)
        await self._send({"type": "connection_ack"})

    def _close_at_expiry(self, principal: Principal) -> None:
        if principal.expires_at is not None:
            left = (principal.expires_at - datetime.now(UTC)).total_seconds()
            self._later(max(left, 0), self.close_soon, FORBIDDEN, "Token expired")

    async def _ping(self, message: dict[str, Any]) -> None:
        payload = _payload(message)
        await self._send({"type": "pong"} if payload is None else {"type": "pong", "payload": payload})

    async def _pong(self, message: dict[str, Any]) -> None:
        """Any message says that the client is there; a pong has to be well-formed as well."""
        _payload(message)

    async def _subscribe(self, message: dict[str, Any]) -> None:
        if self._principal is None:
            raise _Close(UNAUTHORIZED, "Unauthorized")
        key = _key(message)
        if not isinstance(message.get("payload"), dict):
            raise _Close(INVALID, "subscribe needs a payload")
        if key in self._operations:
            raise _Close(DUPLICATE, f"Subscriber for {key} already exists")
        try:
            operation = read_operation(message["payload"], self._gateway.documents)
        except Malformed as error:
            raise _Close(INVALID, str(error)) from error
        except Refused as error:
            await self._send({"id": key, "type": "error", "payload": list(refusal(error).errors)})
            return
        most = self._gateway.settings.socket_subscriptions_max
        if len(self._operations) >= most:
            text = f"A socket carries at most {most} operations at a time (socket_subscriptions_max)."
            full = LimitExceeded(text, details={"limit": "socket_subscriptions_max", "value": most})
            await self._send({"id": key, "type": "error", "payload": list(refusal(full).errors)})
            return
        task = asyncio.create_task(self._run(key, operation, self._principal), name="operation")
        self._operations[key] = task

    async def _complete(self, message: dict[str, Any]) -> None:
        task = self._operations.pop(_key(message), None)
        if task is not None:
            task.cancel()

    def _forget(self, key: str) -> None:
        """Free the id of the operation that this task runs; another may have it by now."""
        if self._operations.get(key) is asyncio.current_task():
            del self._operations[key]

    async def _run(self, key: str, operation: Operation, principal: Principal) -> None:
        context = self._gateway.context(principal, uuid4().hex)
        try:
            running = self._gateway.executor.stream(operation, context)
            async with aclosing(self._gateway.operations.follow(running, context, "socket")) as answers:
                async for answer in answers:
                    if not answer.executed:
                        self._forget(key)
                        await self._send({"id": key, "type": "error", "payload": list(answer.errors)})
                        return
                    await self._send({"id": key, "type": "next", "payload": answer.body()})
            self._forget(key)
            await self._send({"id": key, "type": "complete"})
        except Exception:
            self._forget(key)
            if self._websocket.client_state is not WebSocketState.CONNECTED:
                return  # the peer is gone; the reader ends the connection
            logger.exception("fault in an operation", extra={"request_id": context.request_id})
            with suppress(RuntimeError, WebSocketDisconnect):
                await self._send({"id": key, "type": "error", "payload": [fault(context.request_id)]})

    async def _send(self, message: dict[str, Any]) -> None:
        await self._websocket.send_text(orjson.dumps(message).decode())


def _parse(text: str | None, limit: int) -> dict[str, Any]:
    if text is None:
        raise _Close(INVALID, "Messages are text")
    if len(text.encode()) > limit:
        raise _Close(INVALID, f"A message has at most {limit} bytes (message_bytes_max)")
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _Close(INVALID, "Messages are JSON") from error
    if not isinstance(message, dict):
        raise _Close(INVALID, "A message is a JSON object")
    return message


def _payload(message: dict[str, Any]) -> dict[str, Any] | None:
    payload = message.get("payload")
    if not isinstance(payload, dict | None):
        raise _Close(INVALID, "A payload is an object")
    return payload


def _key(message: dict[str, Any]) -> str:
    key = message.get("id")
    if not isinstance(key, str) or not key:
        raise _Close(INVALID, "An id is a text")
    return key


class SocketEndpoint:
    """Accepts sockets and knows which are open."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._open: set[_Connection] = set()

    @property
    def open_sockets(self) -> int:
        """How many sockets are open."""
        return len(self._open)

    def drain(self) -> None:
        """Ask every client to come back (to another process, or after the restart)."""
        for connection in list(self._open):
            connection.close_soon(RESTART, "The server restarts; come back with your cursor")

    async def serve(self, websocket: WebSocket) -> None:
        """One socket."""
        if PROTOCOL not in websocket.scope.get("subprotocols", ()):
            await websocket.accept()
            await websocket.close(BAD_PROTOCOL, "Subprotocol not acceptable")
            return
        await websocket.accept(PROTOCOL)
        connection = _Connection(self._gateway, websocket)
        self._open.add(connection)
        try:
            await connection.serve()
        finally:
            self._open.discard(connection)
