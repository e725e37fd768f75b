"""Real server processes and real clients."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect

from etm_graph.identity.tokens import DEV_ISSUER, TokenConfig, mint_development_token

SECRET = "s" * 48
CONFIG = TokenConfig(DEV_ISSUER, "etm-graph", secret=SECRET)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def token(user_name: str) -> str:
    return mint_development_token(CONFIG, user_name)


@dataclass
class Server:
    """One server process."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/graphql"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def environment(database_url: str, folder: Path, **settings: str) -> dict[str, str]:
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("ETM_")},
        "ETM_DATABASE_URL": database_url,
        "ETM_DATA_DIR": str(folder),
        "ETM_DEV_SECRET": SECRET,
        **settings,
    }


@asynccontextmanager
async def serving(database_url: str, folder: Path, **settings: str) -> AsyncIterator[Server]:
    """A server process on a database, ready."""
    port = free_port()
    log = folder / f"server-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "etm_graph", "serve"],
            env=environment(database_url, folder, ETM_PORT=str(port), **settings),
            stdout=output,
            stderr=output,
        )
    server = Server(port, process, log)
    try:
        await _ready(server)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def _ready(server: Server) -> None:
    async with httpx.AsyncClient() as client:
        for _ in range(300):
            try:
                answer = await client.get(f"http://127.0.0.1:{server.port}/readyz")
                if answer.status_code == 200:
                    return
            except httpx.TransportError:
                pass
            if server.process.poll() is not None:
                break
            await asyncio.sleep(0.1)
    raise AssertionError(server.log.read_text())


class Client:
    """A GraphQL client of one user at one server. credential: an API key in place of a token."""

    def __init__(self, server: Server, user_name: str, credential: str | None = None) -> None:
        self._server = server
        self._headers = {
            "authorization": f"Bearer {credential or token(user_name)}",
            "accept": "application/graphql-response+json",
        }
        self._http = httpx.AsyncClient(timeout=60)

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The whole response."""
        body = {"query": query, "variables": variables}
        answer = await self._http.post(self._server.url, json=body, headers=self._headers)
        response: dict[str, Any] = answer.json()
        return response

    async def data(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data; no errors are expected."""
        response = await self.ask(query, **variables)
        assert "errors" not in response, response
        data: dict[str, Any] = response["data"]
        return data

    async def do(self, query: str, **variables: Any) -> dict[str, Any]:
        """The payload of one mutation; no user errors are expected."""
        (payload,) = (await self.data(query, **variables)).values()
        assert payload["userErrors"] == [], payload
        result: dict[str, Any] = payload
        return result

    async def close(self) -> None:
        await self._http.aclose()

    @asynccontextmanager
    async def socket(self) -> AsyncIterator["Socket"]:
        """An initialised graphql-transport-ws connection."""
        url = self._server.url.replace("http://", "ws://")
        async with connect(url, subprotocols=["graphql-transport-ws"]) as connection:  # type: ignore[list-item]  # a NewType of str
            opened = Socket(connection)
            await opened.send({"type": "connection_init", "payload": {"Authorization": self._headers["authorization"]}})
            assert await opened.receive() == {"type": "connection_ack"}
            yield opened


@dataclass
class Socket:
    """Messages of graphql-transport-ws."""

    connection: ClientConnection
    _next: int = field(default=0)

    async def send(self, message: dict[str, Any]) -> None:
        await self.connection.send(orjson.dumps(message).decode())

    async def receive(self, timeout: float = 10) -> dict[str, Any]:
        message: dict[str, Any] = orjson.loads(await asyncio.wait_for(self.connection.recv(), timeout))
        return message

    async def subscribe(self, query: str, **variables: Any) -> str:
        self._next += 1
        key = str(self._next)
        await self.send({"id": key, "type": "subscribe", "payload": {"query": query, "variables": variables}})
        return key

    async def item(self, timeout: float = 10) -> dict[str, Any]:
        """The next event's one field."""
        message = await self.receive(timeout)
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        (value,) = message["payload"]["data"].values()
        found: dict[str, Any] = value
        return found

    async def change(self, timeout: float = 10) -> dict[str, Any]:
        """The next event that is a change."""
        while (found := await self.item(timeout))["__typename"] != "Change":
            pass
        return found
